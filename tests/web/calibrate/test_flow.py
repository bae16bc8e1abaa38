"""A whole calibration through the real application, from the first frame to the card that is in force."""

from __future__ import annotations

from pathlib import Path

from edge.audit import Action
from edge.audit.verifying import entries
from edge.recipe import Recipe, load_recipe
from tests.calibration.evidence import bad, good
from tests.web.calibrate.parts import (
    URL,
    VIEW,
    archived,
    bad_png,
    begun,
    bench,
    chosen,
    done,
    good_png,
    job_at,
    send,
)
from tests.web.parts import Browser, Rig


def test_every_page_of_the_wizard_in_every_language(rig: Rig, tina: Browser) -> None:
    begun(rig, tina)
    pages = ["/calibrate", URL, f"/cards/{VIEW}", f"/cards/{VIEW}/diff?before=2&after=2"]
    pages += [f"{URL}/{step}" for step in ("frames", "model", "masks", "thresholds", "preview", "challenge", "accept", "done")]
    for language in ("en", "de", "it"):
        tina.client.cookies.set("language", language)
        for path in pages:
            response = tina.get(path)
            assert response.status_code == 200, (path, response.text)
            assert "[calibrate." not in response.text, path
            assert "[jobs." not in response.text, path


def test_from_the_first_frame_to_the_card_in_force(rig: Rig, recipe: Recipe, tina: Browser, tmp_path: Path) -> None:
    archived(tmp_path, recipe, [*good(4, 300), *bad(2)])
    begun(rig, tina, frames=12)
    send(tina, f"{URL}/bad/upload", bad_png(1), bad_png(2))
    chosen(rig, tina)
    page = tina.get(f"{URL}/thresholds").text
    assert "12" in page
    assert "at most 1 in" in page
    done(rig, tina.post(f"{URL}/preview", {"days": "3650"}))
    preview = tina.get(f"{URL}/preview").text
    assert "/changed/0" in preview or "No result would be different" in preview
    accepted = done(rig, tina.post(f"{URL}/accept", {"why": "new lamp"}))
    assert accepted.version == recipe.version + 1
    now = load_recipe(recipe.path)
    assert now.version == accepted.version
    assert now.card is not None
    assert (now.card.who, now.card.why, now.card.method) == ("Tina Vogel", "new lamp", "quantile")
    assert now.card.sha256 == accepted.card
    assert now.card.before == recipe.card.sha256 if recipe.card else True
    assert now.card.pixel_threshold is not None
    assert now.card.bad is not None
    assert now.card.bad.frames == 2
    assert now.card.hashes.camera is not None
    told = list(entries(Path(rig.site.config.state_dir) / "audit"))
    assert any(entry.action is Action.THRESHOLD and entry.who == "Tina Vogel" and entry.why == "new lamp" for entry in told)
    assert bench(rig).desk.state() is None
    after = tina.get(f"{URL}/done").text
    assert "0003" in after
    assert "not in force" in after  # there is no broker here, and the page says so


def test_the_line_is_dragged_within_what_the_frames_support(rig: Rig, recipe: Recipe, tina: Browser) -> None:
    begun(rig, tina)
    chosen(rig, tina, "max")
    at = tina.fetch("GET", f"{URL}/thresholds/at?image=0&kind=max").json()
    assert at["image"] == at["low"]
    far = tina.fetch("GET", f"{URL}/thresholds/at?image=1e9&kind=max").json()
    assert far["image"] == far["high"] > far["low"]
    assert far["promise"]
    middle = (at["low"] + at["high"]) / 2
    assert tina.post(f"{URL}/thresholds", {"kind": "max", "image": str(middle)}).status_code == 200
    assert bench(rig).desk.mine("tina").image_threshold == middle
    outside = tina.post(f"{URL}/thresholds", {"kind": "max", "image": str(far["high"] * 2)})
    assert outside.status_code == 409
    assert "outside" in outside.text
    accepted = done(rig, tina.post(f"{URL}/accept", {"why": "a little higher"}))
    now = load_recipe(recipe.path)
    assert now.version == accepted.version
    assert now.card is not None
    assert now.card.image_threshold == middle
    assert recipe.card is not None
    assert now.card.before == recipe.card.sha256
    assert "Tina Vogel" in tina.get(f"/cards/{VIEW}").text
    again = tina.get(URL).text
    assert 'name="keep"' in again  # the frames are there for the next time


def test_frames_that_are_not_good_are_refused_with_words(rig: Rig, tina: Browser) -> None:
    from tests.web.calibrate.parts import blurred_png

    begun(rig, tina, frames=1)
    one = good_png(100)
    assert done(rig, send(tina, f"{URL}/frames/upload", one, blurred_png(5), bad_png(6), b"no picture at all")) == 1
    page = tina.get(f"{URL}/frames").text
    assert "out of focus" in page or "cannot be laid on the reference" in page
    assert "same file" in page or "same picture" in page
    assert "no picture, or damaged" in page
    assert not list(bench(rig).incoming.iterdir())


def test_a_frame_is_looked_at_and_taken_out(rig: Rig, tina: Browser) -> None:
    begun(rig, tina, frames=3)
    picture = tina.get(f"{URL}/good/0002.png")
    assert picture.headers["content-type"] == "image/jpeg"
    assert tina.post(f"{URL}/frames/remove", {"file": "0002.png"}).status_code == 200
    assert tina.get(f"{URL}/good/0002.png").status_code == 404
    assert tina.post(f"{URL}/frames/remove", {"file": "../../wizard.json"}).status_code == 422
    assert done(rig, send(tina, f"{URL}/frames/upload", good_png(101))) == 1  # no longer a copy
    assert job_at(rig, tina.post(f"{URL}/measure")).state == "failed"  # three are too few


def test_a_promise_that_so_few_frames_cannot_give_can_be_made_smaller(rig: Rig, tina: Browser) -> None:
    begun(rig, tina, frames=8)
    done(rig, tina.post(f"{URL}/measure"))
    refused = tina.post(f"{URL}/thresholds", {"kind": "conformal"})
    assert refused.status_code == 422
    assert "Promised rate: a promise of 1\u00a0% takes 99 frames, there are 8" in refused.text
    assert "--" not in refused.text.partition("<main")[2].partition("</main")[0]
    assert 'value="0.1112"' in tina.get(f"{URL}/thresholds").text
    assert tina.post(f"{URL}/thresholds", {"kind": "conformal", "parameter": "0.1112"}).status_code == 200
    method = bench(rig).desk.mine("tina").method
    assert method is not None
    assert (method.kind, method.alpha) == ("conformal", 0.1112)
    assert tina.post(f"{URL}/thresholds", {"kind": "magic"}).status_code == 422
    assert tina.post(f"{URL}/thresholds", {"kind": "conformal", "parameter": "7"}).status_code == 422
