"""`lineclear-calibrate labels`, and the masks that it writes."""

import argparse
import json
import os

import cv2
import numpy as np
import pytest

from calibration.commands import labels as command
from calibration.labels import Labelled, LabelSet, Problem, read_labels, write_masks
from calibration.labels.shapes import rectangle
from calibration.labels.writing import folder_name
from edge.cli.terminal import Parser, run_command
from edge.errors import Cancelled, ConfigError
from tests.calibration.labels.making import RECT, SIZE, images, via_csv


def _run(*arguments) -> int:
    parser = Parser(prog="labels")
    command.add_arguments(parser)
    return run_command("labels", lambda: command.run(parser.parse_args([str(item) for item in arguments])))


@pytest.fixture
def source(tmp_path):
    photos = images(tmp_path / "photos", "a.png", "b.png")
    rows = [("a.png", "{}", 1, 0, RECT, {"label": "../chip: big"}), ("b.png", "{}", 0, 0, "{}", "{}")]
    return via_csv(photos / "via.csv", *rows)


def test_everything_read(source, capsys) -> None:
    assert _run(source) == 0
    out = capsys.readouterr().out
    assert "via.csv (via)" in out
    assert "good images  1" in out
    assert "bad images   1, of 1 the pixels are known, 1 regions" in out
    assert "problems     0" in out


def test_problems_are_listed_and_the_status_says_so(source, capsys) -> None:
    images(source.parent, "c.png")
    assert _run(source) == 1
    assert "c.png: has no label: label it" in capsys.readouterr().out


def test_bad_use(tmp_path, source, capsys) -> None:
    assert _run(tmp_path / "none") == 3
    assert _run(source, "--with-images") == 3
    assert _run(source, "--images", tmp_path / "none") == 3
    assert _run(source, "--mask-threshold", "0") == 3
    assert len(capsys.readouterr().err.splitlines()) == 4
    with pytest.raises(SystemExit) as caught:
        _run(source, "--format", "yolo")
    assert caught.value.code == 3


def test_json(tmp_path, source, capsys) -> None:
    images(source.parent, "c.png")
    assert _run(source, "--json", "--out", tmp_path / "out") == 1
    document = json.loads(capsys.readouterr().out)
    assert {key: document[key] for key in ("format", "good", "bad", "bad_with_pixels", "regions", "problems")} == {
        "format": "via",
        "good": 1,
        "bad": 1,
        "bad_with_pixels": 1,
        "regions": 1,
        "problems": 1,
    }
    assert document["masks_written"] == 1
    assert document["problem_list"][0]["what"] == "has no label"
    assert [item["label"] for item in document["images"]] == ["bad", "good"]


def test_masks_are_written_in_mvtecs_layout(tmp_path, source) -> None:
    assert _run(source, "--out", tmp_path / "out") == 0
    written = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.*"))
    assert [str(path) for path in written] == [f"ground_truth/{folder_name('../chip: big')}/a_mask.png"]
    pixels = cv2.imread(str(tmp_path / "out" / written[0]), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(pixels, read_labels(source).items[0].truth * np.uint8(255))


def test_with_the_images_it_is_a_set_of_its_own(tmp_path, source) -> None:
    assert _run(source, "--out", tmp_path / "out", "--with-images") == 0
    before, after = read_labels(source), read_labels(tmp_path / "out")
    assert after.format == "mvtec"
    assert not after.problems
    assert sorted(item.label for item in after.items) == ["bad", "good"]
    assert np.array_equal(after.bad[0].truth, before.bad[0].truth)


def test_an_empty_folder_is_taken_and_another_is_not_touched(tmp_path, source, capsys) -> None:
    (tmp_path / "empty").mkdir()
    assert _run(source, "--out", tmp_path / "empty") == 0
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    for name in ("full", "file", "empty"):
        assert _run(source, "--out", tmp_path / name) == 3
        assert "is there already and not an empty folder" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_nothing_half_written_stays(tmp_path, source) -> None:
    labels = read_labels(source)

    def stop(done: int, total: int, what: str = "") -> None:
        raise Cancelled("stopped")

    before = sorted(tmp_path.iterdir())
    with pytest.raises(Cancelled):
        write_masks(tmp_path / "out", labels, with_images=True, progress=stop)
    labels.items[0].path.unlink()
    with pytest.raises(ConfigError, match="cannot be written"):
        write_masks(tmp_path / "out", labels, with_images=True)
    assert sorted(tmp_path.iterdir()) == before


def test_a_place_that_cannot_be_written(tmp_path, source) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"cannot be written|not an empty folder"):
        write_masks(tmp_path / "file" / "out", read_labels(source))


def _item(path, kind="chip", label="bad", known=True) -> Labelled:
    return Labelled(path, label, kind, (rectangle(kind, 1, 1, 9, 9),) if known and label == "bad" else (), SIZE, known)


def test_two_images_of_one_name_do_not_overwrite_each_other(tmp_path) -> None:
    items = (_item(tmp_path / "x" / "a.png"), _item(tmp_path / "y" / "a.png"))
    with pytest.raises(ConfigError, match=r"would both be ground_truth/chip/a_mask\.png"):
        write_masks(tmp_path / "out", LabelSet(items, (), "via"))
    assert not (tmp_path / "out").exists()


def test_unknown_pixels_and_good_images_give_no_mask(tmp_path) -> None:
    items = (_item(tmp_path / "a.png", known=False), _item(tmp_path / "b.png", "good", "good"))
    assert write_masks(tmp_path / "out", LabelSet(items, (), "via")) == 0
    assert list((tmp_path / "out").iterdir()) == []


def test_a_defect_that_is_called_good_never_lands_among_the_good(tmp_path) -> None:
    write_masks(tmp_path / "out", LabelSet((_item(tmp_path / "a.png", "Good"),), (), "via"))
    assert (tmp_path / "out" / "ground_truth" / "Good_" / "a_mask.png").is_file()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("chip", "chip"),
        ("a+b", "a+b"),
        ("../../x", "_.._x"),
        ("..", "anomaly"),
        ("", "anomaly"),
        ("\x00\n", "_"),
        ("ü" * 99, "_"),
    ],
)
def test_a_label_never_becomes_a_path(kind, name) -> None:
    assert folder_name(kind) == name


def test_a_problem_is_one_line() -> None:
    assert str(Problem("via.csv", "row 3", "is no CSV", "export it again")) == "via.csv: row 3: is no CSV: export it again"
    assert str(Problem("a.png", "", "has no label", "label it")) == "a.png: has no label: label it"


def test_the_help_reads_like_a_manual() -> None:
    assert len(command.SUMMARY) < 60
    assert all(len(line) <= 128 for line in command.DESCRIPTION.splitlines())
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert "--images" in parser.format_help()


def test_what_a_label_says_cannot_break_the_report(tmp_path, capsys) -> None:
    photos = images(tmp_path, "a.png")
    via_csv(photos / "via.csv", ("a.png", "{}", 1, 0, RECT, {"label": "x\x1b[31m\nproblems 0"}))
    assert _run(photos / "via.csv") == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["pipe.csv", "pipe.json"])
def test_a_pipe_is_not_waited_for(tmp_path, capsys, name):
    os.mkfifo(tmp_path / name)
    assert _run(tmp_path / name) == 3
    assert "is no file" in capsys.readouterr().err
