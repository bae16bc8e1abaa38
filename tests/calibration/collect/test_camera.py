"""Collecting from a view's camera, in its own process as the station has it."""

import json

import numpy as np
import pytest
import yaml

from calibration.collect import CameraSource, Shot, Unreadable, Wanted, collect
from calibration.commands import collect as command
from edge.config import load_config
from edge.errors import ConfigError, StationBusy
from edge.publishers.state_lock import StateLock
from edge.settings.cameras import hash_of_camera
from tests.calibration.scene import write_shots


@pytest.fixture
def station(tmp_path):
    """A config with a simulated camera that runs freely, one that waits for triggers, and a folder."""
    write_shots(tmp_path / "shots", range(30, 34))
    cameras = {
        "free": {"kind": "simulated", "rate_hz": 60, "size_wh": [480, 320], "nudge": {"sigma_px": 0.0}},
        "asked": {"kind": "simulated", "trigger": "software", "rate_hz": 200, "size_wh": [480, 320], "seed": 3},
        "files": {"kind": "folder", "path": "shots", "loop": False},
    }
    document = {
        "station": {"root": "lineclear", "site": "s", "area": "a", "line": "l", "station": "t"},
        "state_dir": "state",
        "publisher": {"kind": "memory"},
        "views": {name: {"camera": camera, "recipe": f"recipes/{name}"} for name, camera in cameras.items()},
    }
    path = tmp_path / "station.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("view", ["free", "asked"])
def test_a_camera_gives_good_frames_with_its_settings_and_times(station, tmp_path, view):
    config = load_config(station)
    with CameraSource(config, view) as source:
        collected = collect(source, tmp_path / "out", Wanted(view=view, who="A", count=3))
    assert len(collected.frames) == 3
    assert collected.stopped == ""
    first = collected.frames[0]
    assert first.camera_settings_hash == hash_of_camera(config.views[view].camera)
    assert first.taken_at is not None
    assert {"moving", "shake_px"} <= {check.name for check in first.checks}
    assert {refusal.check for refusal in collected.refused} == set()


def test_a_folder_as_camera_ends_with_its_last_file(station, tmp_path):
    with CameraSource(load_config(station), "files", timeout_s=1.5) as source:
        collected = collect(source, tmp_path / "out", Wanted(view="files", who="A", count=9))
    assert len(collected.frames) == 4
    assert "no more frames" in collected.stopped


def test_the_station_must_not_be_running(station):
    config = load_config(station)
    lock = StateLock(station.parent / "state" / "station")
    lock.acquire()
    try:
        with pytest.raises(StationBusy), CameraSource(config, "free"):
            pytest.fail("it was opened")
    finally:
        lock.release()
    with CameraSource(config, "files"):
        pass


def test_an_unknown_view_is_named(station):
    with pytest.raises(ConfigError, match="asked, files, free"):
        CameraSource(load_config(station), "back")


def test_what_moves_between_two_frames_is_refused(station, tmp_path):
    """The scene changes between the two frames of a pair: a leftover is put there."""
    config = load_config(station)
    with CameraSource(config, "free") as source:
        good = [shot for shot, _ in zip(source.shots(), range(3), strict=False)]
    assert all(isinstance(shot, Shot) for shot in good)
    spoilt = np.array(good[1].before)
    spoilt[100:160, 200:280] = 240
    moving = Shot("moving", good[1].image, good[1].taken_at, spoilt)

    class Replay:
        name, camera_settings_hash, total = "replay", None, None

        def shots(self):
            yield from (good[0], moving, Unreadable("x", "arrived damaged"), good[2])

    collected = collect(Replay(), tmp_path / "out", Wanted(view="free", who="A", count=2))
    assert [(refusal.name, refusal.check) for refusal in collected.refused] == [("moving", "moving"), ("x", "readable")]


def test_the_command_collects_from_the_camera(station, tmp_path, capsys):
    import argparse

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    arguments = ["--config", str(station), "--view", "asked", "--count", "2", "--out", str(tmp_path / "out"), "--json"]
    assert command.run(parser.parse_args(arguments)) == 0
    assert len(json.loads(capsys.readouterr().out)["frames"]) == 2
