"""A line that is cleared from the page: real station, real broker, simulated cameras with something left behind."""

from __future__ import annotations

import html
import re

from calibration.web.clearance.forms import new_request_id
from tests.web.clearance.parts import Line, answered, cleared, form_of, hidden, outcome, start
from tests.web.parts import PASSWORD, Browser


def test_an_empty_line_is_clear(line: Line) -> None:
    line.clean()
    browser = line.browser("otto")
    page = cleared(browser, "B-clean")
    assert outcome(page) == "CLEAR"
    assert "B-clean" in page.text


def test_a_leftover_is_found_removed_and_checked_again(line: Line) -> None:
    line.leftover()
    browser = line.browser("otto")
    page = cleared(browser, "B-left")
    assert outcome(page) == "NOT_CLEAR"
    form = form_of(page.text, "/removed")
    line.clean()
    fields = {"request_id": hidden(form, "request_id"), "view": "nest", "why": "a tablet"}
    again = browser.post(f"{page.url.path}/removed", fields)
    checked = answered(browser, again)
    assert outcome(checked) == "CLEAR"
    assert page.url.path in checked.text


def attempt(browser: Browser, path: str, fields: dict[str, str]) -> str:
    """What the page says to a release that is not done."""
    answer = browser.post(f"{path}/release", fields)
    assert answer.url.path == path, answer.url
    assert outcome(answer) == "NOT_CLEAR"
    found = re.search(r'<div class="message error".*?<p>(.*?)</p>', answer.text, re.DOTALL)
    assert found is not None
    return html.unescape(found.group(1))


def test_a_release_needs_a_look_a_reason_and_the_password(line: Line) -> None:
    line.leftover()
    browser = line.browser("meier")
    page = cleared(browser, "B-refused")
    path = page.url.path
    fields = {
        "request_id": new_request_id(),
        "view": "nest",
        "snapshot": "",
        "looked": "yes",
        "why": "lamp",
        "password": PASSWORD,
    }
    assert "live frame" in attempt(browser, path, fields)
    taken = browser.post(f"{path}/look", {"view": "nest"}).text
    fields = release_form(taken)
    assert "not shown on this screen" in attempt(browser, path, fields)
    assert browser.get(f"/clearance/looks/{fields['snapshot']}").status_code == 200
    assert "reason" in attempt(browser, path, {**fields, "why": "  "}).lower()
    assert "Confirm" in attempt(browser, path, {**fields, "looked": ""})
    assert "password" in attempt(browser, path, {**fields, "password": "drei rote Gabeln"}).lower()
    assert "newer live frame" in attempt(browser, path, {**fields, "snapshot": "another"})
    assert browser.post(f"{path}/release", {**fields, "view": "nothing"}).status_code == 404
    assert browser.post(f"{path}/release", {**fields, "request_id": "plc-1"}).status_code == 400
    assert "passed" in attempt(browser, path, {**fields, "view": "feeder"})
    # Nobody else's look counts, and a name that the station does not know is refused before it is asked.
    other = line.browser("unknown")
    assert other.get(f"/clearance/looks/{fields['snapshot']}").status_code == 404
    assert "does not know you" in other.get(path).text
    assert "does not know you" in attempt(other, path, {**fields, "request_id": new_request_id()})
    assert line.browser("otto").post(f"{path}/release", fields).status_code == 403
    assert line.browser("narrow").post(f"{path}/release", fields).status_code == 404
    assert line.kept("B-refused", 1) == ["NOT_CLEAR"]


def test_who_sees_one_view_sees_one_view(line: Line) -> None:
    line.leftover()
    page = cleared(line.browser("otto"), "B-narrow")
    narrow = line.browser("narrow").get(page.url.path)
    assert outcome(narrow) == "NOT_CLEAR"
    assert "nest" not in narrow.text
    assert "1 of them did not pass" in narrow.text
    assert narrow.status_code == 200


