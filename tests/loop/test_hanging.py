"""A judge or an engine that hangs: who waits is answered, durably and once, whatever wakes up later."""

import threading
from pathlib import Path

import pytest

from edge.loop import CallLimits, view_state
from edge.loop.calling import Patience
from edge.publishers.base import RecordKind
from edge.publishers.memory import MemoryPublisher
from edge.recipe import Recipe
from edge.settings.mqtt import MemorySettings
from edge.settings.triggers import TriggerSettings
from edge.supervision import ENGINE, Pulses
from edge.types import ReasonCode
from tests.loop.test_station import CLEAN, wait_until
from tests.station_parts import ScriptedCamera, make_recipe, make_station, scene


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return make_recipe(tmp_path_factory.mktemp("recipe"))


def test_everybody_who_waits_is_answered_once_also_when_the_judge_wakes_up(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.pipeline import ViewPipeline

    real, held, release = ViewPipeline.judge, threading.Event(), threading.Event()

    def judge(self: ViewPipeline, image: object) -> object:
        held.set()
        release.wait(60)
        return real(self, image)  # type: ignore[arg-type]

    monkeypatch.setattr(ViewPipeline, "judge", judge)
    publisher = MemoryPublisher(MemorySettings(kind="memory"))
    pulses = Pulses(limit_s=0.2)
    trigger = TriggerSettings(timeout_s=60, queue_frames=2)
    camera = ScriptedCamera("front", [CLEAN] * 4)
    station = make_station({"front": recipe}, {"front": camera}, publisher=publisher, trigger=trigger, pulses=pulses)
    with station:
        judged, *waiting = station.ask("front", 4, 60, "clearance-1")
        held.wait(60)
        looked = station.examine("front", scene())
        wait_until(lambda: any(late.name == "judge" for late in pulses.late()))
        (late,) = [late for late in pulses.late() if late.name == "judge"]
        station.abandon(ReasonCode.INTERNAL, str(late))
        answers = [future.result(20) for future in (judged, *waiting)]
        afterwards = station.ask("front", 1, 60, None)[0].result(20)
        assert looked.result(20).judgement.reason is not None
        release.set()
    assert late.what == "a frame of front"
    assert {a.reason.code for a in (*answers, afterwards) if a.reason} == {ReasonCode.INTERNAL}
    assert all(a.reason is not None and "judge hangs" in a.reason.detail for a in (*answers, afterwards))
    recorded = [record.result_id for record in publisher.records if record.kind is RecordKind.VERDICT]
    assert sorted(recorded) == sorted(answer.result_id for answer in (*answers, afterwards))


def test_an_engines_call_is_known_as_such(recipe: Recipe, tmp_path: Path) -> None:
    from edge.engines.simulated import SimulatedEngine
    from edge.settings.engines import SimulatedEngineSettings, SimulatedFault

    assert tmp_path
    pulses, release = Pulses(limit_s=30), threading.Event()
    slow = SimulatedEngineSettings(faults=(SimulatedFault(kind="hang", at=(0,)),))
    engine = SimulatedEngine(recipe.bundle.manifest, slow, release=release)
    station = make_station(
        {"front": recipe},
        {"front": ScriptedCamera("front", [CLEAN])},
        pulses=pulses,
        opened=engine,
        limits=CallLimits(call_s=0.2),
    )
    with station:
        (answer,) = station.ask("front", 1, 60, None)
        wait_until(lambda: any(late.name == "judge" for late in pulses.late()))
        (late,) = [late for late in pulses.late() if late.name == "judge"]
        station.abandon(ReasonCode.ENGINE_FAULT, str(late))
        verdict = answer.result(20)
        release.set()
    assert (late.kind, late.limit_s) == (ENGINE, 0.2)
    assert verdict.reason is not None
    assert verdict.reason.code is ReasonCode.ENGINE_FAULT


def test_idle_threads_make_progress_and_ended_ones_are_missed_by_nobody(recipe: Recipe) -> None:
    pulses = Pulses(limit_s=20)
    with make_station({"front": recipe}, {"front": ScriptedCamera("front", [])}, pulses=pulses):
        wait_until(lambda: set(pulses.ages()) == {"pulse.judge", "pulse.grab-front", "pulse.pictures", "pulse.report"})
        for name in pulses.ages():
            # Over and over, not once: the age falls again after it has grown.
            wait_until(lambda name=name: pulses.ages()[name] > 0.002)  # type: ignore[misc]
            before = pulses.ages()[name]
            wait_until(lambda name=name, before=before: pulses.ages()[name] < before)  # type: ignore[misc]
    assert pulses.ages() == {}


def test_a_thread_that_failed_is_started_again_and_not_taken_for_hanging(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.loop.report import Reporter

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Reporter, "report", fail)
    pulses = Pulses(limit_s=10)
    with make_station({"front": recipe}, {"front": ScriptedCamera("front", [])}, pulses=pulses) as station:
        wait_until(lambda: station.health.values().get("events.thread_failed_report", 0) == 2)
        assert pulses.late() == ()


@pytest.mark.parametrize(
    ("fixed_s", "opening_s", "calls_s", "limit_s"),
    [
        (None, 0.1, [], 30),
        (None, 40, [], 80),
        (None, 4000, [], 300),
        (None, 40, [0.01], 10),
        (None, 0.1, [0.02, 3, 0.02], 60),
        (None, 0.1, [40], 300),
        (2.5, 40, [40], 2.5),
    ],
)
def test_the_limit_of_a_call_is_learnt_or_fixed(
    fixed_s: float | None, opening_s: float, calls_s: list[float], limit_s: float
) -> None:
    patience = Patience(fixed_s, opening_s)
    for call_s in calls_s:
        patience.took(call_s)
    assert patience.limit_s == limit_s


def test_a_judge_that_never_gets_to_work_is_no_ready_station_and_ends_it(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.loop import threads
    from edge.loop.switching import Switching

    def fail(*_: object) -> None:
        raise MemoryError("no more")

    monkeypatch.setattr(Switching, "open", fail)
    monkeypatch.setattr(threads, "RESTART_PAUSE_S", 0.01)
    pulses = Pulses(limit_s=60)
    with make_station({"front": recipe}, {"front": ScriptedCamera("front", [CLEAN])}, pulses=pulses) as station:
        (answer,) = station.ask("front", 1, 60, None)
        wait_until(lambda: bool(pulses.late()))
        (late,) = pulses.late()
        state = view_state(station.views["front"])
        verdict = answer.result(20)
    assert (late.name, late.is_fatal) == ("judge-start", True)
    assert not state.ready
    assert "its engine is not open" in state.reason
    assert verdict.reason is not None
    assert verdict.reason.code is ReasonCode.INTERNAL
    assert pulses.late() == ()


def test_a_judge_that_worked_and_failed_comes_back(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge.loop import threads
    from edge.pipeline import ViewPipeline

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    pulses = Pulses(limit_s=60)
    with make_station({"front": recipe}, {"front": ScriptedCamera("front", [CLEAN] * 8)}, pulses=pulses) as station:
        with monkeypatch.context() as patch:
            patch.setattr(ViewPipeline, "judge", fail)
            patch.setattr(threads, "RESTART_PAUSE_S", 0.01)
            for _ in range(threads.FUTILE_STARTS + 2):
                reason = station.ask("front", 1, 60, None)[0].result(20).reason
                assert reason is not None
                assert reason.code is ReasonCode.INTERNAL
        assert pulses.late() == ()
        wait_until(lambda: view_state(station.views["front"]).ready)
        assert station.ask("front", 1, 60, None)[0].result(20).reason is None
