import pytest

from edge.engines.base import EngineIdentity
from edge.recipe import Hashes, load_recipe, save, stale
from edge.settings.judging import MaskPolygon, ScoreRule
from edge.settings.registration import RegistrationSettings
from tests.recipe.builders import bundle, card, content, document, reference, with_card

RUNNING = EngineIdentity("onnxruntime", "1.31.1", "cpu", "float32")
SHIFT = ((1.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
OTHER_MASK = MaskPolygon(name="hose", points=((0.1, 0.1), (0.5, 0.1), (0.5, 0.7)))


def test_a_card_that_matches_is_not_stale(tmp_path):
    with_card(tmp_path / "front", bundle(tmp_path))
    recipe = load_recipe(tmp_path / "front")
    assert stale(recipe.card, recipe, RUNNING, "c" * 64) == ()
    assert stale(recipe.card, recipe) == ()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"masks": (OTHER_MASK,)}, "masks"),
        ({"masks": ()}, "masks"),
        ({"reference": reference(3)}, "reference image"),
        ({"document": document(registration=RegistrationSettings(mode="none"))}, "registration settings"),
        ({"document": document(reference_to_model=SHIFT)}, "registration settings"),
        ({"document": document(score=ScoreRule(window=5))}, "score rule"),
    ],
)
def test_each_change_is_named(tmp_path, changes, named):
    made = bundle(tmp_path)
    with_card(tmp_path / "front", made)
    old = load_recipe(tmp_path / "front").card
    save(tmp_path / "front", content(made, **changes, card=old))
    recipe = load_recipe(tmp_path / "front")
    assert stale(recipe.card, recipe, RUNNING) == (f"the {named} changed since the thresholds were taken",)


def test_another_bundle_camera_engine_or_view_is_named(tmp_path):
    with_card(tmp_path / "front", bundle(tmp_path))
    recipe = load_recipe(tmp_path / "front")
    other = card(recipe.hashes.model_copy(update={"bundle": "b" * 64}))
    assert stale(other, recipe) == ("the bundle changed since the thresholds were taken",)
    filmed = card(recipe.hashes.model_copy(update={"camera": "a" * 64}))
    assert stale(filmed, recipe, RUNNING, "c" * 64) == ("the camera settings changed since the thresholds were taken",)
    assert stale(filmed, recipe, RUNNING, "a" * 64) == ()
    assert stale(filmed, recipe, RUNNING, None) == ()
    tensorrt = EngineIdentity("tensorrt", "10.3", "orin", "float16")
    assert stale(recipe.card, recipe, tensorrt) == (
        "the engine's backend was onnxruntime, now tensorrt",
        "the engine's device was cpu, now orin",
        "the engine's precision was float32, now float16",
    )
    assert stale(card(recipe.hashes, view="left"), recipe) == ("the card is of view 'left'",)


def test_every_hash_of_a_card_is_compared(tmp_path):
    with_card(tmp_path / "front", bundle(tmp_path))
    recipe = load_recipe(tmp_path / "front")
    for name in Hashes.model_fields:
        changed = card(recipe.hashes.model_copy(update={name: "e" * 64}))
        assert len(stale(changed, recipe, RUNNING, "f" * 64)) == 1, name
