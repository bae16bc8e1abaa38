"""Settings of lines and triggers: what is refused, and what the person reads then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from edge.errors import ConfigError
from edge.schema import validate
from edge.settings.io import Condition, GpioTrigger, MqttTrigger, OutputsConfig, Trigger, topic_of, trigger_problems
from tests.io.building import config

TRIGGER: TypeAdapter[Any] = TypeAdapter(Trigger)
GPIO = {"chip": {"kind": "gpio"}}
RELAY = {"release": {"relay": {"line": 17}}}


def test_a_station_with_a_relay_and_a_stack_light() -> None:
    outputs = config("x")
    assert list(outputs.lines) == ["relay", "watched", "red", "amber", "green", "buzzer"]
    assert outputs.signals["red"].on == (Condition.NOT_CLEAR, Condition.FAULT)
    assert outputs.released_by is False


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({**GPIO}, "no line is named"),
        ({**GPIO, "release": {"a": {"line": 1}, "b": {"line": 1}}}, "a and b use the same line 1"),
        ({**GPIO, **RELAY, "signals": {"relay": {"line": 2, "on": ["busy"]}}}, "stands under release and under signals"),
        ({**GPIO, "signals": {"red": {"line": 2, "on": []}}}, "signals.red.on"),
        ({**GPIO, "signals": {"red": {"line": 2, "on": ["clear"]}}}, "signals.red.on"),
        ({**GPIO, "release": {"relay": {"line": -1}}}, "release.relay.line"),
        ({**GPIO, "release": {"relay": {"line": 1, "on": ["busy"]}}}, "release.relay.on"),
        ({**GPIO, "release": {"relay": {"line": 1, "signal": "blink"}}}, "release.relay.signal"),
        ({**GPIO, **RELAY, "hold_s": 0}, "hold_s"),
        ({**GPIO, **RELAY, "guard_ms": 10}, "guard_ms"),
        ({**GPIO, **RELAY, "guard": False}, "guard"),
        ({"chip": {"kind": "simulated", "path": "x"}, "release": {"relay": {"line": "RELAY"}}}, "lines 0 to 63"),
        ({"chip": {"kind": "simulated", "path": "x"}, "release": {"relay": {"line": 64}}}, "lines 0 to 63"),
        (RELAY, "chip"),
    ],
)
def test_what_cannot_work_is_refused_by_name(content: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(OutputsConfig, content, "outputs")
    assert said in str(caught.value.problems)


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "mqtt", "views": []},
        {"kind": "mqtt", "views": ["front", "front"]},
        {"kind": "mqtt", "views": ["front"], "topic": "cmd/clearance"},
        {"kind": "mqtt", "views": ["front"], "topic": "trigger/#"},
        {"kind": "mqtt", "views": ["front"], "topic": "/trigger"},
        {"kind": "mqtt", "views": ["front"], "timeout_s": 0},
        {"kind": "gpio", "views": ["front"]},
        {"kind": "gpio", "views": ["front"], "line": 4, "edge": "up"},
        {"kind": "gpio", "views": ["front"], "line": ""},
        {"kind": "serial", "views": ["front"]},
    ],
)
def test_a_trigger_that_cannot_work_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        TRIGGER.validate_python(content)


def test_a_trigger_listens_below_its_own_name_or_where_it_says() -> None:
    assert topic_of("gate", MqttTrigger(kind="mqtt", views=("front",))) == "trigger/gate"
    assert topic_of("gate", MqttTrigger(kind="mqtt", views=("front",), topic="plc/gate")) == "plc/gate"


def test_triggers_must_fit_the_station_and_each_other() -> None:
    triggers = {
        "a": GpioTrigger(kind="gpio", views=("front",), line=4),
        "b": GpioTrigger(kind="gpio", views=("top",), line=4),
        "c": GpioTrigger(kind="gpio", views=("front",), line=4, chip="/dev/gpiochip1"),
        "d": MqttTrigger(kind="mqtt", views=("front",), topic="trigger/e"),
        "e": MqttTrigger(kind="mqtt", views=("front",)),
    }
    problems = trigger_problems(triggers, ["front"])
    assert len(problems) == 3
    assert "b: there is no view 'top'" in problems
    assert [problem.split(" listen")[0] for problem in problems if "same source" in problem] == ["a and b", "d and e"]


def test_the_page_about_lines_can_be_copied_into_a_config() -> None:
    """YAML takes a bare `on` for true."""
    page = (Path(__file__).parents[2] / "docs" / "io.md").read_text()
    blocks: dict[str, Any] = {}
    for block in page.split("```yaml")[1:]:
        blocks |= yaml.safe_load(block.split("```")[0])
    outputs = validate(OutputsConfig, blocks["outputs"], "outputs")
    assert outputs.signals["amber"].on == (Condition.BUSY, Condition.UNDECIDED)
    assert {name: TRIGGER.validate_python(trigger).kind for name, trigger in blocks["triggers"].items()} == {
        "gate": "gpio",
        "plc": "mqtt",
    }


def test_two_spellings_of_on_are_not_mixed_up() -> None:
    with pytest.raises(ConfigError):
        validate(OutputsConfig, {**GPIO, "signals": {"red": {"line": 2, "on": ["busy"], True: ["fault"]}}}, "outputs")
