from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge.errors import RecipeError
from edge.recipe import CardEngine, ParityComparison, ParityLine, ParityReport, load_recipe, rollback, save, standing
from edge.recipe.parity import replaced
from tests.recipe.builders import ENGINE, WHEN, bundle, card, content

GPU = CardEngine(backend="tensorrt", version="10.3.0", device="Orin", precision="float16")
HASH, CARD = "a" * 64, "c" * 64
EQUAL = (ParityLine(measure="golden", value=0.1, limit=1.0), ParityLine(measure="verdicts to PASS", value=0, limit=0))
TURNED = (ParityLine(measure="verdicts to PASS", value=1, limit=0, detail="bad-1.png FAIL -> PASS"),)


def comparison(candidate: CardEngine = GPU, **changes: Any) -> ParityComparison:
    fields: dict[str, Any] = {"bundle_hash": HASH, "card": CARD, "lines": EQUAL, "at": WHEN}
    return ParityComparison(baseline=ENGINE, candidate=candidate, **{**fields, **changes})


def report(*comparisons: ParityComparison, **changes: Any) -> ParityReport:
    fields: dict[str, Any] = {"bundle": "variation-000000000000", "bundle_hash": HASH, "limits": "l", "who": "w", "when": WHEN}
    return ParityReport.sealed(schema=1, why="y", comparisons=comparisons, **{**fields, **changes})


def told(kept: ParityReport | None, engine: CardEngine = GPU, *, required: bool = False, **changes: Any) -> tuple[str, str]:
    found = standing(kept, **{"bundle_hash": HASH, "card": CARD, **changes}, engine=engine, required=required)
    return found.blocks, found.warns


@pytest.mark.parametrize(
    ("line", "passed"),
    [
        ({"value": 1.0, "limit": 1.0}, True),
        ({"value": 1.01, "limit": 1.0}, False),
        ({"value": None, "limit": 1.0}, False),
        ({"value": 0.9, "limit": 0.9, "kind": "min"}, True),
        ({"value": 0.89, "limit": 0.9, "kind": "min"}, False),
    ],
)
def test_a_line_passes_at_its_limit_and_never_without_a_number(line: dict[str, Any], passed: bool) -> None:
    assert ParityLine(measure="score", **line).passed is passed


def test_nothing_compared_is_not_equal() -> None:
    assert not comparison(lines=()).passed
    assert comparison(lines=()).why == "nothing was compared"
    assert not comparison(problem="it does not open").passed
    assert not report().passed
    assert report(comparison()).passed
    assert not report(comparison(), comparison(ENGINE, lines=TURNED)).passed


def test_the_engine_that_was_compared_needs_nothing_more() -> None:
    assert told(report(comparison())) == ("", "")
    assert told(report(comparison()), required=True) == ("", "")


@pytest.mark.parametrize("required", [False, True])
def test_what_others_are_compared_with_needs_no_report(required: bool) -> None:
    assert told(None, ENGINE, required=required) == ("", "")
    simulated = CardEngine(backend="simulated", version="1", device="none", precision="float32")
    assert told(None, simulated, required=required) == ("", "")


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("now", [{}, {"card": "d" * 64}])
def test_a_failed_report_blocks_whatever_else_changed(required: bool, now: dict[str, str]) -> None:
    blocks, _ = told(report(comparison(lines=TURNED)), required=required, **now)
    assert "tensorrt-10.3.0 Orin float16 does not judge as the model does" in blocks
    assert "verdicts to PASS 1 (limit <= 0)" in blocks
    assert "lineclear-export parity" in blocks


@pytest.mark.parametrize(
    ("kept", "now", "says"),
    [
        (None, {}, "nobody compared tensorrt-10.3.0 Orin float16"),
        (report(comparison()), {"bundle_hash": "b" * 64}, "is of another bundle"),
        (report(comparison(lines=TURNED)), {"bundle_hash": "b" * 64}, "is of another bundle"),
        (report(comparison()), {"engine": GPU.model_copy(update={"version": "10.4.0"})}, "not of tensorrt-10.4.0"),
        (report(comparison()), {"engine": GPU.model_copy(update={"device": "Thor"})}, "not of tensorrt-10.3.0 Thor"),
        (report(comparison()), {"card": "d" * 64}, "with other thresholds"),
        (report(comparison(lines=EQUAL[:1])), {}, "compared no frame of this recipe"),
        (report(), {}, "is of nothing"),
    ],
)
def test_what_makes_a_report_stale_is_said_or_blocks(kept: ParityReport | None, now: dict[str, Any], says: str) -> None:
    blocks, warns = told(kept, **now)
    assert (blocks, says in warns) == ("", True)
    blocks, warns = told(kept, **now, required=True)
    assert warns == ""
    assert says in blocks
    assert "parity: required" in blocks


def test_a_number_changed_by_hand_is_noticed() -> None:
    data = report(comparison(lines=TURNED)).model_dump(mode="json", by_alias=True)
    ParityReport.model_validate(data)
    data["comparisons"][0]["lines"][0]["value"] = 0
    with pytest.raises(ValidationError, match="was changed after it was made"):
        ParityReport.model_validate(data)


def test_a_comparison_of_another_bundle_has_no_place_in_a_report() -> None:
    with pytest.raises(ValidationError, match="of another bundle"):
        report(comparison(bundle_hash="b" * 64))


def test_a_report_from_a_desk_takes_nothing_away_from_the_gpu() -> None:
    cpu = ENGINE.model_copy(update={"precision": "float16"})
    before = report(comparison(lines=TURNED), comparison(cpu, lines=TURNED))
    kept = replaced(report(comparison(cpu)), before)
    assert [(each.candidate, each.passed) for each in kept] == [(cpu, True), (GPU, False)]
    other = report(comparison(cpu, bundle_hash="b" * 64), bundle_hash="b" * 64)
    assert replaced(other, before) == other.comparisons


def test_it_stays_with_the_recipe_whatever_else_is_saved(tmp_path: Path) -> None:
    made, path = bundle(tmp_path), tmp_path / "recipe"
    save(path, content(made))
    assert load_recipe(path).parity is None
    kept = report(comparison(bundle_hash=made.content_hash, lines=TURNED), bundle_hash=made.content_hash)
    save(path, content(made, parity=kept))
    assert load_recipe(path).parity == kept
    save(path, content(made, card=card(load_recipe(path).hashes), masks=()))
    assert load_recipe(path).parity == kept, "new thresholds do not make a failed comparison go away"
    rollback(path, 1, who="w", why="y")
    assert load_recipe(path).parity == kept
    save(path, content(bundle(tmp_path, "b")))
    assert load_recipe(path).parity is None, "it says nothing of another bundle"
    rollback(path, 2, who="w", why="y")
    assert load_recipe(path).parity == kept


def test_a_damaged_report_puts_the_recipe_out_of_force_and_saving_mends_it(tmp_path: Path) -> None:
    made, path = bundle(tmp_path), tmp_path / "recipe"
    kept = report(comparison(bundle_hash=made.content_hash), bundle_hash=made.content_hash)
    save(path, content(made, parity=kept))
    file = load_recipe(path).folder / "parity.json"
    data = json.loads(file.read_text())
    data["comparisons"] = []
    file.write_text(json.dumps(data))
    with pytest.raises(RecipeError, match="was changed after it was made"):
        load_recipe(path)
    save(path, content(made))
    assert load_recipe(path).parity is None
