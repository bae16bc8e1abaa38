"""A camera that shows the same picture again and again judges nothing."""

import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.app import assemble
from edge.config import StationConfig
from edge.loop.frozen import FrozenCheck
from edge.publishers.base import RecordKind
from edge.publishers.memory import MemoryPublisher
from edge.schema import validate
from edge.settings.cameras import FolderSettings, VideoSettings, has_noise
from edge.settings.genicam import GenicamSettings
from edge.settings.simulated import SimulatedSettings
from edge.types import Frame, ImageU8
from tests.cli.running import RECIPE, simulated
from tests.station_parts import scene, with_noise


def frame(image: ImageU8, number: int = 0) -> Frame:
    return Frame(image.copy(), "front", number, 0, datetime.now(timezone.utc))


@pytest.mark.parametrize("shape", [(180, 240, 3), (180, 240), (1, 1, 3), (2048, 2448)])
def test_a_repeated_picture_is_frozen_and_another_one_ends_it(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(1)
    one, other = (random.integers(1, 255, shape, np.uint8) for _ in range(2))
    one.flat[0], other.flat[0] = 0, 1
    check = FrozenCheck()
    flat = int(np.prod(shape)) < 4 and len(shape) == 2
    assert not check.is_frozen(frame(one))
    assert check.is_frozen(frame(one)) is not flat
    assert check.is_frozen(frame(one)) is not flat
    assert check.repeated == (0 if flat else 2)
    assert not check.is_frozen(frame(other))
    assert check.repeated == 0


def test_noise_is_never_taken_for_a_frozen_picture() -> None:
    check = FrozenCheck()
    assert not any(check.is_frozen(frame(with_noise(scene(), number))) for number in range(20))


@pytest.mark.parametrize("buffers", [2, 3, 16])
def test_a_driver_that_hands_out_old_buffers_in_turn_is_frozen(buffers: int) -> None:
    check = FrozenCheck()
    ring = [frame(with_noise(scene(), number)) for number in range(buffers)]
    assert not any(map(check.is_frozen, ring))
    assert all(map(check.is_frozen, ring * 3))
    assert check.repeated == 3 * buffers
    assert not check.is_frozen(frame(with_noise(scene(), 99)))
    assert check.is_frozen(ring[-1]), "an old one among new ones is old all the same"


def test_one_grey_level_of_one_looked_at_pixel_is_a_new_picture() -> None:
    check, image = FrozenCheck(), scene()
    check.is_frozen(frame(image))
    changed = image.copy()
    changed[0, 5, 1] ^= 1
    assert not check.is_frozen(frame(changed))


@pytest.mark.parametrize("level", [0, 255, 128])
def test_a_picture_without_structure_proves_nothing(level: int) -> None:
    check = FrozenCheck()
    assert not any(check.is_frozen(frame(np.full((100, 100, 3), level, np.uint8))) for _ in range(3))


def test_another_size_is_another_picture() -> None:
    check, image = FrozenCheck(), scene()
    check.is_frozen(frame(image[:64]))
    assert not check.is_frozen(frame(image[:63]))


def test_auto_is_for_sensors_whose_noise_arrives() -> None:
    assert has_noise(GenicamSettings(serial="1"))
    assert has_noise(VideoSettings(source="/dev/video0"))
    others = (
        GenicamSettings(serial="1", producers=("viky",)), VideoSettings(source="rtsp://camera/1"),
        VideoSettings(source="line.mp4"), FolderSettings(path=Path("x")), SimulatedSettings(),
    )  # fmt: skip
    assert not any(has_noise(settings) for settings in others)


def configured(tmp_path: Path, frozen: str, trigger: dict[str, Any]) -> StationConfig:
    policy = "every" if trigger["kind"] == "hardware" else "newest"
    faults = [{"kind": "frozen", "frames": [3], "length": 100_000}]
    view = {
        "recipe": str(RECIPE),
        "camera": simulated(rate_hz=15, policy=policy, faults=faults),
        "trigger": trigger,
        "process": {"frozen": frozen},
    }
    data = {
        "station": {"site": "s", "area": "a", "line": "l", "station": "b"},
        "state_dir": str(tmp_path / "state"),
        "publisher": {"kind": "memory", "keep": 10_000},
        "views": {"feeder": view},
    }
    return validate(StationConfig, data, "test")


def verdicts(tmp_path: Path, frozen: str, trigger: dict[str, Any], enough: int) -> tuple[list[str], list[str]]:
    """The reasons or outcomes, and what the view's state said."""
    with assemble(configured(tmp_path, frozen, trigger)) as assembly:
        publisher = assembly.publisher
        assert isinstance(publisher, MemoryPublisher)

        def found() -> list[str]:
            bodies = [record.body for record in publisher.records if record.kind is RecordKind.VERDICT]
            bodies.sort(key=lambda body: body["triggerNumber"])
            return [body["reason"]["code"] if body["reason"] else body["outcome"] for body in bodies]

        def states() -> list[str]:
            return [record.body["reason"] for record in publisher.records if record.topic == "state"]

        for _ in range(4000):
            if len(found()) >= 2 * enough and (frozen != "on" or any("frame_frozen" in state for state in states())):
                break
            threading.Event().wait(0.01)
        return found()[:enough], states()


def test_a_frozen_camera_is_undecided_from_its_first_repetition(tmp_path: Path) -> None:
    found, states = verdicts(tmp_path, "on", {"kind": "hardware", "queue_frames": 8}, 12)
    assert found[:3] == ["PASS"] * 3
    assert set(found[3:]) == {"frame_frozen"}, found
    assert any("feeder: frame_frozen: the camera shows an old picture" in state for state in states)


def test_it_can_be_switched_off_and_is_off_for_simulated_cameras(tmp_path: Path) -> None:
    for setting in ("off", "auto"):
        found, _ = verdicts(tmp_path / setting, setting, {"kind": "hardware", "queue_frames": 8}, 8)
        assert "frame_frozen" not in found
        assert "PASS" in found[4:]
