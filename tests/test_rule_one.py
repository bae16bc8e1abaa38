"""Rule 1 as a property: whatever fails, one trigger has one verdict, and none is PASS where the truth is unknown."""

import socket
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import OutboxError
from edge.publishers.base import Publisher, Record, RecordKind
from edge.publishers.memory import MemoryPublisher
from edge.publishers.mqtt import MqttPublisher
from edge.recipe import Recipe
from edge.settings.engines import SimulatedEngineSettings, SimulatedFault
from edge.settings.mqtt import MemorySettings, MqttSettings, StationAddress
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


class FailingDisk:
    """A publisher whose disk refuses the verdicts with the given numbers; the rest goes to a real one."""

    def __init__(self, inner: Publisher, fails: set[int]) -> None:
        self._inner = inner
        self._fails = fails
        self._verdicts = 0
        self.recorded: list[str] = []

    def __enter__(self) -> "FailingDisk":
        self._inner.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._inner.__exit__(None, None, None)

    def publish(self, *records: Record) -> None:
        verdicts = [record.result_id for record in records if record.kind is RecordKind.VERDICT]
        if verdicts:
            self._verdicts += 1
            if self._verdicts - 1 in self._fails:
                raise OutboxError("disk full", where="outbox")
        self._inner.publish(*records)
        self.recorded += verdicts

    def health(self) -> Mapping[str, float | int | str | bool | None]:
        return self._inner.health()


def no_broker(folder: Path) -> Publisher:
    """The real outbox and sender, with a broker that refuses every connection."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    settings = MqttSettings(kind="mqtt", host="127.0.0.1", port=port, drain_s=0)
    return MqttPublisher(settings, StationAddress(site="s", area="a", line="l", station="b"), folder)


def in_state(recipe: Recipe, state: str) -> Recipe:
    """The same recipe with nothing wrong, without a card, or with one that no longer holds."""
    if state == "without card":
        return replace(recipe, card=None)
    return replace(recipe, hashes=recipe.hashes.model_copy(update={state: "0" * 64})) if state != "sound" else recipe


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return make_recipe(tmp_path_factory.mktemp("recipe"))


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_no_fault_gives_pass_and_every_trigger_one_verdict(recipe: Recipe, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(EVENTS)), min_size=1, max_size=6), "camera")
    faulty_calls = data.draw(st.sets(st.integers(0, 5), max_size=3), "engine fails at")
    fault = data.draw(st.sampled_from(ENGINE_FAULTS), "how")
    checked = data.draw(st.booleans(), "engine checks its outputs")
    unwritable = data.draw(st.sets(st.integers(0, 5), max_size=2), "disk fails at")
    clock_lost = data.draw(st.integers(0, 3), "clock is at 1970") == 3
    state = data.draw(st.sampled_from(("sound", "sound", "sound", "without card", "masks", "bundle", "reference")), "recipe")
    broker_away = data.draw(st.booleans(), "broker refuses")

    faults = (SimulatedFault(kind=fault, at=tuple(sorted(faulty_calls))),) if faulty_calls else ()
    engine = SimulatedEngineSettings(faults=faults, checked=checked)
    when = datetime(1970, 1, 1, 0, 5, tzinfo=timezone.utc) if clock_lost else datetime.now(timezone.utc)
    with tempfile.TemporaryDirectory() as folder:
        inner = no_broker(Path(folder)) if broker_away else MemoryPublisher(MemorySettings(kind="memory"))
        disk = FailingDisk(inner, unwritable)
        station = make_station(
            {"front": in_state(recipe, state)},
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
        sound = state == "sound" and not clock_lost and number not in unwritable and not engine_failed
        if name in MAY_PASS and sound:
            assert verdict.outcome is Outcome.PASS
        else:
            assert verdict.outcome is not Outcome.PASS, (name, verdict.judgement)
        if verdict.outcome is Outcome.UNDECIDED:
            assert verdict.reason is not None
            assert verdict.reason.detail
        else:
            assert verdict.reason is None
    assert disk.recorded == [v.result_id for n, v in enumerate(verdicts) if n not in unwritable]


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
