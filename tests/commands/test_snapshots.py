"""The pictures of a snapshot: the wanted verdict's and no other's, whoever is faster, judge or asker."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.commands.snapshots import _HELD, _WAITING, SnapshotPictures
from edge.publishers.memory import MemoryPublisher
from edge.settings.mqtt import MemorySettings
from edge.types import Frame, Outcome
from tests.commands.parts import until
from tests.publishers.samples import NOW, picture, verdict


def frame(view: str = "front", seed: int = 0) -> Frame:
    return Frame(picture(seed=seed), view, 1, 1, NOW)


@pytest.fixture
def publisher():
    with MemoryPublisher(MemorySettings(kind="memory")) as opened:
        yield opened


def kinds(publisher: MemoryPublisher, result_id: str) -> list[str]:
    return [record.topic.rpartition("/")[2] for record in publisher.records if record.result_id == result_id]


@pytest.mark.parametrize("judge_first", [True, False])
def test_the_pictures_come_whoever_is_faster(publisher: MemoryPublisher, judge_first: bool) -> None:
    pictures = SnapshotPictures(publisher, "none", 320)
    pictures.expect("front")
    one, other = verdict(1), verdict(2)
    if judge_first:
        pictures.submit(other, frame(), None)
        pictures.submit(one, frame(), None)
        topics = pictures.want(one.result_id, "front")
    else:
        topics = pictures.want(one.result_id, "front")
        pictures.submit(other, frame(), None)
        pictures.submit(one, frame(), None)
    until(lambda: len(publisher.records) == 2)
    pictures.close()
    assert topics == tuple(record.topic for record in publisher.records)
    assert kinds(publisher, one.result_id) == ["frame", "overlay"]
    assert not kinds(publisher, other.result_id)
    assert not pictures._held


def test_the_frame_is_the_one_that_was_grabbed(publisher: MemoryPublisher) -> None:
    pictures, shown = SnapshotPictures(publisher, "none", 320), frame(seed=3)
    ring = shown.image.copy()
    pictures.want("front-00000001", "front")
    pictures.submit(verdict(1), Frame(ring, "front", 1, 1, NOW), None)
    ring.flags.writeable = True
    ring[:] = 0  # the camera's ring goes on
    until(lambda: len(publisher.records) == 2)
    pictures.close()
    sent = cv2.imdecode(np.frombuffer(publisher.records[0].blob, np.uint8), cv2.IMREAD_COLOR)
    assert sent.shape == shown.image.shape
    assert sent.mean() > 50


@pytest.mark.parametrize(
    ("overlays", "outcome", "expected"),
    [
        ("all", Outcome.PASS, ["frame"]),
        ("not_pass", Outcome.FAIL, ["frame"]),
        ("not_pass", Outcome.PASS, ["frame", "overlay"]),
        ("none", Outcome.FAIL, ["frame", "overlay"]),
    ],
)
def test_no_overlay_comes_twice(publisher: MemoryPublisher, overlays, outcome: Outcome, expected: list[str]) -> None:
    pictures, one = SnapshotPictures(publisher, overlays, 320), verdict(1, outcome=outcome)
    pictures.want(one.result_id, "front")
    pictures.submit(one, frame(), None)
    until(lambda: len(publisher.records) == len(expected))
    pictures.close()
    assert kinds(publisher, one.result_id) == expected


def test_nothing_piles_up(publisher: MemoryPublisher) -> None:
    pictures = SnapshotPictures(publisher, "none", 320)
    for number in range(50):
        pictures.submit(verdict(number), frame(), None)
    assert not pictures._held
    pictures.expect("front")
    for number in range(50):
        pictures.submit(verdict(number), frame(), None)
        pictures.submit(verdict(number, view="back"), frame("back"), None)
        pictures.submit(verdict(number), None, None)
    assert len(pictures._held) == _HELD
    for number in range(100, 150):
        pictures.want(f"front-{number}", "front")
    assert len(pictures._wanted) == _WAITING
    assert not pictures._held
    pictures.close()
    assert not publisher.records


def test_a_disk_that_refuses_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with MemoryPublisher(MemorySettings(kind="memory", fail_share=1.0)) as publisher:
        pictures = SnapshotPictures(publisher, "none", 320)
        pictures.want("front-00000001", "front")
        pictures.submit(verdict(1), frame(), None)
        until(lambda: "snapshot_not_recorded" in caplog.text)
        pictures.close()
        assert not publisher.records
