import json
from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.drift import DriftSettings, Lineage, Span, from_folder, from_results, judge_drift
from calibration.drift.readings import from_document
from edge.engines.simulated import SimulatedEngine
from edge.errors import ConfigError
from edge.recipe import load_recipe
from edge.settings.engines import SimulatedEngineSettings, SimulatedFault
from tests.calibration.evidence import engine_of, good, recipe_at
from tests.calibration.scene import write
from tests.station_parts import make_recipe

RESULT = {
    "schema": "lineclear/result/1",
    "resultId": "r1",
    "view": "front",
    "outcome": "PASS",
    "reason": None,
    "score": 1.5,
    "creationTime": "2026-11-20T06:00:00.000Z",
    "product": "aspirin",
    "recipe": "front",
    "recipeVersion": 1,
    "alignment": {
        "trusted": True,
        "cornerShiftPx": 0.5,
        "similarity": 0.9,
        "frameToReference": [[1, 0, 2], [0, 1, 3], [0, 0, 1]],
        "gates": [{"name": "shift_px", "limit": 14.0}],
    },
}
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.just([[1, 0, 0], [0, 1, 0], [0, 0, 0]]),
    st.just("2026-11-20T06:00:00"),
)


def replaced(document, path, value):
    """The document with what lies at a path replaced."""
    if not path:
        return value
    head, *rest = path
    copy = list(document) if isinstance(document, list) else dict(document)
    copy[head] = replaced(copy[head], rest, value)
    return copy


PLACES = [
    *([key] for key in RESULT),
    *(["alignment", key] for key in RESULT["alignment"]),
    ["alignment", "gates", 0],
    ["alignment", "gates", 0, "name"],
    ["alignment", "gates", 0, "limit"],
    ["alignment", "frameToReference", 2],
    ["alignment", "frameToReference", 0, 2],
]


def results_at(folder, documents):
    path = folder / "results.jsonl"
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


@settings(max_examples=400)
@given(st.sampled_from(PLACES), JUNK)
def test_whatever_stands_in_a_result_it_is_a_whole_reading_or_no_result(place, value):
    try:
        reading = from_document(replaced(RESULT, place, value), (320, 240))
    except ValueError as error:
        assert "is no lineclear/result/1" in str(error)
        return
    assert reading.at.tzinfo is not None
    numbers = [reading.score, reading.corner_px, reading.gate_px, reading.similarity, *(reading.shift_xy or ())]
    assert all(number is None or np.isfinite(number) for number in numbers)


def test_a_result_is_read_as_it_was_published():
    reading = from_document(RESULT, (320, 240))
    assert (reading.score, reading.shift_xy, reading.corner_px, reading.gate_px) == (1.5, (2.0, 3.0), 0.5, 14.0)
    assert reading.at == datetime(2026, 11, 20, 6, tzinfo=timezone.utc)


@pytest.mark.parametrize("version", [[1], {"a": 1}, "0001", 1.0, True, None])
def test_a_version_that_is_no_number_is_another_recipes(tmp_path, version):
    recipe = make_recipe(tmp_path / "r", view="front")
    document = {**RESULT, "recipe": recipe.name, "recipeVersion": version}
    found = from_results(results_at(tmp_path, [document]), recipe, Span())
    assert (found.items, found.left_out) == ((), {"was judged by another recipe": 1})


def test_results_without_a_time_zone_are_no_results_even_where_days_are_asked_for(tmp_path):
    recipe = make_recipe(tmp_path / "r", view="front")
    document = {**RESULT, "recipe": recipe.name, "recipeVersion": recipe.version, "creationTime": "2026-11-20T06:00:00"}
    span = Span(datetime(2026, 11, 1, tzinfo=timezone.utc))
    assert from_results(results_at(tmp_path, [document]), recipe, span).left_out == {"is no result": 1}


def test_the_recipe_of_one_name_for_another_product_is_another_recipe(tmp_path):
    """recipes/aspirin/front and recipes/tablets/front are both called front, and both have a version 2."""
    recipe = make_recipe(tmp_path / "aspirin", view="front", product="aspirin")
    lineage = Lineage(recipe)
    assert lineage.changed(recipe.name, recipe.version, "aspirin") == frozenset()
    assert lineage.changed(recipe.name, recipe.version, "tablets") is None
    assert lineage.changed(recipe.name, recipe.version, "") == frozenset()
    rows = [
        {**RESULT, "resultId": str(number), "recipe": recipe.name, "recipeVersion": recipe.version, "product": product}
        for number, product in enumerate(["aspirin", "tablets", "tablets"])
    ]
    found = from_results(results_at(tmp_path, rows), recipe, Span())
    assert (len(found.items), found.left_out) == (1, {"was judged by another recipe": 2})


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path):
    path = tmp_path / "endless"
    with path.open("wb") as file:
        file.truncate(40_000_000_000)  # sparse: nothing on the disk, 40 GB to read at once
    with pytest.raises(ConfigError, match="line 1 is too long"):
        from_results(path, make_recipe(tmp_path / "r"), Span())


def test_the_same_picture_twice_is_one_frame(tmp_path):
    recipe = recipe_at(tmp_path)
    for number, image in enumerate([*good(3), *good(3)]):
        write(tmp_path / "frames" / f"{number}.png", image)
    with engine_of(recipe.bundle) as engine:
        found = from_folder(recipe, engine, tmp_path / "frames", Span())
    assert len(found.items) == 3
    assert found.left_out == {"are the same picture as another": 3}


def test_scores_that_are_no_numbers_are_told_and_count_as_none(tmp_path):
    recipe = recipe_at(tmp_path)
    for number, image in enumerate(good(9)):
        write(tmp_path / "frames" / f"{number}.png", image)
    broken = SimulatedEngineSettings(faults=(SimulatedFault(kind="nan", probability=1.0),))
    with SimulatedEngine(recipe.bundle.manifest, broken) as engine:
        found = from_folder(recipe, engine, tmp_path / "frames", Span())
    assert found.left_out == {"gave no score that is a number": 9}
    report = judge_drift(found, load_recipe(recipe.path).card, recipe.view, DriftSettings())
    assert report.status == "unknown"
    assert any("only 0 judged frames" in why for why in report.unknown)


def test_a_reading_that_did_not_register_has_neither_shift_nor_score():
    body = replaced(RESULT, ["alignment", "trusted"], False)
    refused = {**body, "outcome": "UNDECIDED", "reason": {"code": "not_registered"}, "score": None}
    reading = from_document(refused, (320, 240))
    assert (reading.registered, reading.shift_xy, reading.score, reading.corner_px) == (False, None, None, None)
    assert replace(reading, registered=None).outcome == "UNDECIDED"


@pytest.mark.parametrize(
    ("engine", "same"),
    [
        ("simulated-1 none float32", True),
        ("simulated-2.0-rc1 none float32", True),
        ("simulated-rtx-2.0 none float32", False),
        ("simulated-2 none float32", True),
        ("simulated-1 none float16", False),
        ("tensorrt-10.3 GPU 0 float16", False),
        ("", True),
        (None, True),
        (7, True),
    ],
)
def test_scores_of_another_engine_are_no_drift(tmp_path, engine, same):
    recipe = make_recipe(tmp_path / "r", view="front")
    document = {**RESULT, "recipe": recipe.name, "recipeVersion": recipe.version, "engine": engine}
    found = from_results(results_at(tmp_path, [document]), recipe, Span())
    assert (len(found.items) == 1) == same
    assert found.left_out == ({} if same else {"was judged on another engine": 1})
