"""What belongs to somebody else: jobs, half-done calibrations, views that are not theirs."""

from __future__ import annotations

import json
import threading

from calibration.web.jobs import Job
from tests.web.security.house import VIEWS, House
from tests.web.security.routes import NEVER_ENDS, SAFE, rules

HIDDEN = VIEWS[1]


def started(built: House, who: str) -> tuple[Job, threading.Event]:
    """A job of a person that runs until the event."""
    end = threading.Event()
    job = built.site.jobs.start("test", who, lambda progress: end.wait(30) and {"secret": "of its owner"})
    return job, end


def test_a_job_is_its_owners_alone(built: House) -> None:
    job, end = started(built, "technician")
    try:
        for who in ("other", "operator", "viewer"):
            other = built.client(who, accept="application/json")
            assert other.get(f"/jobs/{job.id}").status_code == 404, who
            assert other.post(f"/jobs/{job.id}/cancel").status_code == 404, who
            exports = {other.get(f"/history/exports/{job.id}{part}").status_code for part in ("", "/zip")}
            assert exports == {403 if who == "viewer" else 404}, who
        found = built.site.jobs.get(job.id)
        assert found is not None
        assert found.state in {"waiting", "running"}
        assert built.client("technician", accept="application/json").get(f"/jobs/{job.id}").status_code == 200
    finally:
        end.set()


def test_a_view_that_is_not_ones_own_is_as_one_that_there_is_not(built: House) -> None:
    """Same status, same words; for every route that names a view. 422: the form was looked at first, and lacks something."""
    before, wrong = built.state(), []
    for rule in rules():
        if "{view}" not in rule.path:
            continue
        hidden = built.client("half", accept="application/json").request(rule.method, built.fill(rule.path, HIDDEN))
        missing = built.client("half", accept="application/json").request(rule.method, built.fill(rule.path, "none"))
        told = [(answer.status_code, answer.json().get("error")) for answer in (hidden, missing)]
        may = rule.allows("technician", may_release=True)
        if told[0] != told[1] or told[0][0] not in ({404, 422} if may else {403}):
            wrong.append(f"{rule.method} {rule.path}: {told}")
    assert not wrong
    assert built.state() == before


def test_a_result_of_a_hidden_view_is_not_shown(built: House) -> None:
    client, wrong = built.client("half"), []
    for rule in rules():
        if rule.path.startswith(("/results/{result_id}", "/viewer/{result_id}")):
            answer = client.request(rule.method, built.fill(rule.path, HIDDEN))
            shown = client.request(rule.method, built.fill(rule.path, VIEWS[0])) if rule.method in SAFE else None
            if answer.status_code not in ({404} if rule.method in SAFE else {404, 422}):
                wrong.append(f"{rule.method} {rule.path}: {answer.status_code}")
            if shown is not None and shown.status_code not in {200, 404}:
                wrong.append(f"{rule.method} {rule.path} of their own view: {shown.status_code}")
    assert not wrong


def test_no_page_names_a_hidden_view(built: House) -> None:
    """Lists, forms, the station's page, exports: everything that somebody of one view can read."""
    client, told = built.client("half"), []
    hidden_id = built.known[HIDDEN]["result_id"]
    for rule in rules():
        if rule.method not in SAFE or rule.path == NEVER_ENDS or rule.path.startswith("/users"):
            continue
        answer = client.get(built.fill(rule.path))
        text = (
            answer.text
            if "text" in answer.headers.get("content-type", "") or "json" in answer.headers.get("content-type", "")
            else ""
        )
        if (
            hidden_id in text
            or f">{HIDDEN}<" in text
            or f'"{HIDDEN}"' in text
            or f"/{HIDDEN}/" in text
            or f'/{HIDDEN}"' in text
        ):
            at = max(text.find(hidden_id), text.find(HIDDEN))
            told.append(f"{rule.path}: ...{text[max(0, at - 80) : at + 60]!r}")
    assert not told, "\n".join(told)


def test_a_right_that_is_taken_away_is_gone_at_once(built: House) -> None:
    from dataclasses import replace

    client = built.client("other")
    user = built.site.users.get("other")
    assert user is not None
    assert client.get("/calibrate").status_code == 200
    built.site.users.change(replace(user, views=(VIEWS[0],)), who="test")
    try:
        assert client.get(f"/cards/{HIDDEN}").status_code == 404
        built.site.users.change(replace(user, active=False), who="test")
        assert client.get("/calibrate").status_code == 303
    finally:
        built.site.users.change(user, who="test")


def test_what_the_audit_log_says_holds_no_password(built: House) -> None:
    from tests.web.security.house import PASSWORD

    client = built.client()
    client.post("/sign-in", data={"name": "viewer", "password": PASSWORD})
    client.post("/sign-in", data={"name": "viewer", "password": "not-the-right-one-7"})
    kept = b"".join(path.read_bytes() for path in (built.folder / "state").rglob("*") if path.is_file())
    for secret in (PASSWORD, "not-the-right-one-7"):
        assert secret.encode() not in kept
        assert json.dumps(secret).encode() not in kept
