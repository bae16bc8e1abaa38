"""Video files through OpenCV; devices and streams as far as a machine without them can tell."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pydantic import ValidationError

from edge.cameras.video import VideoCamera
from edge.errors import CameraLost, CameraRefused
from edge.settings.cameras import VideoSettings, frame_period_s, is_pulled, longest_call_s, source_key
from tests.cameras.making import video, video_of
from tests.contracts.camera import next_frame


def brightness(frame: object) -> int:
    return round(float(frame.image[:20, :, 0].mean()) / 20)


def test_frames_are_rgb_in_order_and_end_once(tmp_path: Path) -> None:
    with VideoCamera(video(video_of(tmp_path / "a.avi", 6), rate_hz=0), "front") as camera:
        frames = [next_frame(camera) for _ in range(6)]
        assert camera.grab(0.01) is None
        assert camera.grab(0.01) is None
    assert [brightness(frame) for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert frames[5].image[5, 5, 0] > frames[5].image[5, 5, 2] + 40, "red and blue are swapped"


def test_a_loop_starts_over_and_numbers_go_on(tmp_path: Path) -> None:
    with VideoCamera(video(video_of(tmp_path / "a.avi", 3), loop=True, rate_hz=0), "front") as camera:
        frames = [next_frame(camera) for _ in range(8)]
    assert [brightness(frame) for frame in frames] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert [frame.number for frame in frames] == list(range(8))


def test_it_plays_at_the_rate_of_the_file(tmp_path: Path) -> None:
    with VideoCamera(video(video_of(tmp_path / "a.avi", 4, rate_hz=25)), "front") as camera:
        times_ns = [next_frame(camera).grabbed_ns for _ in range(4)]
    assert times_ns[3] - times_ns[0] >= 3 * 0.035e9


def test_what_is_no_video_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CameraRefused, match="file not found"), VideoCamera(video(tmp_path / "none.avi"), "front"):
        pass
    (tmp_path / "text.avi").write_text("hello")
    with pytest.raises(CameraLost, match="cannot be opened"), VideoCamera(video(tmp_path / "text.avi"), "front"):
        pass


def test_a_device_that_is_not_there_is_lost() -> None:
    with pytest.raises(CameraLost, match=r"/dev/video97: cannot be opened"):
        VideoCamera(VideoSettings(source="/dev/video97"), "front").__enter__()


def test_a_stream_that_nobody_serves_is_lost_and_its_password_stays_secret(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        secret = tmp_path / "credentials"
        secret.write_text("operator:p@ss/word\n")
        secret.chmod(0o600)
        settings = VideoSettings(
            source=f"rtsp://127.0.0.1:{closed.getsockname()[1]}/line", credentials_file=secret, open_timeout_s=2
        )
        camera = VideoCamera(settings, "front")
        assert "operator:p%40ss%2Fword@127.0.0.1" in camera._address()
        with pytest.raises(CameraLost, match="cannot be opened") as caught:
            camera.__enter__()
    assert "word" not in str(caught.value)


def test_a_credentials_file_must_be_what_it_says(tmp_path: Path) -> None:
    said = {"none": "", "shared": "operator:secret", "odd": "no colon"}
    for name, text in said.items():
        if text:
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o640 if name == "shared" else 0o600)
    for file, words in (
        (tmp_path / "none", "file not found"),
        (tmp_path / "shared", "can be read by others than its owner"),
        (tmp_path / "odd", "not one line"),
    ):
        settings = VideoSettings(source="rtsp://127.0.0.1/line", credentials_file=file)
        with pytest.raises(CameraRefused, match=words):
            VideoCamera(settings, "front").__enter__()


def test_a_mode_that_the_source_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CameraRefused, match="gives 64x48, not 80x60"):
        VideoCamera(video(video_of(tmp_path / "a.avi"), size_wh=(80, 60)), "front").__enter__()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"source": "rtsp://user:secret@host/x"}, "password does not belong here"),
        ({"source": "/dev/video0", "loop": True}, "belong to video files"),
        ({"source": "rtsp://host/x", "rate_hz": 5.0}, "belong to video files"),
        ({"source": "film.avi", "device_hz": 30.0}, "V4L2"),
        ({"source": "film.avi", "credentials_file": "x"}, "stream"),
    ],
)
def test_settings_that_contradict_themselves(keys: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        VideoSettings.model_validate(keys)


def test_what_follows_from_the_source() -> None:
    film, device = VideoSettings(source="film.avi", rate_hz=0), VideoSettings(source="/dev/video0")
    assert (is_pulled(film), is_pulled(device)) == (True, False)
    assert (frame_period_s(film), frame_period_s(device)) == (None, 5.0)
    assert (longest_call_s(film), longest_call_s(device)) == (0.0, 5.0)
    assert (source_key(film), source_key(device)) == (None, "video /dev/video0")
