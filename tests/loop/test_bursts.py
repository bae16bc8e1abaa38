"""Bursts of parts through a real camera process: the ring holds what queue_frames promises, and what is lost is told."""

import gc
import threading
import time
import weakref
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.app import assemble
from edge.config import StationConfig
from edge.errors import ConfigError
from edge.health import Health
from edge.loop.pictures import PictureMaker, PictureSettings
from edge.publishers.base import Record, RecordKind
from edge.publishers.memory import MemoryPublisher
from edge.schema import validate
from edge.settings.mqtt import MemorySettings
from edge.types import Frame, Judgement, Origin, Outcome, Verdict
from tests.station_parts import SIZE_WH, make_recipe, scene, with_noise

PARTS = 16


def config(tmp_path: Path, *, queue_frames: int, policy: str = "every", judging_s: float = 0.1) -> StationConfig:
    recipe = make_recipe(tmp_path / "recipes")
    shots = tmp_path / "shots"
    shots.mkdir()
    for number in range(PARTS):
        image = cv2.cvtColor(with_noise(scene(), number), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(shots / f"{number:02d}.bmp"), image)
    data: dict[str, Any] = {
        "station": {"site": "s", "area": "a", "line": "l", "station": "burst"},
        "state_dir": str(tmp_path / "state"),
        "publisher": {"kind": "memory", "keep": 1000},
        "engine": {"kind": "simulated", "faults": [{"kind": "slow", "every": 1, "duration_s": judging_s}]},
        "views": {
            "front": {
                "recipe": str(tmp_path / "recipes" / "front"),
                "camera": {"kind": "folder", "path": str(shots), "rate_hz": 200, "loop": False, "policy": policy},
                "trigger": {"kind": "hardware", "queue_frames": queue_frames},
            }
        },
    }
    assert recipe.name
    return validate(StationConfig, data, "test")


def verdicts_of(config: StationConfig) -> Counter[str]:
    with assemble(config) as assembly:
        publisher = assembly.publisher
        assert isinstance(publisher, MemoryPublisher)

        def found() -> list[Record]:
            return [record for record in publisher.records if record.kind is RecordKind.VERDICT]

        deadline = time.monotonic() + 20
        while len(found()) < PARTS:
            assert time.monotonic() < deadline, f"{len(found())} of {PARTS} parts got a verdict"
            threading.Event().wait(0.01)
        return Counter(r.body["reason"]["code"] if r.body["reason"] else r.body["outcome"] for r in found())


def test_a_burst_waits_in_the_ring_as_queue_frames_promises(tmp_path: Path) -> None:
    assert verdicts_of(config(tmp_path, queue_frames=PARTS)) == {"PASS": PARTS}


def test_frames_that_were_lost_last_are_told_although_no_frame_comes_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.views.SPARE_SLOTS", -100)  # as if the ring had only its six slots
    told = verdicts_of(config(tmp_path, queue_frames=PARTS))
    assert set(told) == {"PASS", "frame_lost"}
    assert sum(told.values()) == PARTS


def test_a_hardware_trigger_refuses_a_camera_that_skips(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="write policy: every"):
        config(tmp_path, queue_frames=2, policy="newest")


def test_a_picture_that_waits_keeps_nothing_of_the_cameras_memory() -> None:
    publisher = MemoryPublisher(MemorySettings(kind="memory"))
    maker = PictureMaker(PictureSettings(publish="all"), publisher, Health())
    memory = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    gone = weakref.ref(memory)
    now = datetime.now(timezone.utc)
    verdict = Verdict("r", Judgement(Outcome.UNDECIDED), Origin("front", 1, 0, now), now)
    maker.submit(verdict, Frame(memory[:], "front", 0, 0, now), None)
    del memory
    gc.collect()
    assert gone() is None
