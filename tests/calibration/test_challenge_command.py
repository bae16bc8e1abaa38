"""`lineclear-calibrate challenge`: frames are stored only if the station sees in them what the person knows to be there."""

from pathlib import Path

import pytest

from calibration.__main__ import main
from calibration.challenge import add_frames
from calibration.trace import Signature
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import Cancelled, ConfigError
from edge.recipe import load_recipe, versions
from edge.recipe.challenge import FOLDER, read_challenge
from edge.settings.engines import OnnxRuntimeSettings
from tests.calibration.scene import write_shots

SIGNED = ("--who", "A. Meier", "--why", "after the new lamp")


@pytest.fixture
def taught(built: Path, recipe: Path) -> Path:
    """The recipe with thresholds."""
    arguments = ["--recipe", str(recipe), "--images", str(built / "good"), "--method", "quantile", *SIGNED]
    assert main(["thresholds", *arguments]) == 0
    return recipe


@pytest.fixture
def known(tmp_path: Path) -> Path:
    write_shots(tmp_path / "good", range(40, 42))
    write_shots(tmp_path / "bad", range(50, 51), leftover=(240, 160))
    return tmp_path


def run(recipe: Path, *more: str | Path) -> int:
    return main(["challenge", "--recipe", str(recipe), *map(str, more)])


def test_frames_that_give_their_verdict_are_stored(taught: Path, known: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = load_recipe(taught)
    capsys.readouterr()
    assert run(taught, "--good", known / "good", "--bad", known / "bad", *SIGNED) == 0
    said = capsys.readouterr().out
    assert "040.png: must be PASS, is PASS (score " in said
    assert "050.png: must be FAIL, is FAIL (score " in said
    assert "holds 3 challenge frames\n" in said
    recipe = load_recipe(taught)
    assert (recipe.version, recipe.document.created_by, recipe.document.why) == (before.version + 1, "A. Meier", SIGNED[3])
    assert recipe.card == before.card  # the thresholds hold as they are
    assert recipe.hashes == before.hashes
    challenge = read_challenge(recipe.folder / FOLDER)
    assert challenge is not None
    assert sorted((frame.expected, frame.note) for frame in challenge.frames) == [
        ("FAIL", "050.png"), ("PASS", "040.png"), ("PASS", "041.png"),
    ]  # fmt: skip


def test_a_frame_that_does_not_is_named_and_nothing_is_stored(
    taught: Path, known: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = len(versions(taught))
    capsys.readouterr()
    assert run(taught, "--good", known / "bad", "--bad", known / "good", *SIGNED) == 3
    said = capsys.readouterr()
    lines = said.err.strip().splitlines()
    assert len(lines) == 3
    assert "050.png: must be PASS, is FAIL" in said.err
    assert "040.png: must be FAIL, is PASS" in said.err
    assert all("look at the frame, or take new thresholds" in line for line in lines)
    assert len(versions(taught)) == count


def test_without_thresholds_nothing_is_proven(recipe: Path, known: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(recipe, "--good", known / "good", *SIGNED) == 3
    assert "is UNDECIDED (card_missing: " in capsys.readouterr().err


def test_frames_are_added_listed_and_removed(taught: Path, known: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(taught) == 0
    assert "has no challenge frames" in capsys.readouterr().out
    assert run(taught, "--good", known / "good", *SIGNED) == 0
    assert "a challenge needs a good and a bad one: add the other" in capsys.readouterr().out
    assert run(taught, "--bad", known / "bad", *SIGNED) == 0
    assert "holds 3 challenge frames" in capsys.readouterr().out
    assert run(taught) == 0
    listed = capsys.readouterr().out.splitlines()
    assert "by A. Meier: after the new lamp" in listed[0]
    bad = next(line.split()[0] for line in listed if "  FAIL  050.png" in line)
    assert run(taught, "--remove", bad, *SIGNED) == 0
    assert f"is without {bad}" in capsys.readouterr().out
    challenge = read_challenge(load_recipe(taught).folder / FOLDER)
    assert challenge is not None
    assert {frame.expected for frame in challenge.frames} == {"PASS"}
    assert run(taught, "--remove", bad, *SIGNED) == 3
    assert f"no such frame: {bad}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--good", "good"), "who"),
        (("--good", "empty", *SIGNED), "holds no image"),
        (("--good", "absent", *SIGNED), "cannot be listed"),
        (("--remove", "x", "--good", "good", *SIGNED), "--remove stands alone"),
    ],
)
def test_bad_use_changes_nothing(
    taught: Path, known: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    (known / "empty").mkdir()
    count = len(versions(taught))
    capsys.readouterr()
    paths = [str(known / text) if text in ("good", "empty", "absent") else text for text in arguments]
    assert run(taught, *paths) == 3
    assert said in capsys.readouterr().err
    assert len(versions(taught)) == count


def test_the_trace_comes_first_and_can_stop_it(taught: Path, known: Path) -> None:
    told: list[tuple[object, ...]] = []

    def trace(*change: object) -> None:
        told.append(change)
        raise ConfigError("the audit log cannot be written")

    count = len(versions(taught))
    engine = OnnxRuntimeSettings(threads=1)
    with pytest.raises(ConfigError, match="audit log"):
        add_frames(
            taught,
            {"PASS": known / "good", "FAIL": known / "bad"},
            Signature(who="A", why="w"),
            open_engine=lambda made: OnnxRuntimeEngine(made, engine),
            trace=trace,  # type: ignore[arg-type]
        )
    ((action, subject, who, why, before, after),) = told
    assert (action, subject, who, why, before) == ("challenge", str(taught), "A", "w", {})
    assert sorted(str(text).split()[0] for text in dict(after).values()) == ["FAIL", "PASS", "PASS"]  # type: ignore[call-overload]
    assert len(versions(taught)) == count


def test_a_person_can_stop_it(taught: Path, known: Path) -> None:
    def progress(done: int, total: int, what: str = "") -> None:
        assert (done, total, what) == (1, 2, "040.png")
        raise Cancelled("stopped")

    count = len(versions(taught))
    engine = OnnxRuntimeSettings(threads=1)
    with pytest.raises(Cancelled):
        add_frames(
            taught,
            {"PASS": known / "good"},
            Signature(who="A", why="w"),
            open_engine=lambda made: OnnxRuntimeEngine(made, engine),
            progress=progress,
        )
    assert len(versions(taught)) == count
