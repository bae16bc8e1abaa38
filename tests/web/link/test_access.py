"""The ready access list and rights of configs/mosquitto: the page hears and asks what it needs, as a user of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from calibration.web.link import LinkPlan, StationRefused, open_link
from edge.publishers.mqtt import MqttPublisher
from edge.settings.mqtt import MqttSettings
from tests.commands.parts import running, settings
from tests.commands.test_broker import ADDRESS, MOSQUITTO, PERSON, ROOT, password_of, secured, station_settings
from tests.mosquitto import Mosquitto
from tests.publishers.waiting import wait_for_status
from tests.web.link.test_broker import await_now, heard_station

__all__ = ["secured"]
EXAMPLE = yaml.safe_load((MOSQUITTO / "station.yaml.example").read_text())


def page_settings(broker: Mosquitto, folder: Path, protocol: str) -> MqttSettings:
    file = folder / "page"
    file.write_text(f"page:{password_of('page')}\n")
    file.chmod(0o600)
    return station_settings(broker, folder, protocol).model_copy(update={"credentials_file": file})


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_the_ready_access_list_is_enough_for_the_page(
    secured: Mosquitto,
    recipes: Path,
    tmp_path: Path,
    protocol: str,
) -> None:
    publisher = MqttPublisher(station_settings(secured, tmp_path, protocol), ADDRESS, tmp_path)
    rights = settings(rights=EXAMPLE["commands"]["rights"])
    plan = LinkPlan(page_settings(secured, tmp_path, protocol), ROOT)
    with (
        running(recipes, tmp_path, rights, publisher=publisher, root=ROOT),
        open_link(plan, ("front", "back"), None) as (link, mirror),
    ):
        wait_for_status(publisher, lambda status: status.connected)
        heard_station(link, mirror)
        assert link.ask("clearance", {"batch": "B1", "product": "aspirin"}, timeout_s=20)["outcome"] == "CLEAR"
        assert link.ask("recipe", {"product": "ibuprofen", **PERSON}, timeout_s=20)["product"] == "ibuprofen"
        assert link.ask("reload", PERSON, timeout_s=20)["kind"] == "selected"
        assert link.ask("mask", {"view": "front", "mask": "hose", "enabled": True, **PERSON}, timeout_s=20)["enabled"]
        snapshot = link.ask("snapshot", {"view": "back"}, timeout_s=20)
        await_now(mirror, lambda now: now.views["back"].picture)
        card = {"view": "front", "card": {}, **PERSON}
        with pytest.raises(StationRefused) as refused:
            link.ask("threshold", card, timeout_s=20)
        assert refused.value.code == "no_right", "a whole card is the calibrator's alone"
        assert snapshot["view"] == "back"
