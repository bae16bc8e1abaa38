"""ProcessCamera with a real child: hand-over, policies, and every way in which a child can go wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from edge.cameras.process import ProcessCamera
from edge.errors import CameraLost, CameraRefused, FrameError
from edge.settings.cameras import ProcessSettings
from edge.settings.simulated import SimulatedSettings
from tests.cameras.making import HASTY, folder, folder_of, numbered, simulated, video, video_of
from tests.contracts.camera import PATIENCE_S, children, next_frame, open_files


def until(condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.005)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def faulty(kind: str, at: int = 3, **changes: object) -> SimulatedSettings:
    return simulated(policy="every", faults=[{"kind": kind, "frames": [at], "length": 10**6}], **changes)


def frames_until_error(camera: ProcessCamera, kind: type[Exception]) -> tuple[int, Exception]:
    for seen in range(10_000):
        try:
            next_frame(camera)
        except kind as error:
            return seen, error
    raise AssertionError(f"no {kind.__name__}")


def test_every_frame_arrives_in_order_and_unchanged(tmp_path: Path) -> None:
    with ProcessCamera(folder(folder_of(tmp_path, 9), loop=False), "front") as camera:
        for number in range(9):
            frame = next_frame(camera)
            assert (frame.number, frame.lost_before) == (number, 0)
            np.testing.assert_array_equal(frame.image, numbered(number))
        assert camera.grab(0.05) is None
    assert camera.counters.frames == 9


def test_a_folder_waits_for_its_reader(tmp_path: Path) -> None:
    with ProcessCamera(folder(folder_of(tmp_path, 9), loop=False), "front", ProcessSettings(slots=2)) as camera:
        held = [next_frame(camera), next_frame(camera)]
        assert camera.grab(0.1) is None, "there was no slot"
        held.clear()
        assert [next_frame(camera).number for _ in range(7)] == list(range(2, 9))
        assert camera.counters.lost == 0


def test_files_are_read_when_they_are_wanted_and_not_before(tmp_path: Path) -> None:
    with ProcessCamera(folder(folder_of(tmp_path, 9), loop=False), "front") as camera:
        for number in range(9):
            asked_ns = time.monotonic_ns()
            frame = next_frame(camera)
            assert frame.number == number
            assert frame.grabbed_ns > asked_ns


def test_policy_every_counts_what_does_not_fit() -> None:
    with ProcessCamera(simulated(policy="every"), "front", ProcessSettings(slots=2)) as camera:
        held = [next_frame(camera), next_frame(camera)]
        until(lambda: camera.counters.lost >= 5)
        last = held[-1].number
        held.clear()
        frame = next_frame(camera)
        assert frame.lost_before == frame.number - last - 1 >= 5


def test_policy_newest_gives_the_freshest_frame_and_calls_the_others_skipped() -> None:
    with ProcessCamera(simulated(), "front", ProcessSettings(slots=3)) as camera:
        until(lambda: camera.counters.frames >= 20)
        frame = next_frame(camera)
        assert frame.number >= 19
        assert frame.lost_before == 0
        assert camera.counters.skipped == frame.number


def test_policy_newest_drops_when_every_slot_is_leased() -> None:
    with ProcessCamera(simulated(), "front", ProcessSettings(slots=2)) as camera:
        held = [next_frame(camera), next_frame(camera)]
        until(lambda: camera.counters.lost >= 3)
        last = held[-1].number
        held.clear()
        skipped = camera.counters.skipped
        frame = next_frame(camera)
        assert frame.lost_before + camera.counters.skipped - skipped == frame.number - last - 1


def test_what_was_skipped_keeps_its_losses() -> None:
    drops = [{"kind": "drop", "frames": [2, 5]}, {"kind": "short", "frames": [7]}]
    with ProcessCamera(simulated(faults=drops), "front", ProcessSettings(slots=3)) as camera:
        until(lambda: camera.counters.frames >= 15)
        frame = next_frame(camera)
        assert (frame.lost_before, frame.incomplete_before) == (2, 1)
        assert (camera.counters.lost, camera.counters.incomplete) == (2, 1)


def test_a_piece_of_a_frame_keeps_its_slot() -> None:
    with ProcessCamera(simulated(policy="every"), "front", ProcessSettings(slots=2)) as camera:
        piece = next_frame(camera).image[5:20, ::3]
        before = piece.copy()
        for _ in range(10):
            next_frame(camera)
        np.testing.assert_array_equal(piece, before)


def test_a_frame_outlives_its_camera(tmp_path: Path) -> None:
    with ProcessCamera(folder(folder_of(tmp_path)), "front") as camera:
        frame = next_frame(camera)
    np.testing.assert_array_equal(frame.image, numbered(0))


def test_frames_may_grow_shrink_and_lose_their_colour(tmp_path: Path) -> None:
    sizes = [(64, 48), (640, 480), (3, 2), (1000, 700), (1, 1)]
    for number, size in enumerate(sizes):
        cv2.imwrite(str(tmp_path / f"{number}.png"), numbered(number, size)[..., ::-1])
    cv2.imwrite(str(tmp_path / "9.png"), numbered(9)[..., 0])
    with ProcessCamera(folder(tmp_path, loop=False), "front") as camera:
        frames = [next_frame(camera) for _ in range(6)]
    for number, size in enumerate(sizes):
        np.testing.assert_array_equal(frames[number].image, numbered(number, size))
    np.testing.assert_array_equal(frames[5].image, numbered(9)[..., 0])


def test_a_broken_file_takes_its_turn(tmp_path: Path) -> None:
    folder_of(tmp_path, 3)
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:-30])
    with ProcessCamera(folder(tmp_path, loop=False, trigger="software"), "front") as camera:
        for number in (0, 1, 2):
            camera.trigger()
            if number == 1:
                with pytest.raises(FrameError, match="is cut off") as caught:
                    next_frame(camera)
                assert caught.value.where.endswith("1.png")
                assert caught.value.remedy
            else:
                assert next_frame(camera).number == number
    assert camera.counters.damaged == 1


def test_a_trigger_is_not_answered_by_an_older_frame() -> None:
    with ProcessCamera(simulated(trigger="software"), "front") as camera:
        camera.trigger()
        until(lambda: camera.counters.frames == 1)
        camera.trigger()
        assert next_frame(camera).number == 1
        assert camera.counters.skipped == 1
        assert camera.grab(0.05) is None


def test_a_silent_triggered_camera_is_no_stall() -> None:
    with ProcessCamera(simulated(trigger="software"), "front", HASTY) as camera:
        start_s = time.monotonic()
        while time.monotonic() - start_s < 1.5 * HASTY.stall_timeout_s:
            assert camera.grab(0.1) is None
        camera.trigger()
        next_frame(camera)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("lost", "unplugged"),
        ("crash", "ended with code 70"),
        ("hang", "no sign of life for 2 s"),
        ("stall", "sent no frame for 2 s"),
    ],
)
def test_faults_are_camera_lost_after_all_frames_before_them(kind: str, words: str) -> None:
    with ProcessCamera(faulty(kind), "front", HASTY) as camera:
        pid = camera.pid
        seen, error = frames_until_error(camera, CameraLost)
        assert seen == 3
        assert words in str(error)
        assert is_gone(pid)
        with pytest.raises(CameraLost, match=words):
            camera.grab(0.01)
        with pytest.raises(CameraLost, match=words):
            camera.trigger()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGKILL, "ended by SIGKILL"),
        (signal.SIGTERM, "ended by SIGTERM"),
        (signal.SIGSTOP, "no sign of life"),
    ],
)
def test_a_child_that_is_killed_or_stopped_is_camera_lost(number: signal.Signals, words: str) -> None:
    files, processes = open_files(), children()
    with ProcessCamera(simulated(), "front", HASTY) as camera:
        next_frame(camera)
        os.kill(camera.pid, number)
        _, error = frames_until_error(camera, CameraLost)
        assert words in str(error)
    assert children() <= processes
    assert open_files().keys() <= files.keys()


def test_ctrl_c_is_for_the_station_to_decide() -> None:
    with ProcessCamera(simulated(policy="every"), "front") as camera:
        os.kill(camera.pid, signal.SIGINT)
        for _ in range(20):
            next_frame(camera)


def test_refusals_and_absence_arrive_as_they_were_raised() -> None:
    for kind, error in (("refused", CameraRefused), ("not_there", CameraLost)):
        with pytest.raises(error, match="simulated 0: ") as caught, ProcessCamera(simulated(faults=[{"kind": kind}]), "front"):
            pass
        assert caught.value.remedy


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CameraRefused, match="cannot be listed"), ProcessCamera(folder(tmp_path / "none"), "front"):
        pass


def test_a_surprise_in_the_child_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    wrong = ProcessSettings.model_construct(**{**vars(ProcessSettings()), "slots": "many"})
    # Told while the camera opens or with its first frame, whichever the station sees first.
    with (
        pytest.raises(CameraLost, match="its process failed: TypeError"),
        ProcessCamera(simulated(), "front", wrong) as camera,
    ):
        raise frames_until_error(camera, CameraLost)[1]
    assert "Traceback" in capfd.readouterr().err


def test_a_child_that_never_opens_is_killed() -> None:
    camera = ProcessCamera(simulated(), "front", ProcessSettings(open_timeout_s=0.5))
    camera.start()
    pid = camera.pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(CameraLost, match=r"did not open within 0\.5 s"):
        until(lambda: camera.poll_opened(0.1))
    assert is_gone(pid)


def test_leaving_does_not_wait_for_a_child_that_hangs() -> None:
    with ProcessCamera(simulated(), "front", ProcessSettings(stop_timeout_s=0.2)) as camera:
        pid = camera.pid
        os.kill(pid, signal.SIGSTOP)
    assert is_gone(pid)
    assert camera.pid is None


_ORPHAN = """
import os, sys, time
from edge.cameras.process import ProcessCamera
from edge.settings.simulated import SimulatedSettings
camera = ProcessCamera(SimulatedSettings.model_validate_json(sys.argv[1]), "front")
camera.__enter__()
frame = camera.grab(30)
print(camera.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("state", ["sound", "hung", "stopped"])
def test_when_the_station_is_killed_the_child_goes_too(state: str) -> None:
    settings = faulty("hang", 1) if state == "hung" else simulated()
    shared = set(os.listdir("/dev/shm"))
    station = subprocess.Popen(
        [sys.executable, "-c", _ORPHAN, settings.model_dump_json()], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    with station:
        assert station.stdout is not None
        child = int(station.stdout.readline())
        if state == "stopped":
            os.kill(child, signal.SIGSTOP)
        assert not is_gone(child)
        station.kill()
        station.wait(PATIENCE_S)
    until(lambda: is_gone(child))
    assert set(os.listdir("/dev/shm")) <= shared


def test_the_child_knows_nothing_of_the_station(tmp_path: Path) -> None:
    """No engine, no MQTT, no vendor library: only what its kind of camera needs."""
    with ProcessCamera(folder(folder_of(tmp_path)), "front") as camera:
        next_frame(camera)
        loaded = Path(f"/proc/{camera.pid}/maps").read_text()
        command = Path(f"/proc/{camera.pid}/cmdline").read_text().split("\0")
    assert "onnxruntime" not in loaded
    assert "genapi" not in loaded.lower()
    assert command[1:4] == ["-m", "edge.cameras.child", "front"]


def test_the_child_runs_where_the_station_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path / "images")
    (tmp_path / "queue.py").write_text("raise SystemExit('imported from the working folder')")
    monkeypatch.chdir(tmp_path)
    with ProcessCamera(folder(Path("images")), "front") as camera:
        next_frame(camera)


def test_a_film_plays_as_fast_as_asked_without_loss(tmp_path: Path) -> None:
    film = video_of(tmp_path / "film.avi", 12, 1.0)
    with ProcessCamera(video(film, rate_hz=0, policy="every"), "front", ProcessSettings(slots=2)) as camera:
        assert [next_frame(camera).number for _ in range(12)] == list(range(12))
        assert camera.grab(0.05) is None
        assert camera.counters.lost == 0


def test_three_cameras_do_not_grow() -> None:
    cameras = [ProcessCamera(simulated(scene=n, size_wh=(160, 120), policy="every"), f"view{n}") for n in range(3)]
    with cameras[0], cameras[1], cameras[2]:
        last = [next_frame(camera).number for camera in cameras]

        def rounds(count: int) -> tuple[int, int, list[int]]:
            for _ in range(count):
                for index, camera in enumerate(cameras):
                    frame = next_frame(camera)
                    assert frame.number - last[index] == frame.lost_before + 1, "a gap that nobody explains"
                    last[index] = frame.number
            rss = [psutil.Process(camera.pid).memory_info().rss for camera in cameras]
            return len(open_files()), psutil.Process().memory_info().rss, rss

        files, own, theirs = rounds(60)
        files_after, own_after, theirs_after = rounds(240)
    assert files_after == files
    assert own_after - own < 4_000_000
    assert all(after - before < 4_000_000 for before, after in zip(theirs, theirs_after, strict=True))
