"""A picture that was asked for earlier must never pass for the answer to a new trigger."""

import time
from datetime import datetime, timezone

import numpy as np
import pytest

from edge.cameras import process
from edge.cameras.channel import Channel, FrameRecord, Opened, RingMade, channel_pair
from edge.cameras.process import ProcessCamera
from edge.cameras.ring import RingWriter
from edge.cameras.status import Counters
from edge.errors import CameraLost
from edge.settings.genicam import GenicamSettings


class Child:
    """A camera's process as the station sees it: this side of its channels, and counters that a test sets."""

    pid = 1
    lost = 0

    def __init__(self, _: str) -> None:
        (control, told), (frames, sent) = channel_pair(), channel_pair()
        self.control, self.frames = Channel(control), Channel(frames)
        self.told, self.sent = Channel(told), Channel(sent)
        self.status = self
        self.ring = RingWriter("test", 4, 16)

    def read(self) -> Counters:
        now = time.monotonic_ns()
        return Counters(heartbeat_ns=now, last_frame_ns=now, lost=self.lost)

    def wait(self, timeout_s: float) -> None:
        time.sleep(min(timeout_s, 0.001))

    def has_exited(self, _: float = 0) -> bool:
        return False

    def end(self, _: float) -> str:
        for channel in (self.control, self.frames, self.told, self.sent):
            channel.close()
        return ""

    def open(self) -> None:
        self.told.send(Opened())
        self.told.send(RingMade(1, 4, self.ring.slot_bytes), [self.ring.fd])

    def shoot(self, number: int) -> None:
        slot = self.ring.free_slot()
        assert slot is not None
        self.ring.write(slot, np.full((4, 4), number, np.uint8))
        now = datetime.now(timezone.utc)
        self.sent.send(FrameRecord(1, slot, (4, 4), number, time.monotonic_ns(), now))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch):
    children: list[Child] = []

    def spawn(name: str) -> Child:
        children.append(Child(name))
        return children[-1]

    monkeypatch.setattr(process, "ChildProcess", spawn)
    camera = ProcessCamera(GenicamSettings(serial="1", trigger={"mode": "software"}), "front")
    camera.start()
    children[0].open()
    yield camera, children[0]
    camera.__exit__(None, None, None)


def test_a_trigger_that_was_never_answered_starts_the_camera_again(opened) -> None:
    camera, child = opened
    camera.trigger()
    assert camera.grab(0.01) is None
    with pytest.raises(CameraLost, match="did not answer its last trigger"):
        camera.trigger()
    assert child.ring.fd >= 0


def test_an_answer_that_came_late_but_before_the_next_trigger_is_dropped(opened) -> None:
    camera, child = opened
    camera.trigger()
    assert camera.grab(0.01) is None
    child.shoot(1)
    camera.trigger()
    child.shoot(2)
    frame = camera.grab(1.0)
    assert frame is not None
    assert frame.number == 2


def test_a_frame_that_the_camera_counts_as_lost_is_an_answer(opened) -> None:
    camera, child = opened
    camera.trigger()
    assert camera.grab(0.01) is None
    child.lost = 1
    camera.trigger()
    child.shoot(2)
    frame = camera.grab(1.0)
    assert frame is not None
    assert frame.number == 2


def test_a_loss_that_is_told_twice_does_not_hide_a_later_one(opened) -> None:
    camera, child = opened
    camera.trigger()
    child.lost = 1
    child.shoot(1)
    assert camera.grab(1.0) is not None
    camera.trigger()
    assert camera.grab(0.01) is None
    with pytest.raises(CameraLost, match="did not answer its last trigger"):
        camera.trigger()
