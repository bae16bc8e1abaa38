"""The shared-memory ring, its channel and its status page, both sides in one process."""

from __future__ import annotations

import gc
import os
import random
from datetime import datetime, timezone

import numpy as np
import pytest

from edge.cameras.channel import (
    MAX_MESSAGE_BYTES,
    Begin,
    Channel,
    ChannelClosed,
    Failed,
    FrameRecord,
    Trigger,
    channel_pair,
)
from edge.cameras.ring import PAGE, RingReader, RingWriter
from edge.cameras.sink import FrameSink
from edge.cameras.status import StatusPage
from edge.errors import CameraRefused, FrameError
from edge.types import Frame
from tests.cameras.making import simulated


def pair(slots: int, frame_bytes: int) -> tuple[RingWriter, RingReader]:
    writer = RingWriter("test", slots, frame_bytes)
    return writer, RingReader(writer.fd, slots, writer.slot_bytes)


def test_a_slot_is_free_again_when_the_last_view_is_gone() -> None:
    writer, reader = pair(2, 12)
    slot = writer.free_slot()
    writer.write(slot, np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
    image = reader.lease(slot, (2, 2, 3))
    np.testing.assert_array_equal(image, np.arange(12).reshape(2, 2, 3))
    other = writer.free_slot()
    writer.take(other)
    assert writer.free_slot() is None
    corner = image[1:, :1, 0]
    buffer = memoryview(image)
    del image
    assert writer.free_slot() is None, "a view of the frame is alive"
    del corner
    assert writer.free_slot() is None, "a buffer of the frame is alive"
    del buffer
    assert writer.free_slot() == slot


def test_the_reader_cannot_write() -> None:
    writer, reader = pair(2, 4)
    writer.write(0, np.zeros((2, 2), np.uint8))
    image = reader.lease(0, (2, 2))
    with pytest.raises(ValueError, match="read-only"):
        image[0, 0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        image.flags.writeable = True


def test_a_frame_that_is_held_is_never_overwritten() -> None:
    dice = random.Random(1)
    writer, reader = pair(3, 8)
    held: list[tuple[int, np.ndarray]] = []
    for stamp in range(2000):
        if dice.random() < 0.5 and held:
            held.pop(dice.randrange(len(held)))
        slot = writer.free_slot()
        assert (slot is None) == (len(held) == 3)
        if slot is not None:
            writer.write(slot, np.full((2, 4), stamp % 256, np.uint8))
            held.append((stamp % 256, reader.lease(slot, (2, 4))))
        assert all((image == value).all() for value, image in held)


def test_a_ring_leaves_nothing() -> None:
    before, shared = len(os.listdir("/proc/self/fd")), os.listdir("/dev/shm")
    writer, reader = pair(4, 100_000)
    assert os.listdir("/dev/shm") == shared, "it has a name"
    writer.write(1, np.ones((10, 10), np.uint8))
    image = reader.lease(1, (10, 10))
    del writer, reader
    gc.collect()
    assert image.sum() == 100, "a frame outlives both sides"
    del image
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_slots_start_on_pages() -> None:
    writer, _ = pair(2, PAGE + 1)
    assert writer.slot_bytes == 2 * PAGE
    for slot in range(2):
        assert writer.place(slot, (4, 4)).ctypes.data % PAGE == 0


def test_memory_that_is_not_there_is_an_error_and_no_crash() -> None:
    with pytest.raises(CameraRefused, match=r"camera of test: its frames need \d+ MB of shared memory"):
        RingWriter("test", 64, 1 << 52)


class Hand:
    """A sink, and what the station sees of it."""

    def __init__(self, policy: str, slots: int) -> None:
        ends = [Channel(end) for end in (*channel_pair(), *channel_pair())]
        fd = StatusPage.make("test")
        self.status = StatusPage(fd)
        os.close(fd)
        self.control, self.inlet, self.ends = ends[1], ends[3], ends
        begin = Begin(simulated(policy=policy), "test", 0, slots, 1.0)
        self.sink = FrameSink(begin, ends[0], ends[2], ends[3], self.status)

    def record(self) -> FrameRecord:
        message = self.inlet.receive()
        assert message is not None
        return message[0]

    def __enter__(self) -> Hand:
        return self

    def __exit__(self, *_: object) -> None:
        while (message := self.control.receive()) is not None:
            os.close(message[1][0])
        for end in self.ends:
            end.close()


def frame_of(image: np.ndarray, number: int) -> Frame:
    return Frame(image, "test", number, 1, datetime.now(timezone.utc))


def test_a_camera_that_decodes_in_place_is_not_copied_and_any_other_is() -> None:
    with Hand("every", 3) as hand:
        place = hand.sink.allocate((2, 4))
        place[:] = 7
        hand.sink.put(frame_of(place, 0))
        hand.sink.allocate((2, 4))
        hand.sink.put(frame_of(np.full((2, 4), 9, np.uint8), 1))
        other = hand.sink.allocate((2, 4))
        other[:] = [[1, 2, 3, 4], [5, 6, 7, 8]]
        hand.sink.put(frame_of(other[:, ::-1], 2))
        made, fds = hand.control.receive()
        reader = RingReader(fds[0], made.slots, made.slot_bytes)
        records = [hand.record() for _ in range(3)]
    images = [reader.lease(record.slot, record.shape) for record in records]
    assert [image[0].tolist() for image in images] == [[7] * 4, [9] * 4, [4, 3, 2, 1]]
    assert len({record.slot for record in records}) == 3


def test_a_full_ring_takes_back_the_oldest_or_drops_the_newest() -> None:
    for policy, kept, lost, skipped in (("newest", [3, 4], 0, 3), ("every", [0, 1], 3, 0)):
        with Hand(policy, 2) as hand:
            for number in range(5):
                hand.sink.put(frame_of(np.zeros((2, 4), np.uint8), number))
            assert [hand.record().number for _ in range(2)] == kept
            assert hand.inlet.receive() is None
            assert (hand.status.read().lost, hand.status.read().skipped) == (lost, skipped)


def test_errors_keep_their_place_between_frames() -> None:
    with Hand("every", 3) as hand:
        hand.sink.put_error(FrameError("is cut off", where="1.png"))
        hand.sink.put(frame_of(np.zeros((200, 400), np.uint8), 1))
        error, frame = hand.record(), hand.record()
        assert str(error.error) == "1.png: is cut off"
        assert (frame.number, frame.generation) == (1, error.generation + 1)
        assert hand.status.read().damaged == 1


def test_messages_keep_their_borders_and_carry_descriptors() -> None:
    one, two = (Channel(end) for end in channel_pair())
    assert two.receive() is None
    fd = os.memfd_create("carried")
    os.write(fd, b"hello")
    one.send(Trigger())
    one.send(Failed(CameraRefused("no such format", where="camera 7", remedy="write Mono8")), [fd])
    os.close(fd)
    assert two.receive() == (Trigger(), [])
    failed, fds = two.receive()
    error = failed.error
    assert (type(error), str(error)) == (CameraRefused, "camera 7: no such format: write Mono8")
    assert os.pread(fds[0], 9, 0) == b"hello"
    os.close(fds[0])
    one.close()
    with pytest.raises(ChannelClosed):
        two.receive()
    with pytest.raises(ChannelClosed):
        two.send(Trigger())
    two.close()


@pytest.mark.parametrize(
    "nonsense", [b"{", b"[]", b'["Nobody", {}]', b'["Trigger", {"x": 1}]', b"\x80\x04N.", b'["Failed", {"error": [1]}]']
)
def test_nonsense_from_the_other_side_closes_the_channel(nonsense: bytes) -> None:
    ours, theirs = channel_pair()
    channel = Channel(ours)
    theirs.send(nonsense)
    with pytest.raises(ChannelClosed, match="nonsense"):
        channel.receive()
    theirs.close()
    channel.close()


def test_every_message_arrives_as_it_was_sent() -> None:
    one, two = (Channel(end) for end in channel_pair())
    sent = [
        Begin(simulated(policy="newest"), "front", 2, 6, 1.5),
        FrameRecord(1, 2, (4, 6, 3), 7, 8, datetime(2026, 11, 22, 4, 5, 6, 7, timezone.utc), 9, "cam", 1, 2, True, None, 10),
        FrameRecord(1, 2, ()),
    ]
    for message in sent:
        one.send(message)
        received = two.receive()
        assert received is not None
        assert received == (message, [])
    one.close()
    two.close()


def test_a_channel_that_nobody_reads_does_not_block() -> None:
    one, two = (Channel(end) for end in channel_pair())

    def fill() -> None:
        for _ in range(100_000):
            one.send(Trigger())

    with pytest.raises(BlockingIOError):
        fill()
    with pytest.raises(ValueError, match="does not fit"):
        one.send(Failed(CameraRefused("x" * MAX_MESSAGE_BYTES)))
    one.close()
    two.close()


def test_the_status_page_is_shared() -> None:
    fd = StatusPage.make("test")
    writer, reader = StatusPage(fd), StatusPage(fd)
    os.close(fd)
    writer.set("heartbeat_ns", 2**62)
    writer.add("lost", 3)
    writer.add("lost")
    assert (reader.read().heartbeat_ns, reader.read().lost, reader.read().frames) == (2**62, 4, 0)
