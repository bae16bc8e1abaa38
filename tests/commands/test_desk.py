"""What comes in at the desk: refused by name, answered once, done once, and never in anybody's way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from edge.commands.base import Done, Handler, Later, Outcome
from edge.commands.desk import IN_WORK, CommandDesk
from edge.commands.envelope import MAX_BYTES, reply_topic
from edge.commands.ledger import Ledger
from edge.commands.results import Begun, Cancelled, State
from edge.publishers.base import Incoming
from edge.publishers.memory import MemoryPublisher
from edge.settings.commands import CommandSettings
from edge.settings.mqtt import MemorySettings
from tests.commands.parts import PAUSE, ROOT, Asker, message, settings, until

NOW = datetime(2026, 11, 22, 4, 5, 6, 789_000, tzinfo=timezone.utc)
KEY = bytes(range(32))
STATE = Done(State(product="", ready=True, clearance=None, views=()))


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Counter:
    """Handlers that count what is done."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def __call__(self, outcome: Callable[[], Outcome] = lambda: STATE, lane: Any = "quick") -> Handler:
        def run(order: Any) -> Outcome:
            self.done.append(order.request_id)
            return outcome()

        return Handler(run, lane)


@contextmanager
def serving(
    path: Path | None = None, config: CommandSettings | None = None, clock: Clock | None = None, **handlers: Handler
) -> Iterator[Asker]:
    publisher = MemoryPublisher(MemorySettings(kind="memory", keep=20_000))
    config = config or settings(per_s=100_000, burst=100_000, waiting=10_000)
    desk = CommandDesk(publisher, ROOT, config, Ledger(path, 100), clock or Clock())
    desk.listen()
    with publisher, desk.serving(handlers):
        asker = Asker(publisher)
        asker.desk = desk  # type: ignore[attr-defined]
        yield asker


def says(**fields: Any) -> dict[str, Any]:
    return message("state", now=NOW, **fields)


def test_a_repeated_command_is_answered_again_and_done_once(tmp_path: Path) -> None:
    counter = Counter()
    with serving(state=counter()) as asker:
        body = says()
        asker.send("state", body)
        first = asker.wait(body["request_id"])
        asker.send("state", body)
        asker.send("state", {**body, "sent_at": (NOW + timedelta(seconds=1)).isoformat()})
        assert asker.wait(body["request_id"], 3) == first == asker.wait(body["request_id"], 2)
        other = {**body, "note": 1}
        del other["note"]
        asker.send("archive", other)
        assert asker.wait(body["request_id"], 4)["error"]["code"] == "request_id_used"
    assert counter.done == [body["request_id"]]


def test_nothing_is_done_twice_over_a_restart(tmp_path: Path) -> None:
    """A replay of what was seen on the broker, to a station that was started again: also with its clock set back."""
    counter, clock = Counter(), Clock()
    body = message("cancel", now=NOW, cancels="x", who="Kim")
    earlier = message("cancel", now=NOW - timedelta(seconds=10), cancels="x", who="Kim")
    cancelled = lambda: Done(Cancelled(cancelled=True))  # noqa: E731
    with serving(tmp_path / "c", clock=clock, cancel=counter(cancelled)) as asker:
        asker.send("cancel", body)
        assert asker.wait(body["request_id"])["status"] == "ok"
    clock.now = NOW - timedelta(seconds=5)
    with serving(tmp_path / "c", clock=clock, cancel=counter(cancelled)) as asker:
        asker.send("cancel", body)
        assert asker.wait(body["request_id"])["result"]["cancelled"] is True
        asker.send("cancel", earlier)
        assert asker.wait(earlier["request_id"])["error"]["code"] == "out_of_order"
    clock.now = NOW + timedelta(seconds=31)
    with serving(tmp_path / "c", clock=clock, cancel=counter(cancelled)) as asker:
        asker.send("cancel", body)
        assert asker.wait(body["request_id"])["error"]["code"] == "too_old"
    assert counter.done == [body["request_id"]]