def test_a_form_sent_twice_asks_once_also_when_a_session_ends_between(line: Line) -> None:
    line.clean()
    browser = line.browser("otto")
    text = browser.get("/clearance").text
    form = {"request_id": hidden(text, "request_id"), "batch": "B-once", "product": "aspirin", "operator": "Otto"}
    browser.post("/sign-out")
    lost = browser.post("/clearance", form, follow_redirects=False)
    assert lost.status_code in (303, 401, 403)
    assert line.office.ledger.get(form["request_id"]) is None
    browser.sign_in("otto")
    first = answered(browser, browser.post("/clearance", form))
    second = answered(browser, browser.post("/clearance", form))
    assert first.url.path == second.url.path
    assert len(line.kept("B-once", 1)) == 1
    other = browser.post("/clearance", {**form, "batch": "B-other"})
    assert "was used already, for batch B-once" in other.text
    assert not line.rig.site.archive.find(batch="B-other")


def test_another_products_clearance_is_undecided(line: Line) -> None:
    """These recipes are for any product but stand in a product's folder: only the station knows, and says so."""
    page = answered(line.browser("otto"), start(line.browser("otto"), "B-zinc", product="zinc"))
    assert outcome(page) == "UNDECIDED"
    assert "The recipe cannot be used, or is for another product" in page.text


def test_a_running_clearance_can_be_cancelled(line: Line) -> None:
    browser = line.browser("otto")
    begun = start(browser, "B-cancel")
    request_id = begun.url.path.rpartition("/")[2]
    if "/orders/" in begun.url.path:
        browser.post("/clearance/cancel", {"cancels": request_id})
    page = answered(browser, begun)
    assert outcome(page) in ("UNDECIDED", "CLEAR", "NOT_CLEAR")  # it may have been decided just before
    late = browser.post("/clearance/cancel", {"cancels": request_id})
    assert "decided already" in late.text


def test_the_batch_report_tells_the_release(line: Line) -> None:
    browser = line.browser("otto")
    cleared(browser, "B-report")
    line.kept("B-report", 1)
    report = browser.get("/clearance/reports/batch.html?batch=B-report")
    assert report.status_code == 200
    assert "B-report" in report.text


def look(browser: Browser, page_path: str, view: str = "nest") -> str:
    """Take a live frame, have it shown, return the page with it."""
    page = browser.post(f"{page_path}/look", {"view": view}).text
    form = form_of(page, "/release")
    picture = browser.get(f"/clearance/looks/{hidden(form, 'snapshot')}")
    assert picture.headers["content-type"] in ("image/jpeg", "image/png")
    return page


def release_form(page: str, **changes: str) -> dict[str, str]:
    form = form_of(page, "/release")
    fields = {name: hidden(form, name) for name in ("request_id", "view", "snapshot")}
    return {**fields, "looked": "yes", "why": "a reflection of the lamp", "password": PASSWORD, **changes}


def test_a_false_alarm_is_released_by_a_named_person(line: Line) -> None:
    line.leftover()
    browser = line.browser("meier")
    page = cleared(browser, "B-false")
    path = page.url.path
    text = look(browser, path)
    wrong = browser.post(f"{path}/release", release_form(text, password="not it"))
    assert "password" in wrong.text.lower()
    assert outcome(browser.get(path)) == "NOT_CLEAR"
    fields = release_form(text)
    done = answered(browser, browser.post(f"{path}/release", fields))
    assert outcome(done) == "RELEASED_BY"
    assert "A. Meier" in done.text
    assert "a reflection of the lamp" in done.text
    # Sent once more by the back button: the same answer, no second release.
    again = answered(browser, browser.post(f"{path}/release", fields))
    assert again.url.path == done.url.path
    assert line.kept("B-false", 2) == ["RELEASED_BY", "NOT_CLEAR"]
    assert "There is a newer answer" in browser.get(path).text
