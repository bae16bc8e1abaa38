"""One trigger, one verdict: messages and edges, bursts, lost edges, and sources that go away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from edge.io.base import EdgeLines
from edge.io.simulated import SimulatedEdges
from edge.io.triggers import Triggers
from edge.publishers.base import Incoming
from edge.publishers.memory import MemoryPublisher
from edge.recipe import Recipe
from edge.settings.io import GpioTrigger, MqttTrigger
from edge.settings.mqtt import MemorySettings
from edge.settings.triggers import TriggerSettings
from edge.types import Outcome, ReasonCode, Verdict
from tests.io.building import PATIENCE_S, until, verdict
from tests.io.gpio_sim import WHY_NOT, is_there, sim_chip
from tests.station_parts import Event, ScriptedCamera, make_recipe, make_station, scene, with_leftover, with_noise


class Asked:
    """Stands for the station: notes what it is asked, answers when told to."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asked: list[tuple[str, int, float, str | None]] = []
        self.answers: list[Future[Verdict]] = []

    def __call__(self, view: str, frames: int, timeout_s: float, clearance_id: str | None) -> tuple[Future[Verdict], ...]:
        with self.lock:
            self.asked.append((view, frames, timeout_s, clearance_id))
            self.answers.append(Future())
            return (self.answers[-1],)

    def answer_all(self) -> None:
        with self.lock:
            for answer in self.answers:
                if not answer.done():
                    answer.set_result(verdict())


def gpio(**changes: Any) -> GpioTrigger:
    return GpioTrigger.model_validate({"kind": "gpio", "views": ["front"], "line": 4, **changes})


def mqtt(**changes: Any) -> MqttTrigger:
    return MqttTrigger.model_validate({"kind": "mqtt", "views": ["front"], **changes})


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def line() -> SimulatedEdges:
    return SimulatedEdges()


@pytest.fixture
def triggers(asked: Asked, line: SimulatedEdges) -> Iterator[Triggers]:
    with Triggers({"gate": gpio(queue=50)}, asked, lambda _: line) as running:
        until(lambda: running.states()["gate"].status == "listening")
        yield running


def test_an_edge_asks_for_one_fresh_frame_of_each_view(asked: Asked, line: SimulatedEdges) -> None:
    with Triggers({"gate": gpio(views=["front", "top"], timeout_s=5)}, asked, lambda _: line) as triggers:
        until(lambda: triggers.states()["gate"].status == "listening")
        line.pull()
        until(lambda: len(asked.asked) == 2)
    assert [(view, frames, clearance) for view, frames, _, clearance in asked.asked] == [("front", 1, None), ("top", 1, None)]
    assert all(4 < timeout_s <= 5 for _, _, timeout_s, _ in asked.asked)
    assert triggers.states()["gate"].count == 1


def test_the_time_counts_from_the_edge_not_from_when_somebody_looked(
    triggers: Triggers, asked: Asked, line: SimulatedEdges
) -> None:
    line.pull(age_s=1.5)
    line.pull(age_s=60)
    until(lambda: len(asked.asked) == 2)
    assert 0 < asked.asked[0][2] <= 0.5
    assert asked.asked[1][2] == 0.0, "a frame of now does not show the part of a minute ago"
    assert triggers.health()["trigger.gate.latency_s"] >= 60  # type: ignore[operator]


def test_a_burst_is_answered_edge_by_edge(triggers: Triggers, asked: Asked, line: SimulatedEdges) -> None:
    for _ in range(40):
        line.pull()
    until(lambda: len(asked.asked) == 40)
    assert triggers.states()["gate"].count == 40
    assert triggers.alarms() == {"trigger_gate": None}


def test_edges_that_the_kernel_lost_have_their_verdict_too(triggers: Triggers, asked: Asked, line: SimulatedEdges) -> None:
    line.pull()
    line.pull(lost_before=3)
    until(lambda: len(asked.asked) == 5)
    assert [timeout_s == 0 for _, _, timeout_s, _ in asked.asked] == [False, True, True, True, False]
    assert (triggers.states()["gate"].lost, triggers.states()["gate"].count) == (3, 5)


def test_more_than_can_wait_is_counted_and_alarmed_and_takes_no_memory(
    triggers: Triggers, asked: Asked, line: SimulatedEdges
) -> None:
    for _ in range(80):
        line.pull()
    until(lambda: triggers.states()["gate"].count == 80)
    until(lambda: triggers.states()["gate"].refused == 30)
    assert len(asked.asked) == 50
    assert "30 triggers got no verdict" in str(triggers.alarms()["trigger_gate"])
    asked.answer_all()
    line.pull()
    until(lambda: len(asked.asked) == 51)


