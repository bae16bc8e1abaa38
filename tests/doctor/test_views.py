"""Recipes as the doctor sees them: thresholds, age, reference, known frames, parity, golden proof."""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from edge.config import load_config
from edge.doctor.check import Case, Check, Status
from edge.doctor.golden import golden, said
from edge.doctor.views import BOOK, last_challenge, recipes
from edge.recipe import load_recipe
from edge.recipe.challenge import KnownFrame, write_challenge
from edge.recipe.reading import CHALLENGE
from tests.cli.running import RECIPE, station
from tests.doctor.trees import checked

NOW = datetime.now(timezone.utc)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A copy of the example's recipe."""
    return Path(shutil.copytree(RECIPE, tmp_path / "recipe"))


def looked_at(folder: Path, recipe: Path, now: datetime = NOW, **changes: object) -> dict[str, Check]:
    views = {"feeder": {"recipe": str(recipe), "camera": {"kind": "folder", "path": str(RECIPE), "trigger": "software"}}}
    return checked(recipes(Case(config=load_config(station(folder, views=views, **changes)), now=now)))


def test_a_sound_recipe(tmp_path: Path, recipe: Path) -> None:
    found = looked_at(tmp_path, recipe)
    assert {name: check.status.value for name, check in found.items()} == {
        "recipe feeder": "OK",
        "reference feeder": "OK",
        "calibration feeder": "OK",
        "challenge feeder": "WARN",
        "parity feeder": "SKIP",
    }
    assert found["reference feeder"].detail.startswith("240 x 160, taken ")
    assert found["reference feeder"].detail.endswith("(version 1)"), "the second version has the first one's reference"
    assert "from 25 good frames, by lineclear" in found["calibration feeder"].detail


@pytest.mark.parametrize(("days", "status"), [(364, "OK"), (366, "WARN"), (-2, "WARN")])
def test_thresholds_grow_old(tmp_path: Path, recipe: Path, days: float, status: str) -> None:
    card = load_recipe(recipe).card
    assert card is not None
    found = looked_at(tmp_path, recipe, card.when + timedelta(days=days))["calibration feeder"]
    assert found.status.value == status
    assert ("still to come" in found.detail) == (days < 0)


def test_without_thresholds_every_verdict_would_be_undecided(tmp_path: Path, recipe: Path) -> None:
    (recipe / "current").write_text("0001\n")
    found = looked_at(tmp_path, recipe)
    assert found["recipe feeder"].status is Status.FAIL
    assert found["recipe feeder"].remedy == "take thresholds: lineclear-calibrate thresholds"
    assert found["calibration feeder"].status is Status.SKIP


def test_a_recipe_that_cannot_be_loaded_is_the_configs_to_say(tmp_path: Path, recipe: Path) -> None:
    (recipe / "current").unlink()
    (found,) = looked_at(tmp_path, recipe).values()
    assert (found.status, "the line `config`" in found.detail) == (Status.SKIP, True)


def challenged(recipe: Path, *expected: str) -> None:
    folder = load_recipe(recipe).folder / CHALLENGE
    folder.mkdir()
    rng = np.random.default_rng(3)
    frames = [KnownFrame(rng.integers(0, 255, (160, 240), np.uint8), verdict) for verdict in expected]  # type: ignore[arg-type]
    write_challenge(folder, frames, who="A. Meier", why="test")


