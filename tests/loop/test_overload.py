"""Ten times the rate: every trigger has its one verdict, the newest frames are judged, and a clearance gets through."""

import threading
from collections import Counter

import pytest

from edge.engines.simulated import SimulatedEngine
from edge.loop import Station
from edge.publishers.memory import MemoryPublisher
from edge.recipe import Recipe
from edge.settings.engines import SimulatedEngineSettings, SimulatedFault
from edge.settings.triggers import TriggerSettings
from edge.types import Outcome
from tests.loop.test_station import CLEAN, memory, results, wait_until
from tests.station_parts import Event, ScriptedCamera, make_recipe, make_station

QUEUE = 2


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return make_recipe(tmp_path_factory.mktemp("recipe"))


def held(recipe: Recipe) -> tuple[SimulatedEngine, threading.Event]:
    """An engine that stays at its first frame until it is let go."""
    release = threading.Event()
    slow = SimulatedEngineSettings(faults=(SimulatedFault(kind="hang", at=(0,)),))
    return SimulatedEngine(recipe.bundle.manifest, slow, release=release), release


def hardware(recipe: Recipe, publisher: MemoryPublisher, camera: ScriptedCamera, engine: SimulatedEngine) -> Station:
    trigger = TriggerSettings(kind="hardware", queue_frames=QUEUE, timeout_s=60)
    return make_station({"front": recipe}, {"front": camera}, publisher=publisher, trigger=trigger, opened=engine)


def by_trigger(publisher: MemoryPublisher) -> list[tuple[int, str]]:
    bodies = [record.body for record in results(publisher)]
    return sorted((body["triggerNumber"], (body["reason"] or {"code": body["outcome"]})["code"]) for body in bodies)


def test_the_newest_frames_are_judged_and_the_rest_are_overruns(recipe: Recipe) -> None:
    publisher, parts = memory(), 20
    engine, release = held(recipe)
    camera = ScriptedCamera("front", [CLEAN], hardware=True)
    with hardware(recipe, publisher, camera, engine):
        wait_until(lambda: engine.calls == 1)
        camera.arrive(*[CLEAN] * (parts - 1))
        wait_until(lambda: len(results(publisher)) == parts - 1 - QUEUE)
        release.set()
        wait_until(lambda: len(results(publisher)) == parts)
    found = by_trigger(publisher)
    assert [number for number, _ in found] == list(range(1, parts + 1))
    assert [number for number, code in found if code == "PASS"] == [1, parts - 1, parts]
    assert {code for number, code in found if 1 < number < parts - 1} == {"overrun"}


def test_a_clearance_gets_through_whatever_comes_after_it(recipe: Recipe) -> None:
    publisher = memory()
    engine, release = held(recipe)
    camera = ScriptedCamera("front", [CLEAN], hardware=True)
    with hardware(recipe, publisher, camera, engine) as station:
        wait_until(lambda: engine.calls == 1)
        (asked,) = station.ask("front", 1, 60, "clearance-1")
        camera.arrive(*[CLEAN] * 12)
        wait_until(lambda: len(results(publisher)) >= 12 - QUEUE)
        assert not asked.done()
        release.set()
        assert asked.result(30).outcome is Outcome.PASS
        wait_until(lambda: len(results(publisher)) == 13)
    assert Counter(code for _, code in by_trigger(publisher)) == {"PASS": 1 + QUEUE, "overrun": 12 - QUEUE}


def test_one_view_that_floods_takes_no_room_from_another(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> None:
    recipes = {"front": recipe, "back": make_recipe(tmp_path_factory.mktemp("back"), "back")}
    publisher = memory()
    engine, release = held(recipe)
    cameras = {
        "front": ScriptedCamera("front", [CLEAN] * 10, hardware=True),
        "back": ScriptedCamera("back", [], hardware=True),
    }
    trigger = TriggerSettings(kind="hardware", queue_frames=QUEUE, timeout_s=60)
    with make_station(recipes, cameras, publisher=publisher, trigger=trigger, opened=engine):
        wait_until(lambda: engine.calls == 1 and not cameras["front"].waiting)
        cameras["back"].arrive(*[Event(CLEAN.image)] * QUEUE)
        wait_until(lambda: not cameras["back"].waiting)
        release.set()
        wait_until(lambda: len(results(publisher)) == 10 + QUEUE)
    back = [record.body["outcome"] for record in results(publisher) if record.body["view"] == "back"]
    assert back == ["PASS"] * QUEUE
