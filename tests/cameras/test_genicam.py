"""GenicamCamera against the producer that the genicam package ships. It lets one process open its system once at a time."""

import os
import signal
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edge.cameras import buffers
from edge.cameras.base import Camera
from edge.cameras.genicam import GenicamCamera
from edge.errors import CameraLost, CameraRefused, FrameError
from edge.settings.genicam import GenicamSettings

pytest.importorskip("harvesters", reason="GenICam support is not installed")
pytest.importorskip("genicam", reason="GenICam support is not installed")

WAIT_S = 10.0
RED, GREEN, BLUE = "0", "1", "2"


def camera(serial: str = RED, **settings) -> GenicamCamera:
    return GenicamCamera(GenicamSettings(**{"serial": serial, "producers": ("viky",), **settings}), "front")


def grab(subject: GenicamCamera):
    frame = subject.grab(WAIT_S)
    assert frame is not None
    return frame


@pytest.fixture(autouse=True)
def nothing_left_in_the_temporary_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []


def test_streams_mono_at_the_size_and_rate_of_the_config() -> None:
    with camera(size_wh=(640, 480), pixel_format="Mono8", frame_rate_hz=100, policy="every") as subject:
        assert isinstance(subject, Camera)
        before_ns = time.monotonic_ns()
        frames = [grab(subject) for _ in range(12)]
        elapsed_s = (time.monotonic_ns() - before_ns) / 1e9
    assert {frame.image.shape for frame in frames} == {(480, 640)}
    assert [frame.number for frame in frames] == list(range(frames[0].number, frames[0].number + 12))
    assert {frame.lost_before for frame in frames} == {0}
    assert elapsed_s > 11 * 0.008, "the frame rate was not set"
    last = frames[-1]
    assert (last.view, last.camera, last.is_simulated, last.device_ns) == ("front", "Viky 0", True, None)
    assert before_ns < frames[0].grabbed_ns < last.grabbed_ns < time.monotonic_ns()
    assert last.grabbed_at.utcoffset() is not None
    assert not last.image.flags.writeable


@pytest.mark.parametrize(("serial", "ball"), [(RED, (255, 0, 0)), (GREEN, (0, 255, 0)), (BLUE, (0, 0, 255))])
def test_serial_selects_the_camera_and_colours_are_rgb(serial, ball) -> None:
    with camera(serial, pixel_format="RGBa8") as subject:
        image = grab(subject).image
        assert subject.info.serial == serial
    assert image.shape == (400, 400, 3)
    assert {tuple(colour) for colour in np.unique(image.reshape(-1, 3), axis=0).tolist()} == {(255, 255, 255), ball}


def test_frames_own_their_pixels() -> None:
    with camera(pixel_format="Mono8", frame_rate_hz=200, buffers=3, policy="every") as subject:
        first = grab(subject).image
        kept = first.copy()
        later = [grab(subject).image for _ in range(12)]
    assert any((image != kept).any() for image in later), "the ball does not move"
    np.testing.assert_array_equal(first, kept)


def test_grabs_into_memory_of_the_caller() -> None:
    ring = np.full((3, 400, 400, 3), 7, np.uint8)
    with camera() as subject:
        frame = subject.grab_into(WAIT_S, lambda shape: ring[1].reshape(shape))
        assert frame is not None
        assert frame.image.base is ring
        assert (ring[1] == grab(subject).image).mean() > 0.99
    assert (ring[0] == 7).all()
    assert (ring[2] == 7).all()


def overflow(subject: GenicamCamera, held: int):
    """The first frames after nobody came for so long that the producer had to drop some."""
    for _ in range(50):
        time.sleep(0.1)  # the slow consumer itself
        frames = [grab(subject) for _ in range(held + 2)]
        if any(frame.lost_before for frame in frames):
            return frames
    raise AssertionError("no frame was ever lost")