def test_a_chip_that_goes_away_is_said_and_heard_again(triggers: Triggers, asked: Asked, line: SimulatedEdges) -> None:
    line.pull()
    until(lambda: len(asked.asked) == 1)
    line.unplug()
    until(lambda: triggers.states()["gate"].status == "away")
    said = str(triggers.alarms()["trigger_gate"])
    assert "trigger gate: simulated:" in said
    assert "nobody hears it" in said
    assert triggers.health()["trigger.gate.status"] == "away"
    line.is_there = True
    until(lambda: triggers.states()["gate"].status == "listening")
    assert triggers.alarms() == {"trigger_gate": None}
    line.pull()
    until(lambda: len(asked.asked) == 2)


def test_a_chip_that_was_never_there_is_said_and_the_station_runs(asked: Asked) -> None:
    with Triggers({"gate": gpio(chip="/dev/gpiochip250"), "plc": mqtt()}, asked) as triggers:
        until(lambda: "gpiochip250" in str(triggers.alarms()["trigger_gate"]))
        assert triggers.receive(Incoming("trigger/plc", b""))
    assert len(asked.asked) == 1
    assert triggers.alarms() == {"trigger_gate": None, "trigger_plc": None}


def test_messages_trigger_whatever_they_say(asked: Asked) -> None:
    triggers = Triggers({"plc": mqtt(), "gate": mqtt(topic="line/gate", views=["top"])}, asked)
    assert triggers.topics == ("trigger/plc", "line/gate")
    with triggers:
        for payload in (b"", b"1", b"{", b"\xff" * 100_000):
            assert triggers.receive(Incoming("trigger/plc", payload))
        assert triggers.receive(Incoming("line/gate", b""))
        assert not triggers.receive(Incoming("cmd/clearance", b"{}"))
        assert triggers.receive(Incoming("trigger/plc", b"1", retained=True)), "it is ours, but nobody asks now"
    assert [view for view, *_ in asked.asked] == ["front"] * 4 + ["top"]
    assert triggers.receive(Incoming("trigger/plc", b""))
    assert len(asked.asked) == 5, "a station that stops takes no more"


def test_it_can_be_left_and_entered_again(asked: Asked, line: SimulatedEdges) -> None:
    triggers = Triggers({"gate": gpio()}, asked, lambda _: line)
    for life in (1, 2):
        with triggers:
            until(lambda: triggers.states()["gate"].status == "listening")
            line.pull()
            until(lambda life=life: len(asked.asked) == life)
        assert triggers.states()["gate"].status == "stopped"
    assert threading.active_count() < 20


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return make_recipe(tmp_path_factory.mktemp("recipe"))


@pytest.mark.parametrize(
    "source", ["simulated", pytest.param("gpio-sim", marks=pytest.mark.skipif(not is_there(), reason=WHY_NOT))]
)
def test_a_real_station_gives_each_edge_its_verdict(recipe: Recipe, source: str, tmp_path: Path) -> None:
    clean = scene()
    events = [Event(with_noise(clean, 1)), Event(with_leftover(with_noise(clean, 2))), Event()]
    publisher = MemoryPublisher(MemorySettings(kind="memory"))
    answers: list[Future[Verdict]] = []
    camera = ScriptedCamera("front", events)
    with make_station(
        {"front": recipe}, {"front": camera}, publisher=publisher, trigger=TriggerSettings(timeout_s=1)
    ) as station:

        def ask(view: str, frames: int, timeout_s: float, clearance_id: str | None) -> tuple[Future[Verdict], ...]:
            found = station.ask(view, frames, timeout_s, clearance_id)
            answers.extend(found)
            return found

        def run(opens: Any, pull: Any, trigger: GpioTrigger) -> None:
            with Triggers({"gate": trigger}, ask, opens) as triggers:
                until(lambda: triggers.states()["gate"].status == "listening")
                for count in (1, 2, 3):
                    pull()
                    until(lambda count=count: len(answers) == count)
                    answers[-1].result(PATIENCE_S)

        if source == "simulated":
            line = SimulatedEdges()
            run(lambda _: line, line.pull, gpio())
        else:
            from edge.io.triggers import open_gpio

            def opens(trigger: GpioTrigger) -> EdgeLines:
                return open_gpio(trigger)

            with sim_chip() as chip:
                run(opens, lambda: chip.pulse(4), gpio(chip=chip.path, debounce_ms=0))
    verdicts = [answer.result(0) for answer in answers]
    assert [v.outcome for v in verdicts] == [Outcome.PASS, Outcome.FAIL, Outcome.UNDECIDED]
    assert verdicts[2].reason is not None
    assert verdicts[2].reason.code is ReasonCode.FRAME_TIMEOUT
    assert [v.origin.trigger for v in verdicts] == [1, 2, 3]
