"""Drift of a whole station, as the nightly timer looks at it."""

import argparse
import json
from datetime import datetime, timezone

import pytest
import yaml

from calibration.commands import drift as command
from calibration.drift import DriftSettings, Span
from calibration.drift.outcome import checkup_of
from calibration.drift.station import look_at_station
from calibration.drift.viewing import ViewDrift
from edge.changeover import ProductFile
from edge.checkup import CheckupOutcome, read_checkup
from edge.config import load_config
from edge.errors import Cancelled, ConfigError
from tests.calibration.evidence import Line, bad, good, recipe_at
from tests.cli.running import replayed

AT = datetime(2026, 11, 22, 3, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A station of one view whose archive holds twelve good and two bad frames, and its config."""
    root = tmp_path_factory.mktemp("site")
    line = Line(root / "state" / "archive", recipe_at(root))
    line.run([*good(12), *bad(2)])
    return root, line


def config_at(site, name="station.yaml", **views):
    root, line = site
    document = {
        "station": {"site": "s", "area": "a", "line": "l", "station": "b"},
        "state_dir": "state",
        "product": "aspirin",
        "publisher": {"kind": "memory"},
        "views": {"front": {"recipe": str(line.recipe.path), "camera": replayed()}, **views},
    }
    path = root / name
    path.write_text(yaml.safe_dump(document))
    return path


def run(*given):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(one) for one in given]))


def test_every_view_is_looked_at_and_the_outcome_is_kept(site, capsys):
    status = run("--config", config_at(site), "--all", "--keep", "--json")
    said = json.loads(capsys.readouterr().out)
    kept = read_checkup(site[0] / "state", "drift")
    assert kept is not None
    assert kept.outcome.value == said["outcome"]
    assert status == {"ok": 0, "attention": 1, "unknown": 2, "failed": 3}[said["outcome"]]
    assert [view["view"] for view in said["views"]] == ["front"]
    assert kept.figures["drift.front.outcome"] == kept.outcome.value
    assert kept.figures["drift.front.act"] == float(kept.outcome is CheckupOutcome.ATTENTION)


def test_a_view_that_cannot_be_looked_at_hides_no_other(site, capsys):
    lost = {"recipe": "nowhere/back", "camera": replayed(path="elsewhere")}
    path = config_at(site, "two.yaml", back=lost)
    back, front = look_at_station(load_config(path), Span(), DriftSettings())
    assert front.report is not None
    assert back.report is None
    assert "is no recipe" in back.problem
    assert run("--config", path, "--all") == 3
    out = capsys.readouterr().out
    assert "back: " in out
    assert "front" in out


def test_the_product_in_force_selects_the_recipes(site):
    root, line = site
    named = line.recipe.path.parent / f"{line.recipe.path.name}-aspirin"
    if not named.exists():
        named.symlink_to(line.recipe.path)
    view = {"recipe": str(line.recipe.path) + "-{product}", "camera": replayed()}
    config = load_config(config_at(site, "product.yaml", front=view))
    (drift,) = look_at_station(config, Span(), DriftSettings())
    assert drift.report is not None
    ProductFile(root / "state" / "product.json").write("ibuprofen")
    try:
        (drift,) = look_at_station(config, Span(), DriftSettings())
    finally:
        (root / "state" / "product.json").unlink()
    assert "ibuprofen" in drift.problem


def test_a_station_that_archived_nothing_yet_is_unknown_and_not_failed(site, tmp_path):
    path = config_at(site, "new.yaml")
    config = load_config(path).model_copy(update={"state_dir": str(tmp_path)})
    (drift,) = look_at_station(config, Span(), DriftSettings())
    assert (drift.outcome, drift.problem) == (CheckupOutcome.UNKNOWN, "nothing was archived yet")


def test_cancelled_comes_through(site):
    def stop(*_):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        look_at_station(load_config(config_at(site)), Span(), DriftSettings(), stop)


def test_the_worst_view_decides_and_each_is_told(site):
    (seen,) = look_at_station(load_config(config_at(site)), Span(), DriftSettings())
    lost = ViewDrift("back", None, "camera recipe\nbroken")
    checkup = checkup_of([seen, lost], AT)
    assert checkup.outcome is CheckupOutcome.FAILED
    assert checkup.summary.startswith("back: camera recipe")
    assert "\n" not in checkup.summary
    assert checkup.figures["drift.back.outcome"] == "failed"
    assert "lineclear doctor" in checkup.remedy
    assert checkup_of([ViewDrift("a", None, "x" * 2000)], AT).summary.endswith("x")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--all",), "--config"),
        (("--all", "--config", "x", "--recipe", "y"), "--config CONFIG --all"),
        (("--keep", "--recipe", "y"), "goes with --all"),
        ((), "--recipe: is missing"),
        (("--config", "x", "--all", "--days", "0"), "not found|days"),
    ],
)
def test_bad_use_is_said(given, message):
    with pytest.raises(ConfigError, match=message):
        run(*given)
