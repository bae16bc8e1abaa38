"""A station with a simulated camera that may be set, a Mosquitto, and the page beside them; and a page without a broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.app import assemble
from edge.cameras.simulated import write_control
from edge.config import load_config
from edge.loop import Station
from edge.recipe import Recipe, load_recipe
from edge.settings.simulated import SceneControl
from tests.commands.seen import write_station
from tests.mosquitto import mosquitto
from tests.web.parts import Browser, Rig, running_page

WAIT_S = 30.0
PAUSE = threading.Event()


def until(condition: Callable[[], Any]) -> Any:
    """The condition's first true answer."""
    deadline_s = time.monotonic() + WAIT_S
    while not (found := condition()):
        assert time.monotonic() < deadline_s, "it did not happen"
        PAUSE.wait(0.02)
    return found


@dataclass
class Place:
    """What runs. show: what the camera sees from now on."""

    folder: Path
    rig: Rig
    station: Station
    browser: Browser

    def show(self, **control: Any) -> None:
        write_control(self.folder / "control.json", SceneControl.model_validate(control))

    def recipe(self) -> Recipe:
        return load_recipe(self.folder / "recipe")

    def take(self) -> str:
        """A picture through the page; its result."""
        response = self.browser.post("/camera/front/shot")
        assert response.status_code == 200, response.text
        return str(response.url).rsplit("result=", 1)[1]

    def wait_for_pace(self) -> None:
        """As a person who waits two seconds."""
        self.rig.app.state.camera_paces.last_s.clear()


@contextmanager
def running_place(folder: Path) -> Iterator[Place]:
    """Everything, with nobody's state from before."""
    broker_folder = folder / "broker"
    broker_folder.mkdir()
    with mosquitto(broker_folder) as broker:
        path = write_station(
            folder, threshold=60.0,
            camera={"control": str(folder / "control.json"), "size_wh": [320, 240]},
            publisher={"kind": "mqtt", "host": "127.0.0.1", "port": broker.port, "protocol": "5", "reconnect_min_s": 0.1},
            commands={"rights": {"page": ["technician"]}}, archive={"min_free_bytes": 0, "pass_share": 0},
        )  # fmt: skip
        with assemble(load_config(path)) as assembly, running_page(path) as rig:
            until(lambda: (state := rig.site.mirror.now().state) is not None and state.get("status") == "ready")
            yield Place(folder, rig, assembly.station, rig.signed_in("tina"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One for all tests of a module; each leaves it as it was."""
    with running_place(tmp_path_factory.mktemp("camera")) as running:
        yield running