def test_what_was_at_work_when_the_station_died_is_not_done_again(tmp_path: Path) -> None:
    counter = Counter()
    cancel = message("cancel", now=NOW, cancels="x", who="Kim")
    clearance = message("clearance", now=NOW, batch="B", product="p")
    with serving(tmp_path / "c") as asker:
        ledger = asker.desk._ledger  # type: ignore[attr-defined]
        from edge.commands.gate import fingerprint_of

        for name, body in (("cancel", cancel), ("clearance", clearance)):
            ledger.begin("plc", body["request_id"], fingerprint_of(name, body), NOW, acts=True)
    with serving(tmp_path / "c", cancel=counter(), clearance=counter()) as asker:
        asker.send("cancel", cancel)
        assert asker.wait(cancel["request_id"])["error"]["code"] == "interrupted"
        # The book of clearances knows what became of it: it is asked, and answers the same once.
        asker.send("clearance", clearance)
        assert asker.wait(clearance["request_id"])["status"] == "ok"
    assert counter.done == [clearance["request_id"]]


@pytest.mark.parametrize(
    ("fields", "code", "named"),
    [
        (
            {"sent_at": (NOW + timedelta(seconds=6)).isoformat()},
            "from_the_future",
            "the station's clock says 2026-11-22T04:05:06",
        ),
        ({"sent_at": (NOW - timedelta(seconds=31)).isoformat()}, "too_old", "at most 30 s old"),
        ({"sent_at": "2026-11-22T04:05:06"}, "invalid", "sent_at"),
        ({"sent_at": "1795320306"}, "invalid", "sent_at"),
        ({"sent_at": 1795320306}, "invalid", "sent_at"),
        ({"sent_at": ...}, "invalid", "sent_at"),
        ({"schema": "lineclear/command/2"}, "invalid", "schema"),
        ({"extra": 1}, "invalid", "extra"),
        ({"signature": "0" * 64}, "bad_signature", "not that of client 'plc'"),
        ({"client": "mes"}, "no_right", "'mes' has not the right 'state'"),
    ],
)
def test_what_is_wrong_is_said_to_who_asked(fields: dict[str, Any], code: str, named: str) -> None:
    counter = Counter()
    with serving(state=counter()) as asker:
        body = says(**fields)
        asker.send("state", body)
        reply = asker.wait(body["request_id"], client=body["client"])
        assert (reply["status"], reply["error"]["code"]) == ("error", code)
        assert named in " ".join([reply["error"]["message"], *reply["error"]["problems"]])
    assert not counter.done


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"batch": "a/b"}, "batch"),
        ({"batch": "a\nb"}, "cannot be seen"),
        ({"batch": "x" * 4096}, "batch"),
        ({"batch": "a\u2028b"}, "cannot be seen"),
        ({"batch": " a"}, "blanks"),
        ({"product": "a/b"}, "product"),
        ({"product": ""}, "product"),
        ({"operator": "a\tb"}, "operator"),
        ({"note": "x" * 2001}, "note"),
        ({"request_id": ""}, "request_id"),
    ],
)
def test_bad_words_are_named(fields: dict[str, Any], named: str) -> None:
    counter = Counter()
    with serving(clearance=counter()) as asker:
        body = message("clearance", now=NOW, **{"batch": "B", "product": "p", **fields})
        asker.send("clearance", body)
        reply = asker.wait(body["request_id"])
        assert reply["error"]["code"] == "invalid"
        assert any(named in line for line in reply["error"]["problems"])
    assert not counter.done


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("cancel", {"cancels": "x", "who": ""}),
        ("recipe", {"product": "p", "who": "Kim"}),
        ("recipe", {"product": "p", "who": "Kim", "why": "  "}),
        ("threshold", {"view": "front", "who": "Kim", "why": "w"}),
        ("threshold", {"view": "front", "image_threshold": "12", "who": "Kim", "why": "w"}),
        ("threshold", {"view": "front", "image_threshold": True, "who": "Kim", "why": "w"}),
        ("threshold", {"view": "front", "image_threshold": 1.0, "card": {}, "who": "Kim", "why": "w"}),
        ("mask", {"view": "front", "mask": "hose", "enabled": "yes", "who": "Kim", "why": "w"}),
        ("archive", {"limit": 101}),
        ("archive", {"limit": 1.5}),
        ("review", {"result_id": "r", "views": [], "action": "removed", "who": "Kim", "why": "w"}),
        ("review", {"result_id": "r", "views": ["front"], "action": "released", "who": "Kim", "why": "w"}),
    ],
)
def test_every_command_is_closed_and_strict(name: str, fields: dict[str, Any]) -> None:
    counter = Counter()
    with serving(**{name: counter()}) as asker:
        body = message(name, now=NOW, **fields)
        asker.send(name, body)
        assert asker.wait(body["request_id"])["error"]["code"] == "invalid"
    assert not counter.done


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"{", "malformed"),
        (b"[]", "malformed"),
        (b'{"a": 1, "a": 2}', "malformed"),
        (b'{"a": NaN}', "malformed"),
        (b'{"a": 1e999}', "malformed"),
        (b'{"a": "\\ud800"}', "malformed"),
        (b"[" * 100_000, "malformed"),
        (b'{"a":' * 50 + b"1" + b"}" * 50, "malformed"),
        (b'{"a": ' + b"9" * 5000 + b"}", "malformed"),
        (b" " * (MAX_BYTES + 1), "oversized"),
    ],
)
def test_what_cannot_be_read_is_answered_only_where_an_answer_is_wanted(payload: bytes, code: str) -> None:
    with serving() as asker:
        asker.send("state", payload)
        asker.send("state", payload, response_topic=f"{ROOT}/reply/plc/7", correlation=b"c")
        until(lambda: bool(asker.publisher.answers))
        (answer,) = asker.publisher.answers
        assert (answer.topic, answer.correlation) == (f"{ROOT}/reply/plc/7", b"c")
        assert answer.body["error"]["code"] == code
        assert asker.desk.values()[f"commands.state.{code}"] == 2  # type: ignore[attr-defined]