def test_every_hands_over_the_oldest_first_and_counts_the_gap() -> None:
    with camera(frame_rate_hz=200, buffers=3, policy="every") as subject:
        grab(subject)
        frames = overflow(subject, held=3)
    assert frames[0].lost_before == 0, "the stale frames come first"
    for before, after in pairwise(frames):
        assert after.lost_before == after.number - before.number - 1


def test_newest_hands_over_a_fresh_frame() -> None:
    with camera(frame_rate_hz=200, buffers=3) as subject:
        before = grab(subject)
        frames = overflow(subject, held=3)
    assert frames[0].lost_before > 0, "what lay in the queue was handed over"
    assert frames[0].number > before.number


def test_damaged_buffers_are_counted_once() -> None:
    with camera(pixel_format="Mono8", frame_rate_hz=200, policy="every") as subject:
        grab(subject)
        acquirer = subject._acquirer.images
        acquirer._emit_callbacks(acquirer.Events.INCOMPLETE_BUFFER)
        subject._ids.missing_before(subject._ids._last - 1)  # as if the id before had been skipped
        frame = grab(subject)
        assert (frame.incomplete_before, frame.lost_before) == (1, 0)
        frame = grab(subject)
        assert (frame.incomplete_before, frame.lost_before) == (0, 0)


def test_several_components_give_the_image() -> None:
    features = [("ComponentSelector", "Range"), ("ComponentEnable", True), ("ComponentSelector", "Intensity")]
    with camera(features=tuple({"name": name, "value": value} for name, value in features)) as subject:
        image = grab(subject).image
    assert {tuple(colour) for colour in np.unique(image.reshape(-1, 3), axis=0).tolist()} == {(255, 255, 255), (255, 0, 0)}


def test_silence_is_none_and_not_an_error() -> None:
    with camera(frame_rate_hz=200) as subject:
        grab(subject)
        subject._acquirer.images.remote_device.node_map.AcquisitionStop.execute()
        while subject.grab(0.05) is not None:
            pass
        assert subject.grab(1e-9) is None
        assert subject.grab(0.3) is None


def test_producer_gets_the_buffers_of_the_config() -> None:
    with camera(buffers=11) as subject:
        assert subject._acquirer.stream.num_announced == 11


def test_device_closed_underneath_is_lost_at_once_and_leaves_cleanly(capfd) -> None:
    with camera() as subject:
        grab(subject)
        subject._acquirer.images.device.module.close()
        with pytest.raises(CameraLost, match='camera "0": it does not answer'):
            subject.grab(WAIT_S)
        with pytest.raises(CameraLost, match='camera "0"'):
            subject.grab(WAIT_S)
    with camera() as again:
        grab(again)
    assert capfd.readouterr().err == "", "harvesters prints its own tracebacks"


def test_frame_that_is_not_whole_is_an_invalid_frame(monkeypatch) -> None:
    with camera(pixel_format="Mono8", frame_rate_hz=10, policy="every") as subject:
        first = grab(subject)
        real = buffers._info
        monkeypatch.setattr(
            buffers, "_info", lambda raw, name, vendor: 100 if name == "size_filled" else real(raw, name, vendor)
        )
        with pytest.raises(FrameError, match='camera "0": 100 of 160000 bytes arrived'):
            subject.grab(WAIT_S)
        monkeypatch.undo()
        after = grab(subject)
        assert after.number > first.number
        assert after.lost_before == after.number - first.number - 2, "the invalid frame was counted again"


def test_format_that_was_not_asked_for_is_refused() -> None:
    with camera(pixel_format="Mono8") as subject:
        grab(subject)
        subject._acquirer.images.remote_device.node_map.PixelFormat.value = "RGBa8"
        with pytest.raises(CameraRefused, match='camera "0": it sends RGBa8 though Mono8 is set'):
            [grab(subject) for _ in range(100)]  # those that were on their way come first


