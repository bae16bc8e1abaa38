"""The station's threads: triggers, overruns, lost frames, faults of whole parts, and a clean end."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import EngineFault
from edge.loop import PictureSettings, Station
from edge.publishers.base import Record, RecordKind
from edge.publishers.memory import MemoryPublisher
from edge.recipe import Recipe
from edge.settings.engines import SimulatedEngineSettings, SimulatedFault
from edge.settings.mqtt import MemorySettings
from edge.settings.triggers import TriggerSettings
from edge.types import Outcome, ReasonCode
from edge.verdict import undecided
from tests.station_parts import LOST, Event, ScriptedCamera, make_recipe, make_station, scene, with_leftover, with_noise

CLEAN = Event(with_noise(scene(), 1))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return make_recipe(tmp_path_factory.mktemp("recipe"))


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        threading.Event().wait(0.005)


def memory() -> MemoryPublisher:
    return MemoryPublisher(MemorySettings(kind="memory", keep=100_000))


def results(publisher: MemoryPublisher) -> list[Record]:
    return [record for record in publisher.records if record.kind is RecordKind.VERDICT]


def outcomes(publisher: MemoryPublisher) -> list[tuple[str, str | None]]:
    return [
        (record.body["outcome"], record.body["reason"]["code"] if record.body["reason"] else None)
        for record in results(publisher)
    ]


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_entering_and_leaving_leaves_no_thread_and_no_open_camera(recipe: Recipe) -> None:
    before = threads()
    camera = ScriptedCamera("front", [])
    with make_station({"front": recipe}, {"front": camera}):
        assert {"judge", "pictures", "report", "grab-front"} <= threads()
    assert threads() == before
    assert camera.opened == camera.closed == 1


def test_continuous_views_trigger_themselves(recipe: Recipe) -> None:
    publisher = memory()
    trigger = TriggerSettings(kind="continuous", interval_s=0.02, timeout_s=5, queue_frames=10)
    camera = ScriptedCamera("front", [CLEAN] * 5)
    with make_station({"front": recipe}, {"front": camera}, publisher=publisher, trigger=trigger):
        wait_until(lambda: len(results(publisher)) >= 5)
    assert outcomes(publisher)[:5] == [("PASS", None)] * 5
    assert [record.body["triggerNumber"] for record in results(publisher)][:5] == [1, 2, 3, 4, 5]


def test_a_lost_camera_is_said_for_every_trigger(recipe: Recipe) -> None:
    publisher = memory()
    trigger = TriggerSettings(kind="continuous", interval_s=0.02, timeout_s=1)
    with make_station({"front": recipe}, {"front": ScriptedCamera("front", [LOST] * 3)}, publisher=publisher, trigger=trigger):
        wait_until(lambda: len(results(publisher)) >= 3)
    assert outcomes(publisher)[:3] == [("UNDECIDED", "camera_lost")] * 3


def test_hardware_triggers_whose_frames_were_lost_get_their_verdicts(recipe: Recipe) -> None:
    publisher = memory()
    events = [CLEAN, Event(CLEAN.image, lost_before=2), CLEAN]
    trigger = TriggerSettings(kind="hardware", queue_frames=10)
    camera = ScriptedCamera("front", events, hardware=True)
    with make_station({"front": recipe}, {"front": camera}, publisher=publisher, trigger=trigger):
        wait_until(lambda: len(results(publisher)) >= 5)
    numbered = sorted((record.body["triggerNumber"], record.body["outcome"]) for record in results(publisher))
    assert numbered == [(1, "PASS"), (2, "UNDECIDED"), (3, "UNDECIDED"), (4, "PASS"), (5, "PASS")]
    assert {record.body["reason"]["code"] for record in results(publisher) if record.body["reason"]} == {"frame_lost"}


def test_parts_that_passed_before_a_clearance_asked_have_verdicts_of_their_own(recipe: Recipe) -> None:
    publisher = memory()
    trigger = TriggerSettings(kind="hardware", queue_frames=10, timeout_s=1)
    camera = ScriptedCamera("front", [], hardware=True)
    station = make_station({"front": recipe}, {"front": camera}, publisher=publisher, trigger=trigger)
    early = [camera.shot(CLEAN) for _ in range(3)]
    with station:
        answer = station.ask("front", 1, 1, None)[0]
        camera.arrive(*early, Event(CLEAN.image, lost_before=2))
        verdict = answer.result(30)
        wait_until(lambda: len(results(publisher)) >= 6)
    assert verdict.outcome is Outcome.PASS
    assert sorted(outcomes(publisher)) == [("PASS", None)] * 4 + [("UNDECIDED", "frame_lost")] * 2


def test_one_recipe_that_cannot_be_put_to_work_leaves_the_others_judging(recipe: Recipe, tmp_path: Path) -> None:
    recipes = {"front": recipe, "back": make_recipe(tmp_path, "back")}
    publisher = memory()
    station = make_station(recipes, {name: ScriptedCamera(name, [CLEAN]) for name in recipes}, publisher=publisher)

    def fail(_: object) -> None:
        raise ValueError("the homography sends part of the area to infinity")

    station.views["back"].seating = replace(station.views["back"].seating, make_pipeline=fail)
    with station:
        verdicts = {name: station.ask(name, 1, 2, None)[0].result(30) for name in recipes}
        wait_until(lambda: any(record.topic == "state" for record in publisher.records))
    assert verdicts["front"].outcome is Outcome.PASS
    assert verdicts["back"].reason is not None
    assert verdicts["back"].reason.code is ReasonCode.RECIPE_INVALID
    assert next(record for record in publisher.records if record.topic == "state").body["status"] == "degraded"


def test_a_card_that_does_not_hold_is_said_in_the_state(recipe: Recipe) -> None:
    publisher = memory()
    stale = replace(recipe, hashes=recipe.hashes.model_copy(update={"masks": "0" * 64}))
    with make_station({"front": stale}, {"front": ScriptedCamera("front", [])}, publisher=publisher):
        wait_until(lambda: any(record.topic == "alarm/view_front" for record in publisher.records))
    state = next(record for record in publisher.records if record.topic == "state")
    assert state.body["status"] == "degraded"
    assert "card_stale" in state.body["reason"]


def test_a_clearance_does_not_take_a_frame_that_may_show_the_time_before(recipe: Recipe) -> None:
    publisher = memory()
    trigger = TriggerSettings(timeout_s=2, latency_s=0.2)
    camera = ScriptedCamera("front", [])
    with make_station({"front": recipe}, {"front": camera}, publisher=publisher, trigger=trigger) as station:
        asked = station.ask("front", 1, 2, None)[0]
        camera.arrive(CLEAN)  # at once: exposed before the question, for all that is known
        wait_until(lambda: not camera.waiting)
        assert not asked.done()
        threading.Event().wait(0.25)
        camera.arrive(CLEAN)
        assert asked.result(30).outcome is Outcome.PASS


def test_frames_that_come_faster_than_they_are_judged_are_overruns(recipe: Recipe) -> None:
    publisher = memory()
    slow = SimulatedEngineSettings(faults=(SimulatedFault(kind="slow", at=(0,), duration_s=1.0),))
    trigger = TriggerSettings(kind="hardware", queue_frames=1)
    camera = ScriptedCamera("front", [CLEAN] * 6, hardware=True)
    with make_station({"front": recipe}, {"front": camera}, publisher=publisher, engine=slow, trigger=trigger):
        wait_until(lambda: len(results(publisher)) >= 6)
    found = outcomes(publisher)
    assert len(found) == 6
    assert ("UNDECIDED", "overrun") in found
    assert set(found) == {("UNDECIDED", "overrun"), ("PASS", None)}
    assert sorted(record.body["triggerNumber"] for record in results(publisher)) == [1, 2, 3, 4, 5, 6]


def test_an_engine_that_cannot_be_opened_leaves_a_running_station_that_says_so(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise EngineFault("golden vector 0 differs by 3.2", where="bundle x", remedy="export it again")

    monkeypatch.setattr("edge.engines.simulated.SimulatedEngine.__enter__", refuse)
    publisher = memory()
    with make_station({"front": recipe}, {"front": ScriptedCamera("front", [CLEAN])}, publisher=publisher) as station:
        verdict = station.ask("front", 1, 2, None)[0].result(30)
        wait_until(lambda: any(record.topic == "state" for record in publisher.records))
    assert verdict.reason is not None
    assert verdict.reason.code is ReasonCode.ENGINE_FAULT
    assert "golden vector 0" in verdict.reason.detail
    states = [record for record in publisher.records if record.topic == "state"]
    assert states[-1].body["status"] == "degraded"
    assert "golden vector 0" in states[-1].body["reason"]
    assert any(record.topic == "alarm/view_front" and record.body for record in publisher.records)


def test_a_view_without_a_usable_recipe_is_undecided_and_the_other_goes_on(recipe: Recipe, tmp_path: Path) -> None:
    recipes = {"front": recipe, "back": make_recipe(tmp_path, "back")}
    cameras = {name: ScriptedCamera(name, [CLEAN]) for name in recipes}
    station = make_station(recipes, cameras)
    missing = undecided(ReasonCode.RECIPE_INVALID, "reference.png is missing")
    station.views["back"].seating = replace(station.views["back"].seating, blocked=missing)
    with station:
        verdicts = {name: station.ask(name, 1, 2, None)[0].result(30) for name in recipes}
    assert verdicts["front"].outcome is Outcome.PASS
    assert verdicts["back"].reason is not None
    assert verdicts["back"].reason.detail == "reference.png is missing"


def test_an_unforeseen_error_ends_its_trigger_and_not_the_station(recipe: Recipe, caplog: pytest.LogCaptureFixture) -> None:
    camera = ScriptedCamera("front", [Event(error=ZeroDivisionError), CLEAN])
    with make_station({"front": recipe}, {"front": camera}) as station:
        first = station.ask("front", 1, 2, None)[0].result(30)
        second = _ask_until_running(station)
    assert first.reason is not None
    assert first.reason.code is ReasonCode.INTERNAL
    assert second is Outcome.PASS
    assert "thread_failed name=grab-front" in caplog.text


def test_an_unforeseen_error_of_the_judge_ends_its_trigger_and_not_the_station(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.pipeline import ViewPipeline

    real = ViewPipeline.judge
    calls = []

    def judge(self: ViewPipeline, image: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise ZeroDivisionError("a bug")
        return real(self, image)  # type: ignore[arg-type]

    monkeypatch.setattr(ViewPipeline, "judge", judge)
    with make_station({"front": recipe}, {"front": ScriptedCamera("front", [CLEAN, CLEAN])}) as station:
        first = station.ask("front", 1, 2, None)[0].result(30)
        second = station.ask("front", 1, 5, None)[0].result(30)
    assert first.reason is not None
    assert first.reason.code is ReasonCode.INTERNAL
    assert second.outcome is Outcome.PASS


def _ask_until_running(station: Station) -> Outcome:
    """A view whose thread is starting again answers STOPPED for a moment."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        verdict = station.ask("front", 1, 2, None)[0].result(30)
        if verdict.reason is None or verdict.reason.code is not ReasonCode.STOPPED:
            return verdict.outcome
        threading.Event().wait(0.05)
    raise AssertionError("the view never came back")


