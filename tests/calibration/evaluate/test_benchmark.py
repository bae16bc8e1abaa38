"""The benchmark that fills docs/evaluation.md: its tables, its splits, and that the page holds nothing made by hand."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import leftovers, sweep_cases, sweep_cubes
from benchmarks.sweep import TASKS, by_camera, everything, gains, methods
from benchmarks.sweep_cases import COLOURS, Case, colour_of
from calibration.evaluate.configurations import EIGHT, STATION
from calibration.evaluate.levels import Level
from calibration.evaluate.results import Shot
from tests.calibration.evaluate.making import evaluation, row

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "evaluation.md").read_text()
CASE = Case("view", (), (), {})
BY_CODE = {each.code: each for each in EIGHT}
needs_data = pytest.mark.skipif(not (leftovers.DATA / "dobot_cubes").is_dir(), reason="shared/data is not there")


def cells(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.strip().splitlines()]


def eight(has_masks=True):
    return evaluation([row(each, measured_as=each.measured_as(has_masks)) for each in EIGHT])


def test_all_configurations_has_a_column_for_each_that_was_measured():
    head, _, *lines = cells(everything([(CASE, eight())]))
    assert head[2:] == ["PO+M+R", "PO+M+NR", "PRE+M+R", "PRE+NM+R", "PRE+M+NR", "PRE+NM+NR"]
    assert [line[1] for line in lines][:2] == ["AUROC image", "AUROC pixel"]
    assert lines[-1][:3] == ["view", "alarmed / missed / undecided", "0 / 1 / 0"]
    assert {len(line) for line in lines} == {len(head)}


def test_without_masks_only_registration_makes_a_difference():
    head, *_ = cells(everything([(CASE, eight(has_masks=False))]))
    assert head[2:] == ["PRE+NM+R", "PRE+NM+NR"]


def test_gains_stand_beside_each_other():
    worse = row(BY_CODE["PRE+M+NR"], (9.0, 2.0, 5.0, None), auroc=None)
    head, _, line = cells(gains([(CASE, evaluation([row(STATION), worse]))], "PRE+M+R", "PRE+M+NR"))
    assert head[1:3] == ["AUROC image PRE+M+R", "PRE+M+NR"]
    assert line[1:3] == ["75.0", "undefined"]
    assert line[-2:] == ["0 / 1 / 0", "1 / 0 / 1"]


def test_frames_are_counted_by_what_the_camera_did():
    names = ("good/still-a.png", "good/nudged-a.png", "leftover/still-b.png", "leftover/nudged-b.png")
    shots = tuple(Shot(name, name, name.startswith("leftover"), "x") for name in names)
    both = [row(STATION), row(BY_CODE["PRE+M+NR"], (1.0, 9.0, None, 5.0))]
    lines = cells(by_camera([(CASE, evaluation(both, shots=shots))]))[2:]
    assert lines == [
        ["PRE+M+R", "still", "0/1", "0/1", "0/2"],
        ["PRE+M+R", "nudged", "0/1", "1/1", "0/2"],
        ["PRE+M+NR", "still", "0/1", "0/1", "1/2"],
        ["PRE+M+NR", "nudged", "1/1", "0/1", "0/2"],
    ]


def test_methods_are_summed_over_the_views_and_refusals_counted():
    refused = row(STATION, levels=(Level("max", "max", refused="too few"), Level("conformal", "conformal 1 %", refused="few")))
    lines = cells(methods([(CASE, evaluation([row(STATION)])), (CASE, evaluation([refused]))], "PRE+M+R"))[2:]
    assert lines == [["max", "0/2", "1/2", "1 of 2", "too few"], ["conformal 1 %", "", "", "2 of 2", "too few frames"]]


def test_masks_that_are_black_where_it_is_bad_are_turned_round(tmp_path):
    mask = np.full((8, 9), 255, np.uint8)
    mask[2:4, 3:5] = 0
    for name in ("frame.png", "mask.png"):
        assert cv2.imwrite(str(tmp_path / name), mask)
    test, truth = {"speck": [("a.png", tmp_path / "frame.png")]}, {"speck": [("a.bmp", tmp_path / "mask.png")]}
    labelled, _ = Case("x", (), (), test, truth, black_is_bad=True).lay_out(tmp_path / "turned")
    written = cv2.imread(str(labelled / "ground_truth" / "speck" / "a.png"), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(written > 0, mask == 0)
    labelled, _ = Case("x", (), (), test, truth).lay_out(tmp_path / "as-it-is")
    assert (labelled / "ground_truth" / "speck" / "a.bmp").resolve() == tmp_path / "mask.png"


@pytest.mark.parametrize(("name", "rgb"), [("yellow", (230, 220, 40)), ("green", (90, 150, 50)), ("red", (200, 60, 55)),
                                           ("blue", (30, 120, 220))])  # fmt: skip
def test_the_colour_of_a_cube_is_read_off_its_face(tmp_path, name, rgb):
    image = np.full((480, 640, 3), 120, np.uint8)
    image[180:360, 220:420] = rgb[::-1]
    cv2.circle(image, (300, 260), 22, (70, 70, 70), -1)
    assert cv2.imwrite(str(tmp_path / "cube.png"), image)
    assert colour_of(tmp_path / "cube.png") == name


@needs_data
def test_no_frame_is_on_both_sides_of_a_split():
    for make in (sweep_cases.dobot_cases, sweep_cases.cube_cases, sweep_cases.hazelnut_cases, sweep_cases.piped_cases):
        for case in make():
            judged = {path for named in case.test.values() for _, path in named}
            sides = (set(case.build), set(case.good), judged)
            assert sum(map(len, sides)) == len(set.union(*sides)), case.name
            assert all(sides), case.name


@needs_data
def test_each_colour_of_cube_is_a_case_with_frames_enough():
    cases = list(sweep_cases.cube_cases())
    assert [case.name for case in cases] == list(COLOURS)
    assert sum(len(case.test["sticker"]) for case in cases) == 36
    assert all(len(case.build) >= 5 and len(case.good) >= 5 for case in cases)


@needs_data
def test_the_spread_of_four_colours_is_far_wider_on_the_cube_than_behind_it():
    (case,) = sweep_cases.dobot_cases()
    lines = {name: (float(face), float(behind)) for name, face, behind in cells(sweep_cubes.spreads(case))[2:]}
    assert lines["red minus green"][0] > 5 * lines["red minus green"][1]
    assert lines["light"][0] < 2 * lines["light"][1]


def test_the_page_has_only_tables_that_a_command_fills():
    """`benchmarks.sweep TASK` fills its own; those of `trained ...` come from benchmarks.upstream.trained."""
    blocks = re.findall(r"<!-- ([\w ]+): ([^>]+?) -->(.*?)<!-- end -->", PAGE, re.S)
    trained = {task for task, _, _ in blocks if task.startswith("trained ")}
    assert {task for task, _, _ in blocks} - trained == set(TASKS)
    assert trained == {"trained record", "trained leftovers", "trained hazelnut"}
    assert len(blocks) >= 15
    assert "lead:" not in PAGE
    for task, section, inside in blocks:
        assert inside.strip().startswith("| "), f"{task}: {section} is empty"
    by_hand = re.sub(r"<!-- [\w ]+: [^>]+? -->.*?<!-- end -->", "", PAGE.split("# On real images")[1], flags=re.S)
    assert "\n|" not in by_hand, "a table of figures without the command that gives it"