def test_an_unknown_or_retained_command_is_refused() -> None:
    counter = Counter()
    with serving(state=counter()) as asker:
        for name, more, code in (("format-disk", {}, "unknown_command"), ("state", {"retained": True}, "retained")):
            body = says()
            asker.send(name, body, **more)
            assert asker.wait(body["request_id"])["error"]["code"] == code
        body = says()
        asker.send("archive", body)
        assert "has no archive" in asker.wait(body["request_id"])["error"]["message"]
        assert asker.desk.values()["commands.unknown.unknown_command"] == 1  # type: ignore[attr-defined]
    assert not counter.done


@pytest.mark.parametrize(
    ("client", "asked", "told"),
    [
        ("plc", "", "reply/plc"),
        ("plc", f"{ROOT}/reply/plc/4", "reply/plc/4"),
        ("plc", f"{ROOT}/reply/plc", "reply/plc"),
        ("plc", f"{ROOT}/reply/mes", "reply/plc"),
        ("plc", f"{ROOT}/cmd/recipe", "reply/plc"),
        ("plc", f"{ROOT}/reply/../cmd/recipe", "reply/plc"),
        ("plc", f"{ROOT}/reply/plc/+", "reply/plc"),
        ("plc", f"{ROOT}/reply/", "reply/plc"),
        ("plc", "elsewhere", "reply/plc"),
        ("plc", "$SYS/broker", "reply/plc"),
        ("", f"{ROOT}/reply/any/thing", "reply/any/thing"),
        ("", "elsewhere", None),
        ("", f"{ROOT}/reply/a/b/c/d/e/f/g", None),
    ],
)
def test_the_station_speaks_nowhere_else(client: str, asked: str, told: str | None) -> None:
    assert reply_topic(ROOT, client, asked) == (f"{ROOT}/{told}" if told else "")


@pytest.mark.parametrize("client", ["a/b", "+", "#", "", " x", "a\0", 7, None, "x" * 81, "$SYS"])
def test_a_client_that_is_no_topic_level_gets_no_reply(client: object) -> None:
    with serving() as asker:
        asker.send("state", {**says(), "client": client})
        until(lambda: bool(asker.desk.values()))  # type: ignore[attr-defined]
        assert not asker.publisher.answers


