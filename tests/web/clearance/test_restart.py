"""The page is started anew while a clearance runs, and a station without an archive: nothing is lost, nothing is done twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.parts import TABLET, StationProcess, station_process, write_config
from tests.mosquitto import mosquitto
from tests.web.clearance.parts import answered, form_of, hidden, outcome, ready, start, until
from tests.web.parts import running_page


@pytest.fixture
def station(tmp_path: Path, recipes: Path) -> Iterator[StationProcess]:
    (tmp_path / "broker").mkdir()
    commands = {"rights": {"page": ["releaser"]}, "people": {}}
    with mosquitto(tmp_path / "broker") as broker:
        changes = {"commands": commands, "archive": {"enabled": False, "min_free_bytes": 0}}
        config = write_config(tmp_path / "box", recipes, broker.port, **changes)
        with station_process(config) as running:
            yield running


def test_a_clearance_outlives_the_page_that_asked_for_it(station: StationProcess) -> None:
    config = station.folder / "station.yaml"
    station.leave("nest", TABLET)
    with running_page(config) as rig:
        until(lambda: ready(rig), "a station that is ready")
        browser = rig.signed_in("otto")
        text = browser.get("/clearance").text
        form = {"request_id": hidden(text, "request_id"), "batch": "B-page", "product": "aspirin", "operator": "Otto"}
        browser.post("/clearance", form, follow_redirects=False)
    # The page is gone; the station goes on. A new page takes the order up where it was.
    with running_page(config) as rig:
        until(lambda: ready(rig), "a station that is ready")
        browser = rig.signed_in("otto")
        page = answered(browser, browser.get(f"/clearance/orders/{form['request_id']}"))
        assert outcome(page) == "NOT_CLEAR"
        again = answered(browser, browser.post("/clearance", form))
        assert again.url.path == page.url.path
        assert rig.site.mirror.now().clearance_state["sequence"] == 1

        # Without an archive the page shows what came over MQTT, and says so.
        second = answered(browser, start(browser, "B-second"))
        assert outcome(second) == "NOT_CLEAR"
        assert "The archive of this station is switched off" in second.text
        assert "This comes straight from the station" in second.text
        until(lambda: rig.site.mirror.now().views["nest"].picture, "a picture")
        shown = browser.get(second.url.path).text
        overlay = f"/viewer/{rig.site.mirror.now().views['nest'].picture.result_id}/overlay"
        assert browser.get(overlay).headers["content-type"] == "image/jpeg"
        assert hidden(form_of(shown, "/removed"), "request_id")

        # The one before is not the newest any more, but its copy was kept.
        kept = browser.get(page.url.path)
        assert kept.status_code == 200