class Recorder:
    def __init__(self) -> None:
        self.executed: list[str] = []

    def execute(self, name: str) -> None:
        self.executed.append(name)

    def read(self, name: str) -> None:
        return None


def test_software_trigger_drops_what_earlier_triggers_left() -> None:
    with camera(frame_rate_hz=200) as subject:
        grab(subject)
        subject.trigger()
        recorder = Recorder()
        subject._acquirer = replace(subject._acquirer, features=recorder)
        subject.trigger()
        assert recorder.executed == [], "a camera that runs freely takes no trigger"
        subject._settings = subject._settings.model_copy(
            update={"trigger": subject._settings.trigger.model_copy(update={"mode": "software"})}
        )
        deadline = time.monotonic() + WAIT_S
        while not subject._waiting() and time.monotonic() < deadline:
            time.sleep(0.005)
        subject._acquirer.images.remote_device.node_map.AcquisitionStop.execute()
        assert subject._waiting()
        subject.trigger()
        assert recorder.executed == ["TriggerSoftware"]
        assert not subject._waiting()
        assert subject.grab(0.02) is None


@pytest.mark.parametrize(
    ("settings", "kind", "says"),
    [
        (
            {"serial": "99"},
            CameraLost,
            'camera "99": is not there; cameras seen: "0" (Machine Vision Games Ltd. Viky, free), "1"',
        ),
        ({"size_wh": (5000, 100)}, CameraRefused, 'camera "0": Width: does not take 5000: allowed: 100 to 800'),
        ({"pixel_format": "Mono12"}, CameraRefused, "allowed: RGBa8, Mono8"),
        ({"exposure_us": 100}, CameraRefused, "ExposureTime: the camera has no such feature"),
        ({"frame_rate_hz": 201}, CameraRefused, "AcquisitionFrameRate: does not take 201: allowed: 1 to 200"),
        ({"features": ({"name": "Widht", "value": 3},)}, CameraRefused, "did you mean Width?"),
        ({"features": ({"name": "PayloadSize", "value": 3},)}, CameraRefused, "cannot be changed"),
        ({"features": ({"name": "ComponentSelector", "value": "Range"},)}, CameraRefused, "'Coord3D_ABC32f_Planar' cannot"),
        ({"trigger": {"mode": "software"}}, CameraRefused, "TriggerMode: the camera has no such feature"),
    ],
)
def test_refusals_name_camera_feature_and_remedy(settings, kind, says) -> None:
    with pytest.raises(kind) as caught:
        camera(**settings).__enter__()
    assert says in str(caught.value)


def test_optional_features_may_be_missing() -> None:
    with camera(features=({"name": "DeviceLinkThroughputLimit", "value": 1, "required": False},)) as subject:
        grab(subject)


@pytest.mark.parametrize("before", [None, "/elsewhere"])
def test_process_is_left_as_it_was(monkeypatch, before) -> None:
    if before:
        monkeypatch.setenv("HARVESTERS_XML_FILE_DIR", before)
    else:
        monkeypatch.delenv("HARVESTERS_XML_FILE_DIR", raising=False)
    handler = signal.getsignal(signal.SIGINT)
    inside = camera()
    with inside as subject:
        assert signal.getsignal(signal.SIGINT) is handler
        assert os.environ.get("HARVESTERS_XML_FILE_DIR") == before
        assert os.listdir(tempfile.gettempdir()) == [], "a killed process would leave this behind"
        grab(subject)
    inside.__exit__(None, None, None)
    assert not Path("/elsewhere").exists()


def test_closed_camera_is_lost() -> None:
    subject = camera()
    with pytest.raises(CameraLost, match="it is not open"):
        subject.grab(WAIT_S)
    with subject:
        grab(subject)
    with pytest.raises(CameraLost, match="it is not open"):
        subject.grab(WAIT_S)
    with pytest.raises(CameraLost, match="it is not open"):
        subject.trigger()
