"""The masks page over HTTP: what it shows, what it takes, and what it refuses."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from edge import masks as rasters
from edge.audit import Action, entries
from edge.recipe import load_recipe, versions
from edge.settings.judging import MaskPolygon
from tests.web.masks.parts import BIN, HOSE, VIEW, Studio, sent, somebody_saves

BASE = f"/masks/{VIEW}"


def order(room: Studio, *masks: MaskPolygon, **changes) -> dict:
    return {"version": room.recipe.version, "masks": sent(*masks), "why": "the hose moves", **changes}


def checked(room: Studio, client: TestClient, *masks: MaskPolygon) -> tuple[str, dict]:
    """The id of a check that is over, and what came of it."""
    answer = client.post(f"{BASE}/check", json={"version": room.recipe.version, "masks": sent(*masks)})
    assert answer.status_code == 202, answer.text
    job = answer.json()["job"]
    return job, room.wait(client, job)


def test_pages_show(still: Studio) -> None:
    client = still.client()
    html = {"accept": "text/html"}
    for path in ("/masks", BASE):
        answer = client.get(path, headers=html)
        assert answer.status_code == 200, answer.text
        assert VIEW in answer.text
        assert "[masks." not in answer.text  # every word is there
        assert "style=" not in answer.text
        assert "<script>" not in answer.text
    assert 'data-width="240"' in client.get(BASE, headers=html).text
    for language in ("de", "it"):
        answer = client.get(BASE, headers={**html, "accept-language": language})
        assert f'lang="{language}"' in answer.text
        assert "[masks." not in answer.text


def test_document_and_reference(still: Studio) -> None:
    room, client = still, still.client()
    told = client.get(f"{BASE}/document").json()
    assert (told["version"], told["masks"], told["bad_frames"]) == (room.recipe.version, [], 1)
    answer = client.get(f"{BASE}/reference.jpg?v={room.recipe.version}")
    picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (180, 240, 3)
    assert np.abs(picture[..., ::-1].astype(int) - room.recipe.reference).mean() < 5
    assert "max-age" in answer.headers["cache-control"]


def test_a_recipe_that_cannot_be_read_is_said_in_its_place(room: Studio, client: TestClient) -> None:
    (room.recipe_path / "current").unlink()
    answer = client.get(BASE, headers={"accept": "text/html"})
    assert answer.status_code == 409
    assert "is no recipe" in answer.text
    assert "is no recipe" in client.get("/masks", headers={"accept": "text/html"}).text
    assert client.get(f"{BASE}/document").status_code == 409


def test_the_share_is_that_of_the_raster(still: Studio) -> None:
    room, client = still, still.client()
    off = MaskPolygon(name="off", points=((0, 0), (1, 0), (1, 1)), enabled=False)
    told = client.post(f"{BASE}/share", json={"version": room.recipe.version, "masks": sent(HOSE, BIN, off)}).json()
    assert told["together"] == rasters.rasterise((HOSE, BIN), (240, 180)).mean()
    assert told["each"][1] == rasters.rasterise((BIN,), (240, 180)).mean()
    assert told["each"][2] == pytest.approx(0.5, abs=0.01)
    assert told["stale"] is True
    assert told["fault"] == ""
    whole = MaskPolygon(name="all", points=((0, 0), (1, 0), (1, 1), (0, 1)))
    assert "whole picture" in client.post(f"{BASE}/share", json={"version": 1, "masks": sent(whole)}).json()["fault"]


def test_masks_that_hide_nothing_are_saved(room: Studio, client: TestClient) -> None:
    before = room.recipe
    job, told = checked(room, client, HOSE)
    assert told["check"]["hidden"] == 0
    assert "still found" in told["check"]["text"]
    answer = client.post(f"{BASE}/save", json=order(room, HOSE, check=job))
    assert answer.status_code == 200, answer.text
    saved = answer.json()
    after = room.recipe
    assert saved["version"] == after.version == before.version + 1
    assert after.masks == (HOSE,)
    assert saved["stale"] is True
    assert "UNDECIDED" in saved["text"]
    assert saved["reload"]["done"] is False  # no broker here; it is saved all the same, and the page says so
    assert after.document.created_by == "A. Meier"
    assert after.document.why == "the hose moves"
    assert after.registration == before.registration
    assert after.card == before.card
    assert (after.folder / "challenge" / "challenge.yaml").exists()
    (entry,) = [entry for entry in entries(room.site.audit.folder) if entry.action is Action.MASK]
    assert (entry.who, entry.why) == ("A. Meier", "the hose moves")
    assert entry.before["version"] == before.version
    assert entry.before["count"] == 0
    assert entry.after["masks"][0]["name"] == "hose"
    assert entry.after["tried"] == {"frames": 1, "hidden": 0}


def test_a_mask_over_a_known_defect_is_named_and_must_be_confirmed(room: Studio, client: TestClient) -> None:
    job, told = checked(room, client, HOSE, BIN)
    (frame,) = told["check"]["frames"]
    assert frame["hidden"]
    assert "bin" in frame["text"]
    assert "hose" not in frame["text"]
    assert frame["name"].startswith("bad-")
    assert frame["note"] == "tablet left"
    (left, top, wide, high), *_ = frame["boxes"]
    assert left < 150 / 240 < left + wide
    assert top < 100 / 180 < top + high
    wish = order(room, HOSE, BIN, check=job)
    refused = client.post(f"{BASE}/save", json=wish)
    assert refused.status_code == 409
    assert refused.json()["confirm"] is True
    assert frame["name"] in refused.json()["error"]
    assert room.recipe.masks == ()
    taken = client.post(f"{BASE}/save", json={**wish, "confirm": "the tablet cannot get there any more"})
    assert taken.status_code == 200, taken.text
    last = [entry for entry in entries(room.site.audit.folder) if entry.action is Action.MASK][-1]
    assert last.after["confirmed"] == "the tablet cannot get there any more"
    assert last.after["hidden"][0]["frame"] == frame["name"]
    assert last.after["hidden"][0]["masks"] == ["bin"]


def test_untried_masks_must_be_confirmed(room: Studio, client: TestClient) -> None:
    job, _ = checked(room, client, HOSE)
    for check in ("", "nonsense", job):  # tried were other masks than these
        refused = client.post(f"{BASE}/save", json=order(room, BIN, check=check))
        assert refused.status_code == 409
        assert "not checked" in refused.json()["error"]
    assert room.recipe.masks == ()


def test_smaller_masks_need_no_check(room: Studio, client: TestClient) -> None:
    assert client.post(f"{BASE}/save", json=order(room, HOSE, confirm="first")).status_code == 200
    off = HOSE.model_copy(update={"enabled": False})
    assert client.post(f"{BASE}/save", json=order(room, off)).status_code == 200
    assert room.recipe.masks == (off,)


def test_a_check_is_its_starters_own(room: Studio, client: TestClient) -> None:
    job, _ = checked(room, client, HOSE)
    assert room.client("roth").get(f"{BASE}/check/{job}").status_code == 404
    refused = room.client("roth").post(f"{BASE}/save", json=order(room, HOSE, check=job))
    assert refused.status_code == 409
    assert refused.json()["confirm"] is True


def test_somebody_elses_save_meanwhile_is_a_conflict_in_words(room: Studio, client: TestClient) -> None:
    wish = order(room, HOSE, confirm="no frames yet")
    number = somebody_saves(room.recipe_path)
    refused = client.post(f"{BASE}/save", json=wish)
    assert refused.status_code == 409
    told = refused.json()
    assert told["current"]["version"] == number
    assert told["current"]["who"] == "B. Roth"
    assert "B. Roth" in told["error"]
    assert "quicker" in told["error"]
    assert versions(room.recipe_path)[-1] == number
    assert not [entry for entry in entries(room.site.audit.folder) if entry.action is Action.MASK]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"why": "  "}, "why"),
        ({"why": "x" * 2001}, "why"),
        ({"version": 0}, "version"),
        ({"masks": sent(HOSE, HOSE)}, "hose"),
        ({"masks": [{**sent(HOSE)[0], "name": "a\u202eb"}]}, "name"),
        ({"masks": [{**sent(HOSE)[0], "name": ""}]}, "name"),
        ({"masks": [{**sent(HOSE)[0], "points": [[0, 0], [1, 1]]}]}, "at least 3"),
        ({"masks": [{**sent(HOSE)[0], "points": [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]}]}, "no area"),
        ({"masks": [{**sent(HOSE)[0], "points": [[0, 0], [1.1, 0], [1, 1]]}]}, "1.1"),
        ({"masks": [{**sent(HOSE)[0], "points": [[0, 0], [1, 0], [1, 1]] * 3400}]}, "2000"),
        ({"masks": [{**sent(HOSE)[0], "surprise": 1}]}, "surprise"),
        ({"masks": "none"}, "masks"),
    ],
)
def test_hostile_masks_are_refused_in_words(still: Studio, change: dict, says: str) -> None:
    before = versions(still.recipe_path)
    answer = still.client().post(f"{BASE}/save", json={**order(still, HOSE), **change})
    assert answer.status_code == 422
    assert says in json.dumps(answer.json(), ensure_ascii=False)
    assert versions(still.recipe_path) == before


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000, b'{"version":1,"masks":[],"why":"x","version":NaN}',
        b'{"version":' + b"9" * 5000 + b',"masks":[],"why":"x"}',
        b'{"version":1,"why":"x","masks":[{"name":"a","points":[[NaN,0],[1,0],[1,1]]}]}',
        b'{"version":1,"why":"x","masks":[{"name":"a","points":[[1e999,0],[1,0],[1,1]]}]}',
    ],
)  # fmt: skip
def test_hostile_bodies_are_refused(still: Studio, body: bytes) -> None:
    client = still.client()
    for path in ("share", "check", "save"):
        answer = client.post(f"{BASE}/{path}", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 422, (path, answer.status_code, answer.text)
        assert answer.json()["error"]


def test_names_are_any_text_that_people_can_read(room: Studio, client: TestClient) -> None:
    wild = HOSE.model_copy(update={"name": "<b>Schlauch & „Kessel“ 管路</b>"})
    assert client.post(f"{BASE}/save", json=order(room, wild, confirm="new")).status_code == 200
    assert room.recipe.masks[0].name == wild.name
    assert "<b>Schlauch" not in client.get(BASE, headers={"accept": "text/html"}).text


def test_masks_that_leave_nothing_to_register_by_are_refused(room: Studio, client: TestClient) -> None:
    most = MaskPolygon(name="most", points=((0, 0), (1, 0), (1, 0.97), (0, 0.97)))
    for whole in (most, most.model_copy(update={"points": ((0, 0), (1, 0), (1, 1), (0, 1))})):
        answer = client.post(f"{BASE}/save", json=order(room, whole, confirm="yes"))
        assert answer.status_code == 409
        assert answer.json()["error"]
        assert "current" not in answer.json()
    assert room.recipe.masks == ()


@pytest.mark.parametrize(("who", "status"), [("operator", 403), ("other", 404)])
def test_too_little_right_changes_nothing(still: Studio, who: str, status: int) -> None:
    client = still.client(who)
    for path in ("", "/document", "/reference.jpg", "/density", "/density.png", "/check/x"):
        assert client.get(BASE + path).status_code == status, path
    for path in ("/save", "/share", "/check", "/import"):
        assert client.post(BASE + path, json=order(still, HOSE)).status_code == status, path
    assert load_recipe(still.recipe_path).masks == ()


def test_nobody_and_a_forged_token_get_nothing(still: Studio) -> None:
    client = still.client()
    forged = client.post(f"{BASE}/save", json=order(still, HOSE), headers={"x-csrf-token": "0" * 32})
    assert forged.status_code == 403
    client.cookies.clear()
    assert client.get(f"{BASE}/document").status_code == 401
    assert client.post(f"{BASE}/save", json=order(still, HOSE)).status_code in (401, 403)
    assert client.get("/masks/..%2f..%2fetc", headers={"accept": "application/json"}).status_code in (401, 404)


def test_unknown_views_and_versions(still: Studio) -> None:
    client = still.client()
    assert client.get("/masks/back/document").status_code == 404
    assert client.post(f"{BASE}/share", json={"version": 99, "masks": []}).status_code == 409
    assert client.get(f"{BASE}/reference.jpg?v=99").status_code == 409
    assert client.get(f"{BASE}/density?days=3").status_code == 422
