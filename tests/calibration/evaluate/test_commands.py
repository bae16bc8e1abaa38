"""The commands as a person calls them; the real engine, the real files."""

import importlib
import json
import shutil

import cv2
import pytest

from calibration.methods import Method
from calibration.thresholds import Signature, take_thresholds
from edge.cli.terminal import Parser, run_command
from tests.calibration.evaluate.making import engine_of, frame
from tests.calibration.scene import write


def call(name, *arguments):
    module = importlib.import_module(f"calibration.commands.{name}")

    def command():
        parser = Parser(prog=f"lineclear-calibrate {name}")
        module.add_arguments(parser)
        return module.run(parser.parse_args([str(each) for each in arguments]))

    return run_command(f"lineclear-calibrate {name}", command)


@pytest.fixture(scope="module")
def with_card(built, masked, tmp_path_factory):
    """The masked recipe with thresholds."""
    path = shutil.copytree(masked.path, tmp_path_factory.mktemp("card") / "front")
    signature = Signature(who="A. Meier", why="test")
    take_thresholds(path, built / "good", Method(kind="max"), signature, open_engine=engine_of)
    return path


def test_each_command_says_what_it_is():
    for name in ("evaluate", "sweep", "compare"):
        module = importlib.import_module(f"calibration.commands.{name}")
        assert module.SUMMARY
        assert "docs/evaluation.md" in module.DESCRIPTION


def test_evaluate_writes_the_report_and_says_what_came_out(with_card, labelled, tmp_path, capsys):
    out = tmp_path / "report"
    assert call("evaluate", "--recipe", with_card, "--labels", labelled, "--rounds", 20, "--out", out) == 0
    text = capsys.readouterr().out
    assert "PRE+M+R" in text
    assert "0 of 6 good alarmed, 1 of 5 bad missed, 0 undecided" in text
    assert "missed: leftover/04.png" in text
    assert f"report: {out / 'index.html'}" in text
    assert sorted(path.name for path in out.iterdir()) == ["configurations.csv", "frames.csv", "index.html", "report.json"]


def test_evaluate_as_json(with_card, labelled, capsys):
    assert call("evaluate", "--recipe", with_card, "--labels", labelled, "--rounds", 0, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["what"]) == ("lineclear-report", "evaluation")
    (configuration,) = document["evaluation"]["configurations"]
    assert configuration["code"] == "PRE+M+R"
    assert configuration["methods"][0]["kind"] == "card"
    assert document["evaluation"]["frames"][0]["judged"]["PRE+M+R"]["verdict"] == "right"


def test_sweep_writes_the_report(masked, built, labelled, tmp_path, capsys):
    out = tmp_path / "report"
    arguments = ("--recipe", masked.path, "--good", built / "good", "--labels", labelled, "--rounds", 20, "--out", out)
    assert call("sweep", *arguments) == 0
    text = capsys.readouterr().out
    for code in ("PO+M+R", "PRE+NM+NR"):
        assert code in text
    assert "best: PRE+M+R with max: 90.9 % right" in text
    assert "refused conformal 1 %: 8 frames cannot promise" in text
    assert json.loads((out / "report.json").read_text())["what"] == "sweep"


def test_a_methods_parameter_is_taken(masked, built, labelled, capsys):
    arguments = ("--recipe", masked.path, "--good", built / "good", "--labels", labelled, "--rounds", 0, "--json")
    assert call("sweep", *arguments, "--alpha", 0.2, "--sigma", 5) == 0
    (evaluation,) = json.loads(capsys.readouterr().out)["evaluations"]
    methods = {each["kind"]: each for each in evaluation["configurations"][4]["methods"]}
    assert methods["conformal"]["image_threshold"] is not None
    assert methods["sigma"]["name"] == "sigma 5"


