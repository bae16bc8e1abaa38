"""The pages of a station without a broker: what is archived is shown, what is live says that it is not, rights hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.web.access import Role, User
from calibration.web.clearance.viewing import await_archived
from edge.archive import Archive, Evidence
from edge.cameras.images import read_image
from edge.publishers.payloads import clearance_body
from edge.settings.archive import ArchiveSettings
from edge.types import Judgement, Origin, Outcome, Verdict, ViewResult
from tests.cli.running import IMAGES
from tests.web.clearance.parts import form_of, hidden
from tests.web.clearance.test_releasing import clearance
from tests.web.parts import PASSWORD, Browser, Rig, running_page, write_station

START = datetime.now(timezone.utc) - timedelta(minutes=1)
IDENTITY = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
BOX = {"x": 10.0, "y": 20.0, "width": 30.0, "height": 40.0}
HOSTILE = (
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "a" * 3000,
    "'; DROP TABLE entries; --",
    "<script>alert(1)</script>",
)


def body(result_id: str, view: str) -> dict[str, object]:
    region = {"box": BOX, "frameBox": BOX, "centroid": [25, 40], "frameCentroid": [25, 40], "areaPx": 900.0, "peak": 7.5}
    return {
        "schema": "lineclear/result/1", "resultId": result_id, "view": view, "outcome": "FAIL", "score": 7.5, "threshold": 2.0,
        "pixelThreshold": 1.0, "regionCount": 1, "regions": [region], "recipe": view, "recipeVersion": 2, "product": "",
        "alignment": {"trusted": True, "frameToReference": IDENTITY},
    }  # fmt: skip


def fill(folder: Path) -> None:
    """A clearance whose nest failed, with one frame of each view, and one verdict that has a document only."""
    frame = read_image(IMAGES[0])
    scores = np.zeros((16, 24), np.float32)
    scores[4, 6] = 8.0
    to_reference = np.diag([frame.shape[1] / 24, frame.shape[0] / 16, 1.0])
    views = []
    with Archive(folder, ArchiveSettings(min_free_bytes=0, pass_share=1.0)) as archive:
        for view in ("feeder", "nest"):
            result_id = f"v-{view}"
            archive.submit(
                Evidence(
                    result_id, "verdict", "FAIL", "", START, body(result_id, view), view=view, batch="B-1", clearance_id="1",
                    recipe=view, recipe_version=2, score=7.5, threshold=2.0, frame=frame, anomaly_map=scores,
                    map_to_reference=to_reference,
                )
            )  # fmt: skip
            verdict = Verdict(result_id, Judgement(Outcome.FAIL, score=7.5, threshold=2.0), Origin(view, 1, 1, START), START)
            views.append(ViewResult(view, Outcome.FAIL, None, (verdict,)))
        archive.submit(Evidence("v-bare", "verdict", "FAIL", "", START, body("v-bare", "nest"), view="nest", clearance_id="1"))
        whole = replace(clearance(*views), requested_at=START, decided_at=START)
        archive.submit(
            Evidence(whole.result_id, "clearance", "NOT_CLEAR", "", START, clearance_body(whole), batch="B-1", clearance_id="1")
        )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = write_station(tmp_path)
    fill(tmp_path / "state" / "archive")
    return path


@pytest.fixture
def narrow(rig: Rig) -> Browser:
    """Somebody who may see the feeder only."""
    rig.site.users.add(User("narrow", "N. Eng", Role.OPERATOR, may_release=True, views=("feeder",)), PASSWORD, who="the test")
    return rig.signed_in("narrow")


def test_without_a_broker_no_clearance_starts_and_the_page_says_why(operator: Browser) -> None:
    page = operator.get("/clearance")
    assert page.status_code == 200
    assert "No clearance can be started now" in page.text
    assert "B1" in page.text
    fields = {"request_id": hidden(page.text, "request_id"), "batch": "B-9", "product": "aspirin"}
    refused = operator.post("/clearance", fields)
    assert refused.status_code == 409
    assert 'value="B-9"' in refused.text
    assert hidden(refused.text, "request_id") == fields["request_id"]
    live = operator.fetch("GET", "/clearance/live/now.json").json()
    assert (live["ready"], live["running"]) == (False, "")


def test_a_form_that_is_not_whole_is_shown_again(operator: Browser) -> None:
    page = operator.get("/clearance").text
    again = operator.post("/clearance", {"request_id": hidden(page, "request_id"), "batch": "a/b", "product": ""})
    assert again.status_code == 422
    assert again.text.count('class="problem" id="p-') == 2
    assert operator.post("/clearance", {"request_id": "plc-1", "batch": "B", "product": "p"}).status_code == 400


def test_a_clearance_is_shown_with_its_pictures(operator: Browser) -> None:
    page = operator.get("/clearance/clearance-1")
    assert page.status_code == 200
    assert 'data-outcome="NOT_CLEAR"' in page.text
    for name in ("frame.jpg?width=small", "reference.jpg", "heat.png"):
        assert f"/viewer/v-nest/{name}" in page.text
    assert 'data-box="10.0 20.0 30.0 40.0"' in page.text
    assert "style=" not in page.text
    assert operator.fetch("GET", "/clearance/clearance-1/evidence.json").json() == {"there": True}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("frame.jpg", "jpeg"), ("frame.jpg?width=full", "jpeg"), ("reference.jpg", "jpeg"), ("heat.png", "png")],
)
def test_frame_reference_and_heat_map_have_one_shape(viewer: Browser, name: str, kind: str) -> None:
    answer = viewer.get(f"/viewer/v-nest/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"image/{kind}")
    image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert image.shape[:2] == read_image(IMAGES[0]).shape[:2]


def test_a_result_without_evidence_says_so(viewer: Browser) -> None:
    for name in ("frame.jpg", "heat.png", "overlay"):
        assert viewer.get(f"/viewer/v-bare/{name}").status_code == 404
    assert viewer.get("/viewer/v-bare/reference.jpg").status_code == 200
    assert viewer.get("/viewer/v-nest/frame.jpg?width=100000").status_code == 422


def test_a_view_that_a_person_may_not_see_is_not_there(narrow: Browser) -> None:
    page = narrow.get("/clearance/clearance-1").text
    assert "nest" not in page
    assert "1 of them did not pass" in page
    for name in ("frame.jpg", "reference.jpg", "heat.png", "overlay"):
        assert narrow.get(f"/viewer/v-nest/{name}").status_code == 404
        assert narrow.get(f"/viewer/v-nothing/{name}").status_code == 404
    assert narrow.get("/viewer/v-feeder/frame.jpg").status_code == 200
    assert narrow.post("/clearance/clearance-1/look", {"view": "nest"}).status_code == 404
    removed = form_of(page, "/removed")
    fields = {"request_id": hidden(removed, "request_id"), "view": "nest", "why": "x"}
    assert narrow.post("/clearance/clearance-1/removed", fields).status_code == 404
    assert narrow.post("/clearance/clearance-1/release", fields).status_code == 404
    assert narrow.get("/clearance/reports/batch?batch=B-1").status_code == 403


def test_who_may_only_look_can_do_nothing(viewer: Browser) -> None:
    page = viewer.get("/clearance").text
    assert "request_id" not in page
    assert "/removed" not in viewer.get("/clearance/clearance-1").text
    for path in ("", "/cancel", "/clearance-1/removed", "/clearance-1/look", "/clearance-1/release", "/orders/page-1/again"):
        assert viewer.post(f"/clearance{path}", {"request_id": "page-1", "cancels": "x", "view": "nest"}).status_code == 403


def test_an_operator_without_the_right_cannot_release(operator: Browser) -> None:
    assert "You have not the right to release" in operator.get("/clearance/clearance-1").text
    fields = {"request_id": "page-1", "view": "nest", "why": "x", "looked": "yes", "password": PASSWORD}
    assert operator.post("/clearance/clearance-1/release", fields).status_code == 403


def test_nobody_sees_anything(nobody: Browser) -> None:
    shown = ("/clearance", "/clearance/clearance-1", "/clearance/orders/page-1", "/viewer/v-nest/frame.jpg")
    for path in (*shown, "/clearance/reports/batch.html?batch=B-1"):
        answer = nobody.get(path, follow_redirects=False)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in?next=")
    assert nobody.fetch("GET", "/clearance/live/now.json").status_code == 401


def test_hostile_names_lead_nowhere(operator: Browser) -> None:
    for name in HOSTILE:
        for path in (f"/clearance/{name}", f"/clearance/orders/{name}", f"/clearance/looks/{name}", f"/viewer/{name}/overlay"):
            answer = operator.get(path)
            assert answer.status_code in (400, 404, 414), (path, answer.status_code)
            assert "<script>alert" not in answer.text
        shown = operator.get("/clearance", params={"batch": name[:200], "product": name[:200], "again": name[:200]})
        assert "<script>alert" not in shown.text
        assert operator.get("/clearance/reports/batch", params={"batch": name[:120]}).status_code == 404


def test_a_token_of_nobody_is_refused(operator: Browser) -> None:
    page = operator.get("/clearance").text
    fields = {"request_id": hidden(page, "request_id"), "batch": "B", "product": "p", "csrf": "forged"}
    assert operator.post("/clearance", fields).status_code == 403


def test_the_batch_report_is_one_page_of_its_own(operator: Browser) -> None:
    page = operator.get("/clearance/reports/batch?batch=B-1")
    assert page.status_code == 200
    assert 'src="/clearance/reports/batch.html?batch=B-1"' in page.text
    alone = operator.get("/clearance/reports/batch.html?batch=B-1")
    assert alone.headers["content-type"].startswith("text/html")
    assert "Line clearance, batch B-1" in alone.text
    assert "<script" not in alone.text
    pdf = operator.get("/clearance/reports/batch.pdf?batch=B-1")
    assert pdf.content.startswith(b"%PDF-")
    assert pdf.headers["content-disposition"] == 'attachment; filename="clearance-B-1.pdf"'


def test_the_report_has_a_policy_of_its_own_without_scripts(operator: Browser) -> None:
    around = operator.get("/clearance/reports/batch?batch=B-1").headers["content-security-policy"]
    assert "frame-src 'self'" in around
    assert "script-src 'self'" in around
    assert "unsafe" not in around
    alone = operator.get("/clearance/reports/batch.html?batch=B-1").headers
    assert alone["x-frame-options"] == "SAMEORIGIN"
    policy = alone["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "allow-scripts" not in policy
    assert "sandbox" in policy


def test_a_station_without_an_archive_says_so(tmp_path: Path) -> None:
    path = write_station(tmp_path / "bare", archive={"enabled": False}) if (tmp_path / "bare").mkdir() is None else tmp_path
    with running_page(path) as rig:
        browser = rig.signed_in("otto")
        assert browser.get("/clearance").status_code == 200
        assert browser.get("/clearance/clearance-1").status_code == 404
        assert browser.get("/viewer/v-nest/frame.jpg").status_code == 404


def test_a_live_frame_is_waited_for_while_the_archive_writes(rig: Rig) -> None:
    assert await_archived(rig.site, "v-nest", 0)
    assert not await_archived(rig.site, "v-bare", 0.1), "it has no frame"
    assert not await_archived(rig.site, "nosuch", 0)


def test_without_an_archive_nothing_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    with running_page(write_station(tmp_path / "bare", archive={"enabled": False}), users=False) as rig:
        assert not await_archived(rig.site, "v-nest", 60)
