"""The station page on a real station and a real broker: what is shown, what is asked, and that no old green stays."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from calibration.web.station import limits_of
from tests.commands.parts import until
from tests.e2e.parts import TABLET, StationProcess, make_recipes, station_process
from tests.mosquitto import Mosquitto, mosquitto
from tests.web.parts import Rig, running_page, write_station
from tests.web.station.parts import await_answers, await_now, clear, has_green, page_of, station_folder


class Outcomes(HTMLParser):
    """Outcome and whether it is current, of the banner and each card, as a program reads it in the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if "data-current" in found:
            self.found.append((found["data-outcome"] or "", found["data-current"] or ""))


def outcomes(browser: Any) -> list[tuple[str, str]]:
    return Outcomes(browser.get("/").text).found


@pytest.fixture(scope="module")
def made_recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recipes(tmp_path_factory.mktemp("recipes"))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder) as running:
        yield running


@pytest.fixture
def plant(broker: Mosquitto, made_recipes: Path, tmp_path: Path) -> Iterator[tuple[Rig, StationProcess]]:
    config = station_folder(tmp_path / "station", broker.port, made_recipes)
    with station_process(config) as station, page_of(config) as rig:
        await_answers(rig)
        yield rig, station
    shutil.rmtree(tmp_path / "station", ignore_errors=True)


def test_the_life_of_a_station_page(plant: tuple[Rig, StationProcess], broker: Mosquitto) -> None:
    rig, station = plant
    otto = rig.signed_in("otto")
    assert outcomes(otto)[0] == ("", "yes")
    assert "NO CLEARANCE" in otto.get("/").text
    clear(rig)
    assert outcomes(otto) == [("CLEAR", "yes"), ("PASS", "yes"), ("PASS", "yes")]
    assert has_green(otto)

    station.leave("nest", TABLET)
    clear(rig, "B-8")
    assert outcomes(otto) == [("NOT_CLEAR", "yes"), ("PASS", "yes"), ("FAIL", "yes")]
    now = await_now(rig, lambda now: now.views["nest"].picture)
    picture = now.views["nest"].picture
    assert picture is not None
    got = otto.get(f"/views/nest/picture?id={picture.result_id}")
    assert (got.status_code, got.headers["content-type"], got.content) == (200, "image/jpeg", picture.data)
    assert otto.get("/views/nest/picture?id=another").status_code == 404
    assert otto.get("/views/feeder/picture").status_code == 404, "of a pass no picture is published"

    said = otto.fetch("POST", "/views/feeder/snapshot")
    assert (said.status_code, said.json()["outcome"]) == (200, "PASS")
    await_now(rig, lambda now: now.views["feeder"].picture)
    assert otto.get("/views/feeder/picture").status_code == 200
    plain = otto.post("/views/feeder/snapshot")
    assert "The picture of feeder was taken." in plain.text

    station.leave("nest")
    clear(rig, "B-9")
    assert has_green(otto)
    broker.kill()
    await_now(rig, lambda now: not now.connected)
    assert not has_green(otto)
    assert outcomes(otto)[0] == ("CLEAR", "no")
    assert "The page hears nothing from the station" in otto.get("/").text
    refused = otto.fetch("POST", "/views/feeder/snapshot")
    assert (refused.status_code, "nothing was sent" in refused.json()["error"]) == (409, True)
    broker.start()
    await_answers(rig)
    await_now(rig, lambda now: now.clearance_state and now.health)
    until(lambda: has_green(otto))

    station.end(9)
    await_now(rig, lambda now: now.state and now.state["status"] == "offline")
    assert not has_green(otto)
    assert "The station is not running. Nobody looks at the line." in otto.get("/").text


def test_how_long_an_answer_is_current_is_a_setting(tmp_path: Path) -> None:
    with running_page(write_station(tmp_path), {"freshness": {"result_min": 2.5, "clearance_min": 120}}) as rig:
        limits = limits_of(rig.site)
        assert (limits.result, limits.clearance) == (timedelta(minutes=2.5), timedelta(hours=2))
        assert limits.health_s == rig.site.config.health.interval_s


def test_a_page_without_a_broker_says_so_and_works(rig: Rig) -> None:
    vera = rig.signed_in("vera")
    text = vera.get("/").text
    assert "This station has no message broker" in text
    assert not has_green(vera)
    said = rig.signed_in("otto").fetch("POST", "/views/feeder/snapshot")
    assert (said.status_code, "broker" in said.json()["error"]) == (409, True)


def test_it_works_without_script_and_without_anything_inline(rig: Rig) -> None:
    text = rig.signed_in("otto").get("/").text
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in text
    assert " style=" not in text
    assert "<script>" not in text
    assert " onclick" not in text


def test_who_may_not_clear_sees_no_button_and_is_refused(rig: Rig) -> None:
    vera = rig.signed_in("vera")
    assert "/snapshot" not in vera.get("/").text
    assert vera.fetch("POST", "/views/feeder/snapshot").status_code == 403


@pytest.mark.parametrize("path", ["/", "/station/live", "/events", "/views/feeder/picture"])
def test_nobody_gets_anything_without_a_session(rig: Rig, path: str) -> None:
    assert rig.browser().fetch("GET", path).status_code == 401


@pytest.mark.parametrize("view", ["nosuch", "..%2f..", "%00", "feeder%0a", "a" * 300])
def test_views_that_there_are_not(rig: Rig, view: str) -> None:
    otto = rig.signed_in("otto")
    assert otto.get(f"/views/{view}/picture").status_code == 404
    assert otto.fetch("POST", f"/views/{view}/snapshot").status_code in (404, 405)


def test_what_the_script_puts_in_place_is_what_the_page_shows(rig: Rig) -> None:
    otto = rig.signed_in("otto")
    whole, live = otto.get("/").text, otto.get("/station/live").text
    begin, end = live.index('<section data-part="link">'), live.rindex("</div>")
    assert live[begin:end].strip() in whole


def test_a_hostile_station_cannot_put_markup_into_the_page(rig: Rig) -> None:
    from calibration.web.link import Mirror
    from tests.web.link.parts import example, heard

    mirror = rig.site.mirror
    assert isinstance(mirror, Mirror)
    mirror.connection(None)
    mirror._root = "lineclear/hamburg/packaging/line 3/north/"
    evil = "<img src=x onerror=alert(1)>"
    state = example("state", reason=evil, status="degraded")
    state["views"] = [{**state["views"][1], "reason": evil, "camera": evil, "engine": evil}]
    mirror.hear(heard("state", state))
    reason = {"code": "camera_lost", "detail": evil}
    mirror.hear(heard("view/nest/result", example("view/nest/result", reason=reason)))
    mirror.hear(heard("alarm/view_nest", example("alarm/view_nest", text=evil)))
    mirror.hear(heard("clearance/result", example("clearance/result", batch=evil, operator=evil, reasons=[reason])))
    text = rig.signed_in("otto").get("/").text
    assert mirror.now().refused == 0
    assert evil not in text
    assert text.count("&lt;img src=x") >= 4