def kept(folder: Path, body: object) -> None:
    (folder / "state").mkdir(exist_ok=True)
    with closing(sqlite3.connect(folder / "state" / BOOK)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS challenges (view TEXT PRIMARY KEY, body TEXT NOT NULL)")
        connection.execute("INSERT OR REPLACE INTO challenges VALUES ('feeder', ?)", (json.dumps(body),))
        connection.commit()


def test_known_frames_and_what_they_gave(tmp_path: Path, recipe: Path) -> None:
    required = {"challenge": {"required": "always"}}
    assert looked_at(tmp_path, recipe, clearance=required)["challenge feeder"].status is Status.FAIL
    challenged(recipe, "PASS", "FAIL")
    found = looked_at(tmp_path, recipe)["challenge feeder"]
    assert (found.status, found.detail) == (Status.WARN, "2 known frames, never run here")
    for passed, days, status in ((True, 1, "OK"), (True, 40, "WARN"), (False, 1, "FAIL")):
        when = (NOW - timedelta(days=days)).isoformat().replace("+00:00", "Z")
        kept(tmp_path, {"time": when, "passed": passed})
        assert looked_at(tmp_path, recipe)["challenge feeder"].status.value == status


def test_known_frames_of_one_kind_prove_half(tmp_path: Path, recipe: Path) -> None:
    challenged(recipe, "PASS")
    found = looked_at(tmp_path, recipe)["challenge feeder"]
    assert (found.status, "not both" in found.detail) == (Status.WARN, True)


def test_a_challenge_that_was_changed_by_hand(tmp_path: Path, recipe: Path) -> None:
    challenged(recipe, "PASS", "FAIL")
    (load_recipe(recipe).folder / CHALLENGE / "challenge.yaml").write_text("frames: nonsense\n")
    assert looked_at(tmp_path, recipe)["challenge feeder"].status is Status.FAIL


@pytest.mark.parametrize("body", [[], 7, {"time": "x", "passed": True}, {"time": "2026-01-01T00:00:00", "passed": 1}, {}])
def test_a_book_with_nonsense(tmp_path: Path, body: object) -> None:
    kept(tmp_path, body)
    assert last_challenge(tmp_path / "state" / BOOK, "feeder") is None
    assert last_challenge(tmp_path / "state" / BOOK, "other") is None
    (tmp_path / "torn").write_bytes(b"SQLite format 3\0 and no more")
    assert last_challenge(tmp_path / "torn", "feeder") is None
    assert last_challenge(tmp_path / "none", "feeder") is None


@pytest.mark.parametrize(
    ("engine", "status"),
    [
        ({"kind": "onnxruntime"}, "SKIP"),
        ({"kind": "onnxruntime", "precision": "float16"}, "WARN"),
        ({"kind": "tensorrt"}, "WARN"),
        ({"kind": "tensorrt", "parity": "required"}, "FAIL"),
    ],
)
def test_an_engine_that_nobody_compared(tmp_path: Path, recipe: Path, engine: dict[str, str], status: str) -> None:
    assert looked_at(tmp_path, recipe, engine=engine)["parity feeder"].status.value == status


def test_the_golden_proof_on_this_machine(tmp_path: Path) -> None:
    path = station(tmp_path)
    found = checked(golden(Case(config=load_config(path), config_path=path)))
    assert found["golden feeder"].status is Status.OK
    assert "computes what was exported" in found["golden feeder"].detail
    path = station(tmp_path, engine={"kind": "tensorrt"})
    (skipped,) = golden(Case(config=load_config(path), config_path=path))
    assert (skipped.status, f"--gpu {path}" in skipped.detail) == (Status.SKIP, True)


def test_a_machine_that_computes_something_else(tmp_path: Path, monkeypatch) -> None:
    from edge.doctor import golden as module

    monkeypatch.setattr(module, "_SCRIPT", 'print(\'["feeder", "golden vector 0: off", "do not judge with it"]\')')
    path = station(tmp_path)
    (found,) = golden(Case(config=load_config(path), config_path=path))
    assert found == Check("golden feeder", Status.FAIL, "golden vector 0: off", "do not judge with it")
    monkeypatch.setattr(module, "_SCRIPT", "import os, sys; sys.stderr.write('bad\\n'); os.abort()")
    (found,) = golden(Case(config=load_config(path), config_path=path))
    assert (found.status, "-6" in found.detail) == (Status.FAIL, True)
    monkeypatch.setattr(module, "_SCRIPT", "import threading; threading.Event().wait()")
    monkeypatch.setattr(module, "LIMIT_S", 0.3)
    (found,) = golden(Case(config=load_config(path), config_path=path))
    assert (found.status, found.detail) == (Status.WARN, "not done in 0.3 s")
    assert list(said(b'[1]\n{"a": 1}\nnoise\n["x", "fine", ""]')) == [Check("golden x", Status.OK, "fine")]