def test_sweep_of_several_bundles(masked, built, labelled, tmp_path, capsys):
    export = pytest.importorskip("export.__main__")
    other = tmp_path / "other"
    arguments = ["--images", str(built / "train"), "--out", str(other), "--size", "120x80", "--quiet"]
    assert export.main(["variation", *arguments]) == 0
    capsys.readouterr()
    bundles = (built / "bundle", other)
    shared = ("--recipe", masked.path, "--good", built / "good", "--labels", labelled, "--rounds", 0)
    assert call("sweep", *shared, "--bundle", *bundles) == 0
    text = capsys.readouterr().out
    assert text.count("bundle variation-") == 2
    assert "best bundle: variation-" in text


def test_compare_two_recipes(with_card, built, labelled, tmp_path, capsys):
    bare = shutil.copytree(built / "recipe", tmp_path / "bare")
    take_thresholds(bare, built / "good", Method(kind="max"), Signature(who="B", why="x"), open_engine=engine_of)
    out = tmp_path / "report"
    assert call("compare", with_card, bare, "--labels", labelled, "--rounds", 0, "--out", out) == 0
    text = capsys.readouterr().out
    assert "bad frames found: both 4, only A 0, only B 1, neither 0; McNemar's exact p 1" in text
    assert "good frames passed: both 4, only A 2, only B 0, neither 0; McNemar's exact p 0.5" in text
    assert "only B: leftover/04.png (A missed, B right)" in text
    assert sorted(path.name for path in out.iterdir()) == ["frames.csv", "index.html", "report.json"]


def test_compare_bundles_with_a_recipe(masked, built, labelled, tmp_path, capsys):
    other = shutil.copytree(built / "bundle", tmp_path / "copy")
    shared = ("--labels", labelled, "--rounds", 0, "--good", built / "good", "--method", "max")
    assert call("compare", built / "bundle", other, "--recipe", masked.path, *shared, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert all(each["only_a"] == each["only_b"] == 0 for each in document["discords"])
    assert [each["kind"] for each in document["a"]["configurations"][0]["methods"]] == ["max"]


def test_compare_a_bundle_needs_a_recipe(built, labelled, capsys):
    assert call("compare", built / "bundle", built / "bundle", "--labels", labelled) == 3
    assert "name that recipe with --recipe" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--rounds", "-1"), "-1 rounds are not possible"),
        (("--alpha", "7"), "alpha"),
        (("--threads", "0"), "threads"),
        (("--format", "xml"), "invalid choice"),
    ],
)
def test_bad_options_are_one_line(with_card, labelled, arguments, words, capsys):
    try:
        status = call("evaluate", "--recipe", with_card, "--labels", labelled, *arguments)
    except SystemExit as error:
        status = error.code
    assert status == 3
    complaint = capsys.readouterr().err
    assert words in complaint
    assert complaint.count("\n") == 1


