"""State when it changes, health in intervals, alarms while they last."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import pytest

from edge.cameras.supervision import CameraState
from edge.errors import OutboxError
from edge.health import Health
from edge.loop import Identity, Reporter
from edge.loop.seating import Seating
from edge.publishers.base import Record
from edge.publishers.memory import MemoryPublisher
from edge.settings.mqtt import MemorySettings
from edge.types import Judgement, Origin, ReasonCode
from edge.verdict import undecided
from tests.schemas import validate_message

ROOT = "lineclear/s/a/l/b"


@dataclass
class Camera:
    """A camera as far as a report sees it."""

    state: CameraState


@dataclass
class View:
    name: str
    camera: Any
    blocked: Judgement | None = None
    pipeline: Any = None
    origin: Origin = field(default_factory=lambda: Origin("front", 0, None, None, product="p", recipe="r", recipe_version=3))
    pictures_trouble: Callable[[], str] = str
    adjusted: dict[str, float] = field(default_factory=dict)

    @property
    def seating(self) -> Seating:
        return Seating(self.origin, blocked=self.blocked, pipeline=self.pipeline)


def camera(status: str, why: str = "", restarts: int = 0) -> Camera:
    return Camera(CameraState(status, why, 0, None, restarts, 12, 1, 2, 3, 0, 0.001))  # type: ignore[arg-type]


class Told(MemoryPublisher):
    """Collects, and says what it is told to about its own health."""

    def __init__(self, **health: int) -> None:
        super().__init__(MemorySettings(kind="memory"))
        self._health = health

    def health(self) -> dict[str, Any]:
        return dict(self._health)

    def of(self, topic: str) -> list[Record]:
        return [record for record in self.records if record.topic == topic]


def reporter(publisher: MemoryPublisher, interval_s: float = 1000) -> Reporter:
    return Reporter(publisher, Identity(ROOT, {"lineclear": "0.1"}, "c0ffee"), interval_s, lambda: datetime.now(timezone.utc))


def test_state_is_said_once_and_again_when_it_changes() -> None:
    with Told() as publisher:
        report = reporter(publisher)
        for status in ("closed", "opening", "live", "live", "lost"):
            report.report([View("front", camera(status, "unplugged" if status == "lost" else ""))], Health())
    states = publisher.of("state")
    assert [record.body["status"] for record in states] == ["starting", "starting", "ready", "degraded"]
    assert "unplugged" in states[-1].body["reason"]
    assert states[-1].retain
    for record in publisher.records:
        validate_message(f"{ROOT}/{record.topic}", b"" if not record.body else json.dumps(record.body).encode())


def test_alarms_are_raised_cleared_and_cleaned_up_after_a_killed_life() -> None:
    with Told() as publisher:
        report = reporter(publisher)
        for status in ("live", "lost", "lost", "live"):
            report.report([View("Front 1", camera(status, "unplugged", restarts=1))], Health())
    alarms = publisher.of("alarm/view_front_1")
    assert [bool(record.body) for record in alarms] == [False, True, False]
    assert "unplugged" in alarms[1].body["text"]


@pytest.mark.parametrize(
    ("view", "alarmed"),
    [
        (View("front", camera("opening")), False),
        (View("front", camera("opening", restarts=1)), True),
        (View("front", camera("refused", "no such format")), True),
        (View("front", camera("live"), blocked=undecided(ReasonCode.RECIPE_INVALID, "reference.png is missing")), True),
        (View("front", object()), False),
    ],
)
def test_what_is_an_alarm_and_what_only_takes_its_time(view: View, alarmed: bool) -> None:
    with Told() as publisher:
        reporter(publisher).report([view], Health())
    assert bool(publisher.of("alarm/view_front")[-1].body) is alarmed


def test_dropped_results_are_an_alarm() -> None:
    with Told(**{"outbox.dropped_verdict": 3}) as publisher:
        report = reporter(publisher, interval_s=0)
        for _ in range(2):
            report.report([View("front", camera("live"))], Health())
    assert "3 results were dropped" in publisher.of("alarm/results_dropped")[-1].body["text"]


def test_health_carries_counters_of_station_cameras_and_publisher() -> None:
    health = Health()
    health.event("front", "frames_lost", 4)
    with Told(**{"outbox.results": 7}) as publisher:
        reporter(publisher).report([View("front", camera("live"))], health)
    values = publisher.of("health")[-1].body["values"]
    assert values["view.front.events.frames_lost"] == 4
    assert values["camera.front.incomplete"] == 2
    assert values["outbox.results"] == 7


def test_a_report_that_cannot_be_published_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Told):
        def publish(self, *records: Record) -> None:
            raise OutboxError("disk full")

    with Broken() as publisher:
        reporter(publisher).report([View("front", camera("live"))], Health())
    assert "report_not_published" in caplog.text
