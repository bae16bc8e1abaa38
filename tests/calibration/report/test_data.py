"""JSON, CSV, Markdown and terminal text."""

import csv
import io
import json
from dataclasses import replace

import pytest

from calibration.evaluate.comparing import compare
from calibration.evaluate.configurations import EIGHT, STATION
from calibration.evaluate.levels import Level
from calibration.evaluate.results import Sweep
from calibration.report import tables, write_comparison, write_evaluation, write_sweep
from calibration.report.document import comparison_document, evaluation_document, sweep_document
from calibration.report.markdown import best_line, configurations_markdown, table
from calibration.report.text import comparison_text, evaluation_text, sweep_text
from tests.calibration.evaluate.making import SHOTS, evaluation, mistake, row

UNDECIDED = row(STATION, (1.0, None, 5.0, 1.5), auroc=None, iou=None)
NOTHING = row(STATION, (None,) * 4, levels=(Level("max", "max", refused="0 usable good frames"),), auroc=None)


def parsed(data):
    return list(csv.DictReader(io.StringIO(data.decode())))


def strict(document):
    return json.loads(json.dumps(document, allow_nan=False))


def test_the_sweeps_document():
    document = strict(sweep_document(Sweep((evaluation(),), 0)))
    assert (document["kind"], document["schema"], document["what"]) == ("lineclear-report", 1, "sweep")
    (one,) = document["evaluations"]
    assert [each["code"] for each in one["configurations"]] == [each.code for each in EIGHT]
    assert one["best"] == [each.code for each in EIGHT].index("PRE+M+R")
    assert one["configurations"][0]["image_auroc"] == {"value": 0.75, "low": 0.5, "high": 1.0}
    assert one["configurations"][0]["good_refused"] == {"blurred.png": "similarity 0.1 < 0.5"}


def test_every_frame_has_its_verdict_in_every_configuration():
    (one,) = strict(sweep_document(Sweep((evaluation(),), 0)))["evaluations"]
    assert [each["name"] for each in one["frames"]] == [shot.name for shot in SHOTS]
    assert {name for each in one["frames"] for name in each["judged"]} == {each.code for each in EIGHT}
    assert one["frames"][3]["judged"]["PRE+M+R"] == {"score": 1.5, "verdict": "miss", "why": None}


def test_undefined_is_null_and_undecided_has_its_reason():
    one = strict(evaluation_document(evaluation([UNDECIDED])))["evaluation"]
    (configuration,) = one["configurations"]
    assert configuration["image_auroc"] == {"value": None, "low": None, "high": None}
    assert configuration["curves"]["pixel_roc"] is None
    assert one["frames"][1]["judged"]["PRE+M+R"] == {"score": None, "verdict": "undecided", "why": "not registered"}


def test_a_refused_method_has_no_numbers():
    one = strict(evaluation_document(evaluation()))["evaluation"]
    refused = one["configurations"][0]["methods"][1]
    assert refused["refused"] == "too few frames"
    assert refused["image_threshold"] is None
    assert refused["misses"] is None


def test_where_nothing_could_be_judged_there_is_no_verdict():
    one = strict(evaluation_document(evaluation([NOTHING])))["evaluation"]
    assert one["best"] is None
    assert one["frames"][0]["judged"]["PRE+M+R"]["verdict"] is None


def test_curves_of_the_document_are_finite(swept):
    document = strict(sweep_document(swept))
    curve = document["evaluations"][0]["configurations"][0]["curves"]["pixel_roc"]
    assert len(curve["x"]) == len(curve["y"]) > 10


def test_the_comparisons_document():
    a, b = evaluation([row(STATION, (1.0, 3.0, 5.0, 1.5))]), evaluation([row(STATION, (1.0, 2.0, 5.0, 9.0))])
    document = strict(comparison_document(compare(a, b)))
    assert document["what"] == "comparison"
    assert document["discords"][0] == {
        "name": "bad frames found", "both": 1, "only_a": 0, "only_b": 1, "neither": 0, "p_value": 1.0,
    }  # fmt: skip
    assert document["frames"][3]["a"] == "miss"


def test_a_line_for_each_configuration_and_method():
    lines = parsed(tables.configurations_csv((evaluation(),)))
    assert len(lines) == 8 * 2
    first = lines[0]
    assert (first["configuration"], first["method"], first["chosen"], first["false_alarms"]) == ("PO+M+R", "max", "True", "0")
    assert float(first["accuracy"]) == 0.75
    assert (first["image_auroc"], first["image_auroc_low"], first["image_auroc_high"]) == ("0.75", "0.5", "1.0")
    assert lines[1]["refused"] == "too few frames"
    assert lines[1]["accuracy"] == ""
    assert [line["configuration"] for line in lines if line["best"] == "True"] == ["PRE+M+R", "PRE+M+R"]


def test_a_line_for_each_frame_and_configuration():
    lines = parsed(tables.frames_csv((evaluation([UNDECIDED]), evaluation(title="second"))))
    assert len(lines) == 4 + 8 * 4
    assert (lines[1]["score"], lines[1]["verdict"], lines[1]["why"]) == ("", "undecided", "not registered")
    assert (lines[3]["verdict"], lines[3]["threshold"], lines[3]["label"]) == ("miss", "2.5", "bad")
    assert lines[-1]["bundle"] == "second"


def test_without_thresholds_a_frame_has_no_verdict_in_the_csv():
    assert {line["verdict"] for line in parsed(tables.frames_csv((evaluation([NOTHING]),)))} == {""}


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-1", "@x", "\tx"])
def test_a_name_is_no_formula(name):
    shots = (replace(SHOTS[0], name=name), *SHOTS[1:])
    lines = parsed(tables.frames_csv((evaluation([UNDECIDED], shots=shots),)))
    assert lines[0]["frame"] == f"'{name}"


