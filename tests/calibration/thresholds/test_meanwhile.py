"""What happens to a recipe between measuring its frames and saving the card."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.comparison import all_methods, compare
from calibration.frames import Measured
from calibration.methods import Method, take_levels
from calibration.thresholds import Measurements, Signature, make_card, save_card
from edge.engines.base import EngineIdentity
from edge.errors import ConfigError, RecipeError
from edge.recipe import Content, load_recipe, save, versions
from edge.settings.judging import MaskPolygon
from tests.recipe.builders import bundle, content, with_card

SIGNATURE = Signature(who="A. Meier", why="new lamp")
ENGINE = EngineIdentity("onnxruntime", "1", "cpu", "float32")
MASK = MaskPolygon(name="bin", points=((0.1, 0.1), (0.5, 0.1), (0.5, 0.5)))


def measured(scores):
    names = tuple(f"{number}.png" for number in range(len(scores)))
    digests = tuple(f"{number:064x}" for number in range(len(scores)))
    pixels = np.linspace(0, min(scores), 500, dtype=np.float32)
    return Measured(names, digests, tuple(scores), pixels, {}, (), len(scores), (), digests)


@pytest.fixture
def recipe(tmp_path):
    with_card(tmp_path / "front", bundle(tmp_path))
    return load_recipe(tmp_path / "front")


def test_masks_that_are_saved_while_the_audit_log_is_written_are_not_undone(recipe):
    """The check before the log entry is not enough: the log may be locked for seconds."""
    card = make_card(recipe, measured([1.0, 2, 3, 4, 5]), Method(kind="max"), SIGNATURE, ENGINE)

    def slow(*_):
        loaded = load_recipe(recipe.path)
        save(recipe.path, Content(loaded.document, loaded.bundle, loaded.reference, (MASK,), loaded.card))

    with pytest.raises(RecipeError, match="was put in force while 0002 was being changed"):
        save_card(recipe, card, slow)
    after = load_recipe(recipe.path)
    assert after.masks == (MASK,)
    assert len(versions(recipe.path)) == 3


def test_a_save_that_expects_the_version_in_force_goes_through(tmp_path):
    made = bundle(tmp_path)
    assert save(tmp_path / "front", content(made)) == 1
    assert save(tmp_path / "front", content(made), expected=1) == 2
    with pytest.raises(RecipeError, match="version 0002 was put in force while 0001 was being changed"):
        save(tmp_path / "front", content(made), expected=1)
    assert versions(tmp_path / "front") == (1, 2)
    assert not [path for path in (tmp_path / "front" / "versions").iterdir() if path.name.startswith(".new-")]


SCORES = st.lists(st.floats(0.01, 100, allow_nan=False), min_size=6, max_size=60, unique=True)


@settings(max_examples=150)
@given(SCORES, st.sampled_from([0.05, 0.1, 0.2, 0.5]))
def test_left_out_one_by_one_conformal_keeps_its_promise_exactly(scores, alpha):
    """Of n + 1 exchangeable frames each is equally likely to be the next: at most alpha of them may be above its threshold."""
    above = 0
    for index, score in enumerate(scores):
        others = np.array(scores[:index] + scores[index + 1 :])
        try:
            above += score > take_levels(others, others, Method(kind="conformal", alpha=alpha)).image
        except ConfigError as error:
            assert len(others) < 1 / alpha - 1
            assert "more good frames" in str(error)
            return
    assert above <= alpha * len(scores) + 1e-9


@settings(max_examples=100)
@given(SCORES, st.sampled_from(["max", "sigma", "quantile", "conformal"]))
def test_the_card_counts_its_own_frames_above_itself(scores, kind):
    method = Method(kind=kind, alpha=0.2, margin=0.0)
    levels = take_levels(np.array(scores), np.array(scores), method)
    above = sum(score > levels.image for score in scores)
    assert levels.false_alarms.above == above
    assert above <= method.declared_rate * (len(scores) + 1)
    assert levels.false_alarms.low <= levels.false_alarms.expected <= levels.false_alarms.high
    assert levels.false_alarms.expected >= (above + 1) / (len(scores) + 1) - 1e-12
    assert levels.pixel <= levels.image


@settings(max_examples=30)
@given(SCORES)
def test_a_card_says_the_same_after_it_was_written_and_read(recipe_folder, scores):
    recipe = load_recipe(recipe_folder)
    found = measured(scores)
    card = make_card(recipe, found, Method(kind="quantile"), SIGNATURE, ENGINE, "c" * 64)
    assert type(card).model_validate_json(card.model_dump_json(by_alias=True)) == card
    assert list(card.scores) == sorted(scores)
    names = dict(zip(found.sha256, found.scores, strict=True))
    assert [names[digest] for digest in card.frame_sha256] == list(card.scores)
    assert card.headroom == pytest.approx(card.image_threshold - max(scores))


@pytest.fixture(scope="module")
def recipe_folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("front")
    with_card(root / "front", bundle(root))
    return root / "front"


@pytest.mark.parametrize("count", [1, 4, 5, 18, 19, 98, 99])
def test_compare_refuses_exactly_what_take_refuses(recipe_folder, count):
    found = Measurements(load_recipe(recipe_folder), ENGINE, measured([1 + number / 7 for number in range(count)]))
    rows = {row.method.kind: row for row in compare(found, all_methods(Method(kind="max", alpha=0.05)))}
    for row in rows.values():
        if row.levels is None:
            with pytest.raises(ConfigError) as refused:
                make_card(found.recipe, found.good, row.method, SIGNATURE, ENGINE)
            assert row.refusal == f"{refused.value.message}: {refused.value.remedy}"
        else:
            card = make_card(found.recipe, found.good, row.method, SIGNATURE, ENGINE)
            assert card.image_threshold == row.levels.image
    assert (rows["conformal"].levels is None) == (count < 19)
    assert "cost" not in rows
    assert rows["extreme"].levels is None