def test_what_is_asked_while_stopping_is_answered(recipe: Recipe) -> None:
    station = make_station({"front": recipe}, {"front": ScriptedCamera("front", [])}, trigger=TriggerSettings(timeout_s=60))
    with station:
        asked = station.ask("front", 3, 60, None)
    answers = [future.result(1) for future in asked]
    assert {a.reason.code for a in answers if a.reason} == {ReasonCode.STOPPED}
    late = station.ask("front", 1, 60, None)[0].result(1)
    assert late.reason is not None
    assert late.reason.code is ReasonCode.NOT_RECORDED  # the outbox is closed by then


def test_overlays_follow_their_verdicts_by_result_id(recipe: Recipe) -> None:
    publisher = memory()
    events = [CLEAN, Event(with_leftover(with_noise(scene(), 2))), Event(scene() * 0)]
    pictures = PictureSettings(publish="not_pass")
    station = make_station(
        {"front": recipe}, {"front": ScriptedCamera("front", events)}, publisher=publisher, pictures=pictures
    )
    with station:
        verdicts = [station.ask("front", 1, 2, None)[0].result(30) for _ in events]
    images = [record for record in publisher.records if record.kind is RecordKind.IMAGE]
    assert [image.result_id for image in images] == [verdicts[1].result_id, verdicts[2].result_id]
    assert all(image.topic == "view/front/image/overlay" and image.blob[:2] == b"\xff\xd8" for image in images)


def test_a_nudge_shows_in_the_health_counters(recipe: Recipe) -> None:
    import numpy as np

    moved = np.roll(with_noise(scene(), 3), (2, 3), (0, 1))
    events = [CLEAN] * 10 + [Event(moved)] * 10
    with make_station({"front": recipe}, {"front": ScriptedCamera("front", events)}) as station:
        for _ in events:
            station.ask("front", 1, 2, None)[0].result(30)
        trend = station.health.nudge_trend("front")
    assert trend is not None
    assert trend.earlier_px < 0.5
    assert trend.recent_px == pytest.approx(np.hypot(2, 3), abs=0.5)
    assert station.health.values()["view.front.nudge_px"] == round(trend.recent_px, 2)
