"""What the page tells of long work: to the person who began it, and to nobody else."""

from __future__ import annotations

import threading

from edge.errors import ConfigError
from tests.web.parts import Browser, Rig

WAIT_S = 10.0


def test_only_the_person_who_began_it_sees_and_stops_it(rig: Rig, technician: Browser, admin: Browser) -> None:
    go = threading.Event()

    def work(progress: object) -> int:
        progress(1, 4, "first")  # type: ignore[operator]
        assert go.wait(WAIT_S)
        progress(2, 4, "second")  # type: ignore[operator]
        return 1

    job = rig.site.jobs.start("test", "tina", work)
    told = technician.fetch("GET", f"/jobs/{job.id}").json()
    assert told["state"] in ("waiting", "running")
    assert admin.fetch("GET", f"/jobs/{job.id}").status_code == 404
    assert admin.fetch("POST", f"/jobs/{job.id}/cancel").status_code == 404
    assert technician.fetch("POST", f"/jobs/{job.id}/cancel").json()["id"] == job.id
    go.set()
    rig.site.jobs.wait(job.id, WAIT_S)
    assert technician.fetch("GET", f"/jobs/{job.id}").json()["state"] == "cancelled"


def test_it_belongs_to_a_sign_in_name_not_to_whoever_is_called_so(rig: Rig, technician: Browser, operator: Browser) -> None:
    """Two may be called the same, and somebody may sign in with another's name."""
    job = rig.site.jobs.start("test", "Tina Vogel", lambda _p: 1)
    for browser in (technician, operator):
        assert browser.fetch("GET", f"/jobs/{job.id}").status_code == 404
        assert browser.fetch("POST", f"/jobs/{job.id}/cancel").status_code == 404
    rig.site.jobs.wait(job.id, WAIT_S)


def test_a_failure_says_what_where_and_what_to_do(rig: Rig, technician: Browser) -> None:
    def work(_progress: object) -> None:
        raise ConfigError("too few frames", where="front", remedy="give more")

    job = rig.site.jobs.start("test", "tina", work)
    rig.site.jobs.wait(job.id, WAIT_S)
    told = technician.fetch("GET", f"/jobs/{job.id}").json()
    assert told["over"]
    assert told["error"] == {"error": "too few frames", "where": "front", "what_to_do": "give more"}


def test_without_script_stopping_leads_back_and_nowhere_else(rig: Rig, technician: Browser) -> None:
    technician.get("/me")
    job = rig.site.jobs.start("test", "tina", lambda _p: 1)
    rig.site.jobs.wait(job.id, WAIT_S)
    back = technician.post(f"/jobs/{job.id}/cancel", {"then": "/me"}, follow_redirects=False)
    assert (back.status_code, back.headers["location"]) == (303, "/me")
    away = technician.post(f"/jobs/{job.id}/cancel", {"then": "//evil.example"}, follow_redirects=False)
    assert away.headers["location"] == "/"


def test_nobody_and_hostile_ids(nobody: Browser, technician: Browser) -> None:
    assert nobody.fetch("GET", "/jobs/x").status_code == 401
    for name in ("%2e%2e%2fetc", "x" * 41, "%00"):
        assert technician.fetch("GET", f"/jobs/{name}").status_code in (404, 422)
