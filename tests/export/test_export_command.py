from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bundle import open_bundle
from export.__main__ import main
from tests.export.scenes import frames, scene, write

BSDATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "bsdata"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("good"), frames(6, scene(size_wh=(320, 208))))


def _export(images: Path, out: Path, *more: str) -> int:
    return main(["variation", "--images", str(images), "--out", str(out), *more])


def _refused(capsys: pytest.CaptureFixture[str], images: Path, out: Path, *more: str) -> str:
    assert _export(images, out, "--quiet", *more) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert not out.exists()
    return said.err


def test_a_folder_becomes_a_bundle(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _export(good, tmp_path / "bundle") == 0
    bundle = open_bundle(tmp_path / "bundle")
    assert capsys.readouterr().out.startswith(bundle.name)
    training = bundle.manifest.training
    assert set(training.sha256) == {hashlib.sha256(path.read_bytes()).hexdigest() for path in good.iterdir()}
    assert bundle.manifest.size_wh == (160, 104)


def test_options_reach_the_manifest(good: Path, tmp_path: Path) -> None:
    options = ("--size", "200x130", "--window", "9", "--registration", "none", "--reference", str(good / "3.png"))
    assert _export(good, tmp_path / "b.zip", *options) == 0
    manifest = open_bundle(tmp_path / "b.zip").manifest
    assert manifest.size_wh == (200, 130)
    assert manifest.score.window == 9
    assert manifest.parameters["registration"] == "none"


def test_max_megapixels_bounds_the_size(good: Path, tmp_path: Path) -> None:
    assert _export(good, tmp_path / "b", "--max-megapixels", "0.01", "--quiet") == 0
    width, height = open_bundle(tmp_path / "b").manifest.size_wh
    assert width * height <= 10_200


def test_masked_areas_do_not_guide_the_registration(good: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks.yaml"
    masks.write_text("schema: 1\nmasks:\n  - name: belt\n    points: [[0, 0], [0.3, 0], [0.3, 1], [0, 1]]\n")
    assert _export(good, tmp_path / "b", "--masks", str(masks)) == 0


def test_a_refused_frame_is_told_and_left_out(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    for path in good.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    cv2.imwrite(str(folder / "zz-covered.png"), np.full((208, 320, 3), 80, np.uint8))
    assert _export(folder, tmp_path / "bundle") == 0
    said = capsys.readouterr()
    assert "refused zz-covered.png: could not be registered" in said.err
    assert "6 of 7 frames" in said.out
    assert open_bundle(tmp_path / "bundle").manifest.training.images == 6


def test_empty_and_missing_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert f"{empty}: holds no image" in _refused(capsys, empty, tmp_path / "b")
    assert "No such file" in _refused(capsys, tmp_path / "nowhere", tmp_path / "b")


def test_two_images_are_too_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "two", frames(2, scene(size_wh=(320, 208))))
    assert "2 usable good frames" in _refused(capsys, folder, tmp_path / "b")


def test_a_text_file_named_png_is_named(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "text", frames(5, scene(size_wh=(320, 208))))
    (folder / "2.png").write_text("not an image")
    assert str(folder / "2.png") in _refused(capsys, folder, tmp_path / "b")


def test_mixed_sizes_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "mixed", frames(5, scene(size_wh=(320, 208))))
    cv2.imwrite(str(folder / "9.png"), np.zeros((100, 100, 3), np.uint8))
    assert "9.png: is 100x100 colour, the reference is 320x208 colour" in _refused(capsys, folder, tmp_path / "b")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--size", "big"), "--size"),
        (("--size", "4x4"), "--size"),
        (("--size", "321x208"), "--size"),
        (("--size", "100x60", "--max-megapixels", "1"), "--max-megapixels"),
        (("--max-megapixels", "0"), "--max-megapixels"),
        (("--max-megapixels", "nan"), "--max-megapixels"),
        (("--window", "8"), "--window"),
        (("--window", "-3"), "--window"),
        (("--window", "501"), "--window"),
        (("--reference", "nowhere.png"), "nowhere.png"),
        (("--masks", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_bad_options_are_one_line(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], word: str
) -> None:
    assert word in _refused(capsys, good, tmp_path / "b", *options)


def test_nothing_is_written_over_a_strangers_folder(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    assert _export(good, tmp_path, "--quiet") == 3
    assert "is no bundle" in capsys.readouterr().err
    assert (tmp_path / "mine.txt").read_text() == "keep"


@pytest.mark.parametrize("arguments", [[], ["variation"], ["nonsense"], ["variation", "--images", "x", "--out", "y", "--what"]])
def test_bad_use_is_one_line_and_exit_3(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 3
    assert capsys.readouterr().err.count("\n") == 1


def test_help_reads_like_a_manual_page(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["variation", "--help"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 0
        page = capsys.readouterr().out
        assert "exit status:" in page
        assert "lineclear-export variation --images" in page


@pytest.mark.slow
@pytest.mark.skipif(not BSDATA.is_dir(), reason=f"{BSDATA} is absent")
def test_real_frames_through_the_real_command(tmp_path: Path) -> None:
    folder = tmp_path / "good"
    folder.mkdir()
    for path in sorted((BSDATA / "277500_315" / "train" / "good").iterdir())[:15]:
        (folder / path.name).write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "export", "variation", "--images", str(folder), "--out", str(tmp_path / "bundle")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "15 of 15 frames  565x230" in done.stdout
    assert "\r" not in done.stderr
    assert open_bundle(tmp_path / "bundle").manifest.family == "variation"


def test_torch_is_not_needed() -> None:
    script = (
        "import sys; sys.modules['torch'] = None; import export.__main__, export.commands.variation, export.commands.comparison"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0
