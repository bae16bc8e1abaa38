"""The page against a real station over a real Mosquitto: pictures, focus, a new reference, the camera's settings."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from calibration.web.pages import camera
from edge.audit import Action, entries
from edge.recipe import save
from edge.recipe.writing import Content
from edge.settings.judging import MaskPolygon
from tests.web.camera.conftest import Place, running_place, until


def why_not(place: Place) -> str:
    judgement = place.station.views["front"].seating.why_not
    return judgement.reason.code.value if judgement is not None and judgement.reason is not None else ""


def actions(place: Place, action: Action) -> list[str]:
    return [entry.who for entry in entries(place.folder / "state" / "audit") if entry.action is action]


def test_a_picture_is_taken_kept_and_read(place: Place) -> None:
    result_id = place.take()
    page = place.browser.get(f"/camera/front?result={result_id}").text
    assert "The picture lies on the reference" in page
    assert page.count('class="held"') >= 10
    sharp = float(re.search(r'id="focus-value">(\d+)', page)[1])  # type: ignore[index]
    assert 80 <= sharp <= 125
    picture = place.browser.get(f"/reference/front/frame/{result_id}/picture.jpg?on=reference")
    image = cv2.imdecode(np.frombuffer(picture.content, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (240, 320, 3)
    place.wait_for_pace()


def test_the_focus_helper_says_how_sharp_and_is_held_back_when_it_asks_too_fast(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = place.browser.fetch("POST", "/camera/front/reading", {})
    assert whole.status_code == 200, whole.text
    told = whole.json()
    assert 80 <= told["sharpness"] <= 125
    assert told["registered"] is True
    assert told["advice"] == "good"
    assert sum(told["histogram"]) == pytest.approx(1)
    with monkeypatch.context() as patience:
        patience.setattr(camera, "LEAST_S", 3600.0)
        again = place.browser.fetch("POST", "/camera/front/reading", {})
    assert again.status_code == 429
    assert "too fast" in again.json()["error"]
    place.wait_for_pace()
    place.show(fault="blurred")
    soft = place.browser.fetch("POST", "/camera/front/reading", {"x": 0.2, "y": 0.2, "width": 0.5, "height": 0.5}).json()
    assert soft["sharpness"] < 20
    place.wait_for_pace()
    place.show(light=2.5)
    bright = place.browser.fetch("POST", "/camera/front/reading", {}).json()
    assert bright["advice"] in ("saturated", "brighter")
    assert bright["advice_text"]
    place.show()
    place.wait_for_pace()
    assert place.browser.fetch("POST", "/camera/front/reading", {"x": 0.9, "width": 0.5}).status_code == 422
    assert place.browser.fetch("POST", "/camera/front/reading", {"zoom": 1}).status_code == 422
    place.wait_for_pace()


def test_the_camera_is_set_shown_and_set_back(place: Place) -> None:
    page = place.browser.get("/camera/front").text
    assert 'id="knob-exposure_us"' in page
    assert 'max="20000"' in page
    low = place.browser.post("/camera/front/settings", {"exposure_us": "500", "gain_db": "0", "why": "w"})
    assert low.status_code == 409
    assert "lies outside 1000 to 20000" in low.text
    assert place.browser.post("/camera/front/settings", {"exposure_us": "dark", "gain_db": "0", "why": "w"}).status_code == 409
    assert place.browser.post("/camera/front/settings", {"exposure_us": "5000", "gain_db": "0", "why": " "}).status_code == 422
    done = place.browser.post("/camera/front/settings", {"exposure_us": "5000", "gain_db": "0", "why": "a brighter lamp"})
    assert done.status_code == 200
    assert "The thresholds do not fit it" in done.text
    assert "a brighter lamp" in done.text
    assert "The thresholds were taken with other camera settings" in done.text
    assert why_not(place) == "card_stale"
    until(lambda: place.rig.site.mirror.now().state["views"][0]["cameraAdjusted"] == {"exposure_us": 5000})
    back = place.browser.post("/camera/front/reset", {"why": "the old lamp again"})
    assert "and the thresholds fit" in back.text
    assert why_not(place) == ""
    assert actions(place, Action.CAMERA) == ["Tina Vogel"] * 2


def test_who_may_not_calibrate_may_not_see_or_set(place: Place) -> None:
    otto = place.rig.signed_in("otto")
    for path in ("/reference", "/reference/front", "/camera/front", "/reference/front/picture.jpg"):
        assert otto.get(path).status_code == 403
    for path in ("/camera/front/settings", "/camera/front/reset", "/camera/front/shot", "/reference/front/candidate"):
        assert otto.post(path, {"why": "w", "source": "now", "exposure_us": "5000", "gain_db": "0"}).status_code == 403
    nobody = place.rig.browser()
    assert nobody.fetch("POST", "/camera/front/reading", {}).status_code in (401, 403)
    forged = place.rig.signed_in("tina")
    forged.csrf = "x" * 40
    assert forged.post("/camera/front/reset", {"why": "w"}).status_code == 403
    assert why_not(place) == ""


@pytest.mark.parametrize("view", ["back", "front%00", "%2e%2e%2fstate", "x" * 300])
def test_other_views_are_not_there(place: Place, view: str) -> None:
    for path in (f"/reference/{view}", f"/camera/{view}", f"/reference/{view}/picture.jpg"):
        assert place.browser.get(path).status_code == 404


@pytest.mark.parametrize("result_id", ["none", "%2e%2e%2fcard.json", "a" * 400])
def test_other_pictures_are_not_there(place: Place, result_id: str) -> None:
    assert place.browser.get(f"/reference/front/frame/{result_id}/picture.jpg").status_code in (404, 409)
    assert place.browser.get("/camera/front", params={"result": result_id}).status_code == 409
    assert place.browser.get(f"/reference/front/candidate/{result_id}").status_code == 404


def test_a_new_reference_from_now_with_masks_carried_over(tmp_path: Path) -> None:
    """The camera was moved: the new reference lies elsewhere, and so do the masks on it."""
    with running_place(tmp_path) as place:
        old = place.recipe()
        mask = MaskPolygon(name="hose", points=((0.3, 0.3), (0.5, 0.3), (0.5, 0.5)))
        save(old.path, Content(old.document, old.bundle, old.reference, (mask,), old.card))
        place.show(shift_px=(9.0, -6.0))
        compared = place.browser.post("/reference/front/candidate", {"source": "now"})
        assert compared.status_code == 200, compared.text
        assert "but from a little elsewhere" in compared.text
        name = re.search(r"/candidate/([\w-]+)/save", compared.text)[1]  # type: ignore[index]
        shown = re.search(r"([\d.]+) px to the (right|left), ([\d.]+) px (down|up)", compared.text)
        assert shown is not None
        right = float(shown[1]) * (1 if shown[2] == "right" else -1)
        down = float(shown[3]) * (1 if shown[4] == "down" else -1)
        assert np.hypot(right, down) == pytest.approx(np.hypot(9, 6), abs=1.0)
        assert place.browser.get(f"/reference/front/candidate/{name}/picture.jpg?on=old").status_code == 200
        assert place.rig.signed_in("anna").get(f"/reference/front/candidate/{name}").status_code == 404, "hers it is not"
        assert place.browser.post(f"/reference/front/candidate/{name}/save", {"why": " "}).status_code == 422
        saved = place.browser.post(f"/reference/front/candidate/{name}/save", {"why": "bracket changed", "masks": "carried"})
        assert saved.status_code == 200, saved.text
        assert "is saved with the new reference" in saved.text
        new = place.recipe()
        assert (new.version, new.document.created_by, new.document.why) == (old.version + 2, "Tina Vogel", "bracket changed")
        before, after = np.array(mask.points), np.array(new.masks[0].points)
        moved = (after - before) * (319, 239)
        assert moved == pytest.approx(np.tile([right, down], (3, 1)), abs=0.6)
        assert why_not(place) in ("", "card_stale")
        assert actions(place, Action.REFERENCE) == ["Tina Vogel"]
        gone = place.browser.post(f"/reference/front/candidate/{name}/save", {"why": "again"})
        assert gone.status_code == 404


def test_of_two_who_save_the_second_is_told(place: Place) -> None:
    names = []
    for _ in range(2):
        compared = place.browser.post("/reference/front/candidate", {"source": "now"})
        names.append(re.search(r"/candidate/([\w-]+)/save", compared.text)[1])  # type: ignore[index]
    with ThreadPoolExecutor(2) as both:
        answers = list(
            both.map(
                lambda name: place.rig.signed_in("tina").post(f"/reference/front/candidate/{name}/save", {"why": "w"}), names
            )
        )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


def test_several_are_merged_as_a_job(place: Place) -> None:
    place.show()
    results = []
    for _ in range(4):
        results.append(place.take())
        place.wait_for_pace()
    assert place.browser.post("/reference/front/candidate", {"source": "archive", "method": "median"}).status_code == 422
    two = {"source": "archive", "method": "median", "result": results[:2]}
    assert "Choose 3 to 12" in place.browser.post("/reference/front/candidate", two).text
    both = {"source": "archive", "method": "one", "result": results[:2]}
    assert "exactly one" in place.browser.post("/reference/front/candidate", both).text
    waiting = place.browser.post("/reference/front/candidate", {"source": "archive", "method": "median", "result": results})
    path = str(waiting.url.path)

    def made() -> Any:
        found = place.browser.get(path)
        return found if "/candidate/" in str(found.url) else None

    page = until(made)
    assert "4 pictures, merged" in page.text
    assert place.rig.signed_in("anna").get(path).status_code == 404
    assert place.browser.post(str(page.url.path) + "/drop").status_code == 200
    assert place.browser.get(str(page.url.path)).status_code == 404


def test_the_move_of_the_camera_is_seen_in_the_trend(tmp_path: Path) -> None:
    with running_place(tmp_path) as place:
        for shift in [(0.0, 0.0)] * 5 + [(5.0, 2.0)] * 5:
            place.show(shift_px=shift)
            place.take()
            place.wait_for_pace()
        page = place.browser.get("/camera/front").text
        assert "The camera was moved between" in page
        assert page.count("<polyline") >= 3
        place.browser.post("/me/language", {"language": "de"})
        assert "Die Kamera wurde bewegt zwischen" in place.browser.get("/camera/front").text


def test_a_recipe_that_cannot_be_used_is_said_and_the_camera_may_still_be_set(tmp_path: Path) -> None:
    with running_place(tmp_path) as place:
        (place.recipe().folder / "reference.png").write_bytes(b"no picture")
        shown = place.browser.get("/camera/front")
        assert shown.status_code == 409
        assert 'id="knob-exposure_us"' in shown.text
        assert place.browser.get("/reference/front").status_code == 409
        assert place.browser.get("/reference").status_code == 200