def test_a_report_folder_of_someone_else_is_refused_before_any_work(with_card, labelled, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("precious")
    assert call("evaluate", "--recipe", with_card, "--labels", labelled, "--out", tmp_path) == 3
    complaint = capsys.readouterr().err
    assert "holds something that is no report of ours" in complaint
    assert complaint.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_report_folder_that_cannot_be_written_is_one_line(with_card, labelled, tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    assert call("evaluate", "--recipe", with_card, "--labels", labelled, "--out", tmp_path / "file" / "report") == 3
    complaint = capsys.readouterr().err
    assert "the report cannot be written" in complaint
    assert complaint.count("\n") == 1


def test_a_second_report_takes_the_place_of_the_first(with_card, labelled, tmp_path):
    out = tmp_path / "report"
    for _ in range(2):
        assert call("evaluate", "--recipe", with_card, "--labels", labelled, "--rounds", 0, "--out", out) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_interrupted_half_way_nothing_is_written(masked, built, labelled, tmp_path, monkeypatch, capsys):
    from calibration.evaluate import trial

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(trial, "row_of", interrupted)
    out = tmp_path / "report"
    shared = ("--recipe", masked.path, "--good", built / "good", "--labels", labelled)
    assert call("sweep", *shared, "--out", out) == 130
    assert not list(tmp_path.iterdir())
    assert "interrupted" in capsys.readouterr().err


def test_a_labelled_frame_that_built_the_model_is_one_line(with_card, built, tmp_path, capsys):
    for kind in ("good", "bad"):
        (tmp_path / kind).mkdir()
    shutil.copy(built / "train" / "003.png", tmp_path / "good" / "x.png")
    write(tmp_path / "bad" / "y.png", frame(7, leftover=(200, 200))[0])
    assert call("evaluate", "--recipe", with_card, "--labels", tmp_path) == 3
    assert "1 labelled images built the model" in capsys.readouterr().err


def test_hostile_names_come_out_as_text(with_card, tmp_path, capsys):
    name = "<script>alert(1)<!--&'\u202e.png"
    write(tmp_path / "set" / "good" / "a.png", frame(1)[0])
    write(tmp_path / "set" / "bad" / "b.png", frame(2, leftover=(60, 50))[0])
    (tmp_path / "set" / "bad" / "b.png").rename(tmp_path / "set" / "bad" / name.replace("/", ""))
    out = tmp_path / "report"
    assert call("evaluate", "--recipe", with_card, "--labels", tmp_path / "set", "--rounds", 0, "--out", out) == 0
    page = (out / "index.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\u202e" not in page + capsys.readouterr().out


@pytest.fixture
def grey(tmp_path):
    """Labelled frames that a colour recipe cannot judge."""
    for kind, leftover in (("good", None), ("bad", (200, 200))):
        image = frame(3, leftover=leftover)[0]
        (tmp_path / "grey" / kind).mkdir(parents=True)
        assert cv2.imwrite(str(tmp_path / "grey" / kind / "a.png"), image.mean(axis=2).astype("uint8"))
    return tmp_path / "grey"


def test_where_every_frame_is_undecided_it_says_so_and_why(masked, built, grey, tmp_path, capsys):
    arguments = ("--recipe", masked.path, "--good", built / "good", "--labels", grey, "--out", tmp_path / "report")
    for name in ("evaluate", "sweep"):
        assert call(name, *arguments) == 1, "a script must know that nothing was judged"
        text = capsys.readouterr().out
        assert "best: none, no configuration could be judged" in text
        assert "PRE+M+R: 2 of 2 labelled frames are undecided (first bad/a.png: " in text
        assert "the frame is grey, the recipe's reference colour" in text
        page = (tmp_path / "report" / "index.html").read_text()
        assert "No frame was judged." in page
        assert "every frame was judged right" not in page


def test_too_few_good_frames_say_what_each_method_lacks(masked, labelled, built, tmp_path, capsys):
    (tmp_path / "good").mkdir()
    shutil.copy(built / "good" / "020.png", tmp_path / "good")
    arguments = ("--recipe", masked.path, "--good", tmp_path / "good", "--labels", labelled, "--rounds", 0)
    assert call("sweep", *arguments) == 1
    text = capsys.readouterr().out
    assert text.count("refused max: 1 usable good frames; it takes at least 5") == 1
    assert "best: none" in text


def test_frames_that_are_there_twice_are_noted(with_card, tmp_path, capsys):
    for kind, leftover in (("good", None), ("bad", (330, 200))):
        write(tmp_path / "set" / kind / "a.png", frame(1, leftover=leftover)[0])
    shutil.copy(tmp_path / "set" / "good" / "a.png", tmp_path / "set" / "good" / "b.png")
    assert call("evaluate", "--recipe", with_card, "--labels", tmp_path / "set", "--rounds", 0) == 0
    text = capsys.readouterr().out
    assert "the same picture as another, and so count twice: 1 (first good/b.png = good/a.png)." in text


def test_a_report_where_one_stands_is_refused_before_any_work(with_card, labelled, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call("evaluate", "--recipe", with_card, "--labels", labelled, "--out", ".") == 3
    complaint = capsys.readouterr().err
    assert "the folder you are in" in complaint
    assert "judging" not in complaint