def test_commas_quotes_line_breaks_and_torn_bytes_survive():
    shots = (replace(SHOTS[0], name='a,"b"\nc'), replace(SHOTS[1], name="torn \udcff"), *SHOTS[2:])
    lines = parsed(tables.frames_csv((evaluation([UNDECIDED], shots=shots),)))
    assert lines[0]["frame"] == 'a,"b"\nc'
    assert lines[1]["frame"] == "torn \\udcff"


def test_numbers_below_zero_stay_numbers():
    lines = parsed(tables.frames_csv((evaluation([row(STATION, (-1.5, -2.0, 5.0, 1.5))]),)))
    assert float(lines[0]["score"]) == -1.5


def test_the_pairs_of_a_comparison():
    a, b = evaluation([row(STATION, (1.0, 3.0, 5.0, 1.5))]), evaluation([row(STATION, (1.0, 2.0, 5.0, 9.0))])
    lines = parsed(tables.pairs_csv(compare(a, b)))
    assert [line["right"] for line in lines] == ["both", "only B", "both", "only B"]


def test_markdown_has_a_column_for_each_measured_configuration():
    rows = [row(each, measured_as=each.measured_as(True)) for each in EIGHT]
    lines = configurations_markdown(evaluation(rows)).splitlines()
    assert lines[0].count("|") == 6 + 2
    assert "PO+NM+R = PRE+NM+R" in lines[0]
    assert len({line.count("|") for line in lines}) == 1
    assert any(line.startswith("| AUROC image | 75.0 (50.0") for line in lines)


def test_markdown_without_masks_has_two_columns():
    rows = [row(each, measured_as=each.measured_as(False)) for each in EIGHT]
    assert configurations_markdown(evaluation(rows)).splitlines()[0] == "|  | R (no masks) | NR (no masks) |"


def test_the_best_in_one_line():
    assert best_line(evaluation()) == (
        "front: best PRE+M+R with max, 75.0 % right; 0 of 2 good alarmed, 1 of 2 bad missed, 0 undecided."
    )
    assert best_line(evaluation([NOTHING])) == "front: no configuration could be judged."


def test_a_bar_in_a_name_does_not_break_the_table():
    assert table(("a",), [("x|y",)]) == "| a |\n| --- |\n| x\\|y |\n"


def test_the_terminals_text():
    text = evaluation_text(evaluation())
    assert len(text.splitlines()[1].split()) >= 11
    assert "best: PRE+M+R with max: 75.0 % right (no interval); 0 of 2 good alarmed" in text
    assert "refused conformal 1 %: too few frames" in text
    assert "missed: bad/d.png" in text
    assert "no configuration could be judged" in evaluation_text(evaluation([NOTHING], mistakes=()))


def test_the_terminal_shows_no_control_characters():
    text = evaluation_text(evaluation(notes=("clear \x1b[2J the screen",)))
    assert "\x1b" not in text
    assert "clear \\x1b[2J the screen" in text


def test_several_bundles_in_the_terminal():
    text = sweep_text(Sweep((evaluation(), evaluation(title="second")), 1))
    assert "bundle variation-000000000001" in text
    assert text.endswith("best bundle: second\n")
    assert sweep_text(Sweep((evaluation(),), 0)) == evaluation_text(evaluation())


def test_the_comparison_in_the_terminal():
    a, b = evaluation([row(STATION, (1.0, 3.0, 5.0, 1.5))]), evaluation([row(STATION, (1.0, 2.0, 5.0, 9.0))])
    text = comparison_text(compare(a, b))
    assert "bad frames found: both 1, only A 0, only B 1, neither 0; McNemar's exact p 1" in text
    assert "only B: bad/d.png (A missed, B right)" in text


def test_each_report_is_written_with_its_files(tmp_path):
    both = compare(evaluation(), evaluation())
    documents = [
        write_sweep(tmp_path / "sweep", Sweep((evaluation(),), 0)),
        write_evaluation(tmp_path / "evaluation", evaluation()),
        write_comparison(tmp_path / "comparison", both),
    ]
    for name, document in zip(("sweep", "evaluation", "comparison"), documents, strict=True):
        written = json.loads((tmp_path / name / "report.json").read_bytes())
        assert written == strict(document)
        assert written["what"] == name
        assert (tmp_path / name / "index.html").read_bytes().startswith(b"<!doctype html>")


def test_columns_of_the_terminal_never_run_together():
    wide = row(STATION, auroc=None, iou=None, levels=(Level("card", "card (quantile 99.5 %, margin 2.5)", 2.5, 2.0),))
    lines = evaluation_text(evaluation([NOTHING, wide])).splitlines()
    assert lines[1].split()[:7] == ["PRE+M+R", *["undefined"] * 6]
    assert "75.0       card (quantile" in lines[2]
    assert "margin 2.5) 0/2" in lines[2]


def test_without_thresholds_the_terminal_says_why_once_for_each_method():
    text = evaluation_text(evaluation([NOTHING, NOTHING], mistakes=()))
    assert text.count("refused max: 0 usable good frames") == 1


@pytest.mark.parametrize(("count", "listed"), [(25, 25), (26, 25), (3000, 25)])
def test_thousands_of_mistakes_do_not_push_the_result_off_the_screen(count, listed):
    text = evaluation_text(evaluation(mistakes=(mistake(),) * count))
    assert text.count("missed: bad/d.png") == listed
    assert (f"and {count - listed} more that were not judged right" in text) == (count > listed)