def test_a_long_command_never_holds_up_a_short_one() -> None:
    hold, counter = threading.Event(), Counter()

    def wait() -> Outcome:
        assert hold.wait(20)
        return STATE

    with serving(reload=counter(wait, "long"), state=counter()) as asker:
        bodies = [message("reload", now=NOW, who="Kim", why="w") for _ in range(12)]
        for body in bodies:
            asker.send("reload", body)
        body = says()
        asker.send("state", body)
        assert asker.wait(body["request_id"])["status"] == "ok"
        last = asker.wait(bodies[-1]["request_id"])
        assert (last["status"], last["error"]["code"]) == ("busy", "busy")
        asker.send("reload", bodies[0])
        until(lambda: any(reply["status"] == "progress" for reply in asker.replies(bodies[0]["request_id"])))
        hold.set()
        assert asker.wait(bodies[0]["request_id"])["status"] == "ok"
        # What was turned away was not done, so the same request is taken now.
        until(lambda: len(counter.done) == 9)
        asker.send("reload", bodies[-1])
        assert asker.wait(bodies[-1]["request_id"], 2)["status"] == "ok"


def test_a_fault_of_the_software_is_answered_and_hurts_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Outcome:
        raise ZeroDivisionError

    with serving(state=Counter()(broken), archive=Counter()(broken, "query"), cancel=Counter()()) as asker:
        for name in ("state", "archive"):
            body = message(name, now=NOW)
            asker.send(name, body)
            assert asker.wait(body["request_id"])["error"]["code"] == "internal"
        body = message("cancel", now=NOW, cancels="x", who="Kim")
        asker.send("cancel", body)
        assert asker.wait(body["request_id"])["status"] == "ok"
    assert "ZeroDivisionError" in caplog.text


def test_what_is_begun_and_not_answered_is_bounded() -> None:
    answers: list[Future[Any]] = []

    def begin() -> Outcome:
        answers.append(Future())
        return Later(Begun(result_id="r"), answers[-1], lambda _: STATE)

    with serving(snapshot=Counter()(begin)) as asker:
        bodies = [message("snapshot", now=NOW, view="front") for _ in range(IN_WORK + 1)]
        for body in bodies:
            asker.send("snapshot", body)
        assert asker.wait(bodies[-1]["request_id"])["status"] == "busy"
        assert len(answers) == IN_WORK
        for answer in answers:
            answer.set_result(None)
        assert asker.wait(bodies[0]["request_id"])["status"] == "ok"


def test_a_flood_is_dropped_counted_and_told_only_now_and_then() -> None:
    counter = Counter()
    config = settings(per_s=1, burst=10)
    with serving(config=config, state=counter()) as asker:
        for _ in range(2000):
            asker.send("state", says())
        until(lambda: len(counter.done) >= 10)
        until(lambda: len(asker.publisher.answers) >= 20)
        assert asker.desk.values()["commands.state.dropped"] >= 1900  # type: ignore[attr-defined]
        busy = [answer.body for answer in asker.publisher.answers if answer.body["status"] == "busy"]
        assert 1 <= len(busy) <= 60
    assert len(counter.done) < 60


def test_before_the_start_and_after_the_end_it_says_so() -> None:
    publisher = MemoryPublisher(MemorySettings(kind="memory"))
    desk = CommandDesk(publisher, ROOT, settings(), Ledger(None, 100), Clock())
    desk.listen()
    asker = Asker(publisher)
    body = says()
    asker.send("state", body)
    assert asker.wait(body["request_id"])["error"]["code"] == "starting"
    with desk.serving({"state": Counter()()}):
        body = says()
        asker.send("state", body)
        assert asker.wait(body["request_id"])["status"] == "ok"
    count = len(publisher.answers)
    desk.receive(Incoming("cmd/state", json.dumps(says()).encode()))
    PAUSE.wait(0.05)
    assert len(publisher.answers) == count
