import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from edge.recipe import FalseAlarms, Parameters, ThresholdCard, load_recipe
from edge.recipe.card import BadFrames, Optimum, TailFit
from edge.recipe.document import hash_of
from tests.recipe.builders import bundle, card, with_card

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "recipes"
FIT = TailFit(start=0.5, exceedances=31, shape=0.1, scale=0.2, anderson_darling=0.4, p_value=0.6, bootstraps=300)
BEST = Optimum(
    threshold=1.2, low=1.1, high=1.4, cost_per_1000=3.0, miss_cost=100, bad_share=0.01, alarmed=0, missed=1
)  # fmt: skip
BAD = BadFrames(frames=2, scores=(1.0, 2.0), frame_sha256=("a" * 64, "b" * 64), missed=1, low=0.01, high=0.99, optimum=BEST)


@pytest.fixture
def hashes(tmp_path):
    with_card(tmp_path / "front", bundle(tmp_path))
    return load_recipe(tmp_path / "front").hashes


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*/versions/*/card.json")), ids=lambda path: path.parts[-4])
def test_cards_from_before_load_hold_and_are_written_as_they_were(path):
    data = json.loads(path.read_text())
    assert data["schema"] == 1
    loaded = ThresholdCard.model_validate(data)
    assert loaded.model_dump(mode="json", by_alias=True) == data
    assert loaded.sha256 == hash_of({key: value for key, value in data.items() if key != "sha256"})


def test_there_are_cards_from_before():
    assert len(list(CONFIGS.glob("*/versions/*/card.json"))) >= 3


def test_a_card_of_today_keeps_everything_through_its_file(hashes):
    made = card(
        hashes,
        schema=2,
        method="extreme",
        parameters=Parameters(rate=0.001),
        false_alarms=FalseAlarms(expected=0.001, low=0, high=0.004, bound=0.45, interval="bootstrap"),
        fit=FIT,
        bad=BAD,
    )
    again = ThresholdCard.model_validate_json(made.model_dump_json(by_alias=True))
    assert again == made
    assert (again.fit, again.bad, again.parameters.rate) == (FIT, BAD, 0.001)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fit", {"p_value": 0.9}),
        ("bad", {"missed": 0}),
        ("parameters", {"rate": 0.5}),
        ("false_alarms", {"interval": None}),
    ],
)
def test_no_later_field_can_be_changed_by_hand(hashes, key, value):
    alarms = FalseAlarms(expected=0.001, low=0, high=0.004, bound=0.45, interval="bootstrap")
    made = card(
        hashes, schema=2, method="extreme", parameters=Parameters(rate=0.001), false_alarms=alarms, fit=FIT, bad=BAD
    )  # fmt: skip
    data = made.model_dump(mode="json", by_alias=True)
    data[key] |= value
    with pytest.raises(ValidationError, match="changed after it was made"):
        ThresholdCard.model_validate(data)


@pytest.mark.parametrize("changes", [{"method": "conformal"}, {"fit": FIT}, {"bad": BAD}])
def test_schema_1_knows_none_of_it(hashes, changes):
    with pytest.raises(ValidationError, match="schema 1 knows neither"):
        card(hashes, **changes)


def test_what_a_later_field_does_not_say_is_not_written(hashes):
    data = card(hashes, schema=2).model_dump(mode="json", by_alias=True)
    assert not {"fit", "bad"} & set(data)
    assert set(data["parameters"]) == {"quantile", "sigma", "margin"}
    assert "interval" not in data["false_alarms"]


def test_headroom_is_from_the_highest_good_score(hashes):
    assert card(hashes).headroom == 0.0
    assert card(hashes, image_threshold=1.5).headroom == pytest.approx(0.6)
    assert card(hashes, image_threshold=0.6).headroom == pytest.approx(-0.3)


def test_bad_frames_must_agree_with_themselves():
    with pytest.raises(ValidationError, match="disagree"):
        BadFrames(frames=3, scores=(1.0, 2.0), frame_sha256=("a" * 64, "b" * 64), missed=0, low=0, high=1)
