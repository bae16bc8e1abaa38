"""Numbers in words: why a method cannot work, how a threshold is written, what thresholds no longer match."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

import pytest
from annotated_types import Ge, Gt, Le
from hypothesis import given
from hypothesis import strategies as st

from calibration.methods import KINDS, Method
from calibration.web.language.words import LANGUAGES, load_words
from calibration.web.pages.calibrate_choice import PARAMETERS
from calibration.web.pages.calibrate_words import shortage_line
from calibration.web.wizard import shortage as shortages
from calibration.web.wizard.digits import digits_for, meant, written
from calibration.web.wizard.holding import CHANGES, holding
from calibration.web.wizard.shortage import shortage
from edge.cameras.adjustments import Adjusted, Adjustments
from edge.recipe import Content, Recipe, save
from edge.settings.cameras import hash_of_camera
from edge.settings.judging import MaskPolygon
from tests.web.calibrate.parts import URL, begun, bench, chosen, done, wizard_page
from tests.web.parts import Browser, Rig

SIZES = st.floats(1e-3, 1e4)


@pytest.mark.parametrize(
    ("method", "good", "bad", "kind", "needed"),
    [
        (Method(kind="conformal", alpha=0.05), 12, 0, "promise", 19),
        (Method(kind="conformal", alpha=0.05), 19, 0, "other", 0),
        (Method(kind="extreme"), 120, 0, "tail_frames", 400),
        (Method(kind="extreme"), 500, 0, "tail", 400),
        (Method(kind="cost"), 40, 3, "bad_frames", 5),
        (Method(kind="cost"), 40, 9, "cost", 5),
        (Method(kind="max"), 4, 0, "other", 0),
    ],
)
def test_a_refusal_is_told_by_its_numbers(method: Method, good: int, bad: int, kind: str, needed: int) -> None:
    found = shortage(method, good, bad)
    assert (found.kind, found.needed) == (kind, needed)
    words = load_words()
    for language in LANGUAGES:
        text = shortage_line(lambda key, language=language, **values: words.say(language, key, **values), found)
        assert "--" not in text
        assert "[calibrate" not in text
        if needed and kind in ("promise", "tail_frames", "bad_frames"):
            assert str(needed) in text


def test_every_word_is_there_for_whatever_there_is_to_say() -> None:
    keys = [f"lacks.{kind}" for kind in shortages.KINDS] + [f"stale.{what}" for what in CHANGES]
    keys += [f"{part}.{kind}" for kind in KINDS for part in ("method", "when", "parameter")]
    assert all(load_words().knows(f"calibrate.{key}") for key in keys)


def test_parameters_are_those_of_the_method() -> None:
    for name, low, high in PARAMETERS.values():
        limits = Method.model_fields[name].metadata
        least = [one.ge if isinstance(one, Ge) else one.gt for one in limits if isinstance(one, (Ge, Gt))]
        most = [one.le for one in limits if isinstance(one, Le)]
        assert least[0] <= low < high == most[0]


@given(SIZES, SIZES)
def test_a_hundred_places_of_a_band_look_different(low: float, span: float) -> None:
    digits = digits_for(low, low + span)
    assert 4 <= digits <= 12
    places = {written(low + span * number / 100, digits) for number in range(101)}
    assert len(places) == 101 or digits == 12


@given(SIZES, SIZES)
def test_what_is_written_means_the_exact_number_again(low: float, span: float) -> None:
    exact = (low + span / 3, low, low + span)
    digits = digits_for(low, low + span)
    for number in exact:
        assert meant(float(written(number, digits)), digits, (number, *exact)) == number
    assert meant(low - 1, digits, exact) == low - 1


def test_a_band_of_one_place_is_written_with_four_digits() -> None:
    assert digits_for(2.987768174499753, 2.987768174499753) == 4
    assert written(2.987768174499753, 4) == "2.988"


def test_the_field_shows_few_digits_and_sends_all(rig: Rig, tina: Browser) -> None:
    begun(rig, tina)
    chosen(rig, tina, "max")
    page = tina.get(f"{URL}/thresholds").text
    shown = re.search(r'id="image"[^>]* value="([^"]+)"', page)
    exact = re.search(r'id="exact" value="([^"]+)"', page)
    assert shown is not None
    assert exact is not None
    assert len(shown[1]) <= 7 < len(exact[1])
    at = tina.fetch("GET", f"{URL}/thresholds/at?image=1e9&kind=max").json()
    end = written(at["high"], digits_for(at["low"], at["high"]))
    assert tina.post(f"{URL}/thresholds", {"kind": "max", "image": end, "exact": exact[1]}).status_code == 200
    assert bench(rig).desk.mine("tina").image_threshold == at["high"], "the end of the band, not what it is rounded to"
    assert tina.post(f"{URL}/thresholds", {"kind": "max", "image": end, "back": "yes"}).status_code == 200
    assert bench(rig).desk.mine("tina").image_threshold is None
    outside = tina.post(f"{URL}/thresholds", {"kind": "max", "image": "nan"})
    assert outside.status_code in (409, 422)
    wrong = tina.post(f"{URL}/thresholds", {"kind": "quantile", "parameter": "2"})
    assert wrong.status_code == 422
    assert "between 0.95 and 0.999" in wrong.text


def test_what_was_changed_is_named_in_the_readers_language(rig: Rig, recipe: Recipe, tina: Browser) -> None:
    assert holding(bench(rig)).what == ()
    mask = MaskPolygon(name="hose", points=((0.05, 0.7), (0.25, 0.7), (0.25, 0.9)))
    save(recipe.path, Content(recipe.document, recipe.bundle, recipe.reference, (mask,), recipe.card))
    assert holding(bench(rig)).what == ("masks",)
    tina.client.cookies.set("language", "de")
    for path in ("/calibrate", "/cards/front"):
        assert "Die Masken wurden geändert, seit" in tina.get(path).text
    save(recipe.path, Content(recipe.document, recipe.bundle, recipe.reference, (), None))
    assert holding(bench(rig)).what == ("no_card",)
    (recipe.path / "current").unlink()
    found = holding(bench(rig))
    assert found.what == ("unusable",)
    assert found.trouble
    assert "Das Rezept ist nicht verwendbar" in tina.get("/calibrate").text


def test_a_camera_that_was_set_since_is_the_cameras_of_the_new_card(tmp_path: Path) -> None:
    """Else the new card would be stale as soon as it is in force."""
    camera = {"kind": "simulated", "scene": 3, "size_wh": [240, 180], "rate_hz": 10, "exposure_us": 10_000}
    folder = str(tmp_path / "recipes" / "front")
    views = {"front": {"recipe": folder, "camera": camera, "adjustable": {"exposure_us": [1000, 20_000]}}}
    with wizard_page(tmp_path, views=views) as (rig, _):
        own = rig.site.config.views["front"].camera
        adjusted = Adjusted(
            values={"exposure_us": 5000}, camera=hash_of_camera(own), who="Tina Vogel", why="a brighter lamp",
            at=datetime.now(timezone.utc),
        )  # fmt: skip
        Adjustments(rig.site.config).keep("front", adjusted)
        tina = rig.signed_in("tina")
        begun(rig, tina)
        chosen(rig, tina)
        done(rig, tina.post(f"{URL}/accept", {"why": "a brighter lamp"}))
        assert holding(bench(rig)).what == ()
        card = bench(rig).in_force().card
        assert card is not None
        assert card.hashes.camera not in (None, hash_of_camera(own))
        Adjustments(rig.site.config).keep("front", None)
        assert holding(bench(rig)).what == ("camera",)
        assert "The camera was set differently" in tina.get("/calibrate").text
