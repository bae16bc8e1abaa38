"""Settings of what comes in and goes out beside cameras and broker: external triggers, and lines that show and release."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from edge.schema import Closed
from edge.settings.mqtt import TopicLevel, topic_level

SIMULATED_LINES = 64
LineName = Annotated[str, Field(min_length=1, max_length=63)]
LineId = Annotated[int, Field(ge=0, le=65_535)] | LineName
"""A line of a chip: its number, or the name that the board gives it (`gpioinfo` lists both)."""
Bias = Literal["as_is", "pull_up", "pull_down", "disabled"]


class Condition(str, Enum):
    """What a signal can show.

    released: the release holds. busy: a clearance is at work. not_clear, undecided, released_by: how the last one ended,
    until something new happens. fault: the station cannot judge, hangs, or is away.
    """

    RELEASED = "released"
    BUSY = "busy"
    NOT_CLEAR = "not_clear"
    UNDECIDED = "undecided"
    RELEASED_BY = "released_by"
    FAULT = "fault"


class GpioChip(Closed):
    """A GPIO chip of this machine."""

    kind: Literal["gpio"] = "gpio"
    path: str = Field("/dev/gpiochip0", min_length=1)


class SimulatedChip(Closed):
    """No hardware: the lines are bytes of a file, for a desk and for tests. The only chip that simulated results release."""

    kind: Literal["simulated"]
    path: str = Field(min_length=1)


Chip = Annotated[GpioChip | SimulatedChip, Field(discriminator="kind")]


class OutputLine(Closed):
    """One line that is driven. active_low: energised is the low level, as on relay boards with inverted inputs."""

    line: LineId
    active_low: bool = False
    drive: Literal["push_pull", "open_drain", "open_source"] = "push_pull"
    bias: Bias = "as_is"


class ReleaseLine(OutputLine):
    """A line that lets the line run. level: energised while the release holds. heartbeat: toggles meanwhile, for a relay that
    drops when it sees no edges. period_ms: of one on and off.
    """

    signal: Literal["level", "heartbeat"] = "level"
    period_ms: int = Field(200, ge=20, le=2000)


class SignalLine(OutputLine):
    """A line that tells people something. on: energised while one of these is true. blink: period_ms is one on and off.
    pulse: once for pulse_ms when it becomes true.
    """

    on: tuple[Condition, ...] = Field(min_length=1)
    signal: Literal["level", "blink", "pulse"] = "level"
    period_ms: int = Field(1000, ge=100, le=10_000)
    pulse_ms: int = Field(500, ge=20, le=60_000)

    @model_validator(mode="before")
    @classmethod
    def _on_is_a_word(cls, data: Any) -> Any:
        """YAML 1.1 takes a bare `on` for true."""
        if not isinstance(data, Mapping):
            return data
        return {"on" if key is True and "on" not in data else key: value for key, value in data.items()}


class OutputsConfig(Closed):
    """The lines that this station drives; all on one chip, held by a guard process of its own.

    hold_s: so long after it was decided a CLEAR holds the release, at most. fresh_s: a CLEAR that arrives later than this
    after it was decided releases nothing. released_by: whether a release by a person counts like CLEAR. guard_ms: a station
    that says nothing for so long is taken for hung, and its release drops.
    """

    chip: Chip
    release: dict[TopicLevel, ReleaseLine] = Field(default_factory=dict)
    signals: dict[TopicLevel, SignalLine] = Field(default_factory=dict)
    hold_s: float = Field(10.0, ge=0.05, le=3600)
    fresh_s: float = Field(2.0, gt=0, le=60)
    released_by: bool = False
    guard_ms: int = Field(500, ge=100, le=5000)

    @property
    def lines(self) -> dict[str, ReleaseLine | SignalLine]:
        """Every line by its name."""
        return {**self.release, **self.signals}

    @model_validator(mode="after")
    def _every_line_once(self) -> Self:
        both = sorted(set(self.release) & set(self.signals))
        if both:
            raise ValueError(f"{', '.join(both)} stands under release and under signals: give each line its own name")
        if not self.lines:
            raise ValueError("no line is named: write one under release or signals, or leave outputs out")
        owners: dict[int | str, str] = {}
        for name, line in self.lines.items():
            if line.line in owners:
                raise ValueError(f"{owners[line.line]} and {name} use the same line {line.line}: give each its own")
            owners[line.line] = name
        strange = [line for line in owners if not isinstance(line, int) or line >= SIMULATED_LINES]
        if isinstance(self.chip, SimulatedChip) and strange:
            raise ValueError(f"a simulated chip has lines 0 to {SIMULATED_LINES - 1}, not {strange[0]}")
        return self


class _Trigger(Closed):
    """views: which are judged, once each per trigger. timeout_s: a view whose frame comes later than this after the trigger is
    UNDECIDED(frame_timeout). queue: so many triggers may wait per view; those beyond are counted and alarmed.
    """

    views: tuple[TopicLevel, ...] = Field(min_length=1)
    timeout_s: float = Field(2.0, gt=0, le=600)
    queue: int = Field(1000, ge=1, le=100_000)

    @field_validator("views")
    @classmethod
    def _each_once(cls, views: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(views)) != len(views):
            raise ValueError("a view is named twice: one trigger gives one verdict per view")
        return views


class MqttTrigger(_Trigger):
    """A message on a topic below the station's; None: `trigger/NAME`. What the message says does not matter."""

    kind: Literal["mqtt"]
    topic: str | None = Field(None, min_length=1, max_length=200)

    @field_validator("topic")
    @classmethod
    def _a_topic(cls, topic: str | None) -> str | None:
        if topic is not None:
            for level in topic.split("/"):
                topic_level(level)
            if topic.split("/")[0] in ("cmd", "reply"):
                raise ValueError("cmd/ and reply/ belong to commands: write another topic, such as trigger/gate")
        return topic


class GpioTrigger(_Trigger):
    """An edge on a line of this machine. debounce_ms: the line must be still for so long before an edge counts; 0: none.
    events: how many edges the kernel keeps while nobody reads.
    """

    kind: Literal["gpio"]
    chip: str = Field("/dev/gpiochip0", min_length=1)
    line: LineId
    edge: Literal["rising", "falling", "both"] = "rising"
    active_low: bool = False
    bias: Bias = "as_is"
    debounce_ms: float = Field(5.0, ge=0, le=1000)
    events: int = Field(256, ge=16, le=1024)


Trigger = Annotated[MqttTrigger | GpioTrigger, Field(discriminator="kind")]


def topic_of(name: str, trigger: MqttTrigger) -> str:
    """Where this trigger listens, relative to the station's root."""
    return trigger.topic if trigger.topic is not None else f"trigger/{name}"


def trigger_problems(triggers: Mapping[str, MqttTrigger | GpioTrigger], views: Iterable[str]) -> list[str]:
    """A line for each trigger that names an unknown view, or a topic or a line that another one has."""
    known = set(views)
    problems = []
    owners: dict[object, str] = {}
    for name, trigger in triggers.items():
        problems += [f"{name}: there is no view {view!r}" for view in trigger.views if view not in known]
        source: object = topic_of(name, trigger) if isinstance(trigger, MqttTrigger) else (trigger.chip, trigger.line)
        if source in owners:
            problems.append(f"{owners[source]} and {name} listen to the same source {source}: name both views in one trigger")
        owners.setdefault(source, name)
    return problems
