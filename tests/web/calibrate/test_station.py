"""With a real station and a real broker: frames from its camera, and a card that it judges with afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from calibration.web.wizard import accepting, collecting, sources
from edge.recipe import Recipe, load_recipe
from tests.e2e.parts import StationProcess, station_process
from tests.mosquitto import mosquitto
from tests.web.calibrate.parts import URL, VIEW, bench, chosen, done, job_at, write_camera, write_small_station
from tests.web.parts import Browser, Rig, running_page

_TICK = threading.Event()


@dataclass
class Box:
    """A station and its page."""

    station: StationProcess
    rig: Rig
    recipe: Recipe

    def ready(self) -> bool:
        now = self.rig.site.mirror.now()
        return bool(now.connected and now.state and now.state["status"] == "ready")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    (tmp_path / "broker").mkdir()
    with mosquitto(tmp_path / "broker") as broker:
        publisher = {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port, "reconnect_min_s": 0.1, "reconnect_max_s": 0.5}
        rights = {"rights": {"page": ["technician"]}}
        config, recipe = write_small_station(tmp_path, publisher=publisher, commands=rights)
        write_camera(tmp_path / "camera", 40, 900)
        with station_process(config) as station, running_page(config) as rig:
            made = Box(station, rig, recipe)
            for _ in range(3000):
                if made.ready():
                    break
                _TICK.wait(0.01)
            assert made.ready(), made.rig.site.mirror.now()
            yield made


def test_frames_of_the_running_station_and_a_card_in_force(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    tina = box.rig.signed_in("tina")
    assert tina.post(f"{URL}/begin").status_code == 200
    assert done(box.rig, tina.post(f"{URL}/frames/camera", {"count": "7", "every_s": "0"})) == 7
    frames = collecting.album_of(bench(box.rig).desk.good)
    assert frames is not None
    assert {frame.camera_settings_hash for frame in frames.frames} == {bench(box.rig).camera_hash}
    chosen(box.rig, tina)
    accepted = done(box.rig, tina.post(f"{URL}/accept", {"why": "new lamp"}))
    assert (accepted.reloaded, accepted.ready, accepted.trouble) == (True, True, "")
    assert "In force" in tina.get(f"{URL}/done").text
    said = box.rig.site.link.ask("state", {})
    assert said["views"][0]["recipe_version"] == accepted.version == box.recipe.version + 1
    back = done(box.rig, tina.post(f"/cards/{VIEW}/rollback", {"version": str(box.recipe.version), "why": "it alarms"}))
    assert (back.reloaded, back.ready) == (True, True)
    assert box.rig.site.link.ask("state", {})["views"][0]["recipe_version"] == back.version
    for module in (accepting, sources):
        monkeypatch.setattr(module, "ASK_S", 1.0)
    _station_gone(box, tina)


def _station_gone(box: Box, tina: Browser) -> None:
    """What is saved while the station is away is saved; the page says that it is not in force, and asks again later."""
    assert tina.post(f"{URL}/begin", {"keep": "yes"}).status_code == 200
    chosen(box.rig, tina, "max")
    assert box.station.end() == 0
    camera = job_at(box.rig, tina.post(f"{URL}/frames/camera", {"count": "1", "every_s": "0"}))
    assert camera.state == "failed"
    assert camera.error is not None
    assert camera.error.remedy
    assert len(collecting.tally(bench(box.rig).desk.good).frames) == 7
    accepted = done(box.rig, tina.post(f"{URL}/accept", {"why": "strict"}))
    assert not accepted.reloaded
    assert accepted.trouble
    card = load_recipe(box.recipe.path).card
    assert card is not None
    assert card.method == "max"
    page = tina.get(f"{URL}/done").text
    assert "Saved, but not in force yet" in page
    assert "Ask the station again" in page
    assert not done(box.rig, tina.post(f"{URL}/reload")).reloaded
