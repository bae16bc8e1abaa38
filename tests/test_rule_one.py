"""Rule 1 as a property: whatever fails, one trigger has one verdict, and none is PASS where the truth is unknown."""

from collections import Counter
from datetime import datetime, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import OutboxError
from edge.publishers.base import Record, RecordKind
from edge.publishers.memory import MemoryPublisher
from edge.recipe import Recipe
from edge.settings.engines import SimulatedEngineSettings, SimulatedFault
from edge.settings.mqtt import MemorySettings
from edge.settings.triggers import TriggerSettings
from edge.types import Outcome, ReasonCode
from tests.station_parts import (
    DAMAGED,
    LOST,
    SILENCE,
    Event,
    ScriptedCamera,
    make_recipe,
    make_station,
    scene,
    with_leftover,
    with_noise,
)

CLEAN = scene()
EVENTS = {
    "clean": Event(with_noise(CLEAN, 1)),
    "clean_again": Event(with_noise(CLEAN, 2)),
    "leftover": Event(with_leftover(with_noise(CLEAN, 3))),
    "black": Event(CLEAN * 0),
    "another_view": Event(scene(99)),
    "upside_down": Event(CLEAN[::-1, ::-1]),
    "small": Event(CLEAN[:90, :120]),
    "one_pixel": Event(CLEAN[:1, :1]),
    "grey": Event(CLEAN[..., 0]),
    "lost": LOST,
    "damaged": DAMAGED,
    "silence": SILENCE,
}
MAY_PASS = {"clean", "clean_again"}
ENGINE_FAULTS = ("raise", "nan", "infinite", "wrong_shape", "wrong_dtype", "missing_output")


class FailingDisk(MemoryPublisher):
    """Refuses the publish calls whose numbers it is given."""

    def __init__(self, fails: set[int]) -> None:
        super().__init__(MemorySettings(kind="memory", keep=100_000))
        self._fails = fails
        self.calls = 0

    def publish(self, *records: Record) -> None:
        if any(record.kind is RecordKind.VERDICT for record in records):
            self.calls += 1
            if self.calls - 1 in self._fails:
                raise OutboxError("disk full", where="outbox")
        super().publish(*records)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return make_recipe(tmp_path_factory.mktemp("recipe"))


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_no_fault_gives_pass_and_every_trigger_one_verdict(recipe: Recipe, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(EVENTS)), min_size=1, max_size=6), "camera")
    faulty_calls = data.draw(st.sets(st.integers(0, 5), max_size=3), "engine fails at")
    fault = data.draw(st.sampled_from(ENGINE_FAULTS), "how")
    checked = data.draw(st.booleans(), "engine checks its outputs")
    unwritable = data.draw(st.sets(st.integers(0, 5), max_size=2), "disk fails at")
    clock_lost = data.draw(st.booleans(), "clock is at 1970")

    faults = (SimulatedFault(kind=fault, at=tuple(sorted(faulty_calls))),) if faulty_calls else ()
    engine = SimulatedEngineSettings(faults=faults, checked=checked)
    disk = FailingDisk(unwritable)
    when = datetime(1970, 1, 1, 0, 5, tzinfo=timezone.utc) if clock_lost else datetime.now(timezone.utc)
    station = make_station(
        {"front": recipe},
        {"front": ScriptedCamera("front", [EVENTS[name] for name in names])},
        publisher=disk,
        engine=engine,
        trigger=TriggerSettings(timeout_s=0.3),
        now=lambda: when,
    )
    with station:
        verdicts = [station.ask("front", 1, 0.3, None)[0].result(30) for _ in names]

    assert [verdict.origin.trigger for verdict in verdicts] == list(range(1, len(names) + 1))
    assert len({verdict.result_id for verdict in verdicts}) == len(verdicts)
    judged = 0
    for number, (name, verdict) in enumerate(zip(names, verdicts, strict=True)):
        reached_engine = verdict.alignment is not None and verdict.alignment.trusted
        engine_failed = reached_engine and judged in faulty_calls
        judged += reached_engine
        truth_known = name in MAY_PASS and not engine_failed and number not in unwritable and not clock_lost
        if not truth_known:
            assert verdict.outcome is not Outcome.PASS, (name, verdict.judgement)
        if verdict.outcome is Outcome.UNDECIDED:
            assert verdict.reason is not None
            assert verdict.reason.detail
        else:
            assert verdict.reason is None
        if truth_known:
            assert verdict.outcome is Outcome.PASS
    recorded = Counter(record.result_id for record in disk.records if record.kind is RecordKind.VERDICT)
    assert recorded == {v.result_id: 1 for n, v in enumerate(verdicts) if n not in unwritable}


@pytest.mark.parametrize(
    ("event", "outcome", "code"),
    [
        ("clean", Outcome.PASS, None),
        ("leftover", Outcome.FAIL, None),
        ("black", Outcome.UNDECIDED, ReasonCode.NOT_REGISTERED),
        ("another_view", Outcome.UNDECIDED, ReasonCode.NOT_REGISTERED),
        ("upside_down", Outcome.UNDECIDED, ReasonCode.NOT_REGISTERED),
        ("small", Outcome.UNDECIDED, ReasonCode.FRAME_INVALID),
        ("one_pixel", Outcome.UNDECIDED, ReasonCode.FRAME_INVALID),
        ("grey", Outcome.UNDECIDED, ReasonCode.FRAME_INVALID),
        ("lost", Outcome.UNDECIDED, ReasonCode.CAMERA_LOST),
        ("damaged", Outcome.UNDECIDED, ReasonCode.FRAME_INVALID),
        ("silence", Outcome.UNDECIDED, ReasonCode.FRAME_TIMEOUT),
    ],
)
def test_each_fault_says_what_it_is(recipe: Recipe, event: str, outcome: Outcome, code: ReasonCode | None) -> None:
    trigger = TriggerSettings(timeout_s=0.3)
    with make_station({"front": recipe}, {"front": ScriptedCamera("front", [EVENTS[event]])}, trigger=trigger) as station:
        verdict = station.ask("front", 1, 0.3, None)[0].result(30)
    assert verdict.outcome is outcome
    assert (verdict.reason.code if verdict.reason else None) is code


def test_the_view_judges_again_once_the_fault_is_over(recipe: Recipe) -> None:
    events = [LOST, DAMAGED, EVENTS["black"], EVENTS["clean"]]
    with make_station({"front": recipe}, {"front": ScriptedCamera("front", events)}) as station:
        outcomes = [station.ask("front", 1, 2, None)[0].result(30).outcome for _ in events]
    assert outcomes == [Outcome.UNDECIDED] * 3 + [Outcome.PASS]
