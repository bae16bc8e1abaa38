"""Commands and their answers: order under threads and broken clocks, answers that are lost, nothing done twice."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.web.link import Link, StationBusy, StationRefused, StationSilent
from calibration.web.link.connection import Heard
from calibration.web.link.keys import PageKey
from edge.commands.signing import signature_of
from edge.publishers.mqtt import MqttPublisher
from edge.recipe import load_recipe
from tests.commands.parts import ROOT, until
from tests.mosquitto import mosquitto
from tests.publishers.waiting import wait_for_status
from tests.web.link.parts import page_link
from tests.web.link.test_broker import KEY, PERSON, await_now, heard_station, station, wait_until_asked_again


class Line:
    """Takes what goes out; `tell` answers it as the station does. up: whether there is a connection."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.up = True
        self.answering = True
        self._lock = threading.Lock()
        link.through(self)

    def send(self, topic: str, payload: bytes) -> bool:
        if self.up:
            with self._lock:
                self.sent.append((topic, json.loads(payload)))
                asked = self.sent[-1][1]
            if self.answering:  # from another thread, as the broker's
                threading.Thread(target=self.tell, args=(asked,)).start()
        return self.up

    def tell(self, asked: dict[str, Any], *, retained: bool = False, **changes: Any) -> None:
        body = {
            "schema": "lineclear/reply/1", "command": "state", "client": asked["client"], "request_id": asked["request_id"],
            "status": "ok", "error": None, "result": {"kind": "state"}, **changes,
        }  # fmt: skip
        self.link.hear(Heard(self.link.reply_topic, json.dumps(body).encode(), retained))


def asking_in_a_thread(link: Link, **more: Any) -> tuple[threading.Thread, list[Any]]:
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append(link.ask("state", {}, **more))
        except (StationBusy, StationRefused, StationSilent) as error:
            answers.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread, answers


def in_milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


@settings(max_examples=60)
@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=12))
def test_sent_at_only_grows_whatever_the_clock_does(steps_s: list[float]) -> None:
    times = iter([datetime(2026, 11, 22, tzinfo=timezone.utc) + timedelta(seconds=step) for step in steps_s])
    link = Link(ROOT, "page", clock=lambda: next(times))
    line = Line(link)
    for _ in steps_s:
        link.ask("state", {})
    sent = [in_milliseconds(message["sent_at"]) for _, message in line.sent]
    assert all(later > before for before, later in pairwise(sent))
    assert len({message["request_id"] for _, message in line.sent}) == len(steps_s)


def test_threads_go_out_in_the_order_of_their_times() -> None:
    """On a clock that stands still: only the lock keeps the order."""
    link = Link(ROOT, "page", clock=lambda: datetime(2026, 11, 22, tzinfo=timezone.utc))
    line = Line(link)
    threads = [asking_in_a_thread(link) for _ in range(20)]
    for thread, _ in threads:
        thread.join()
    sent = [message["sent_at"] for _, message in line.sent]
    assert len(set(sent)) == 20
    assert sent == sorted(sent)
    assert all(answers == [{"kind": "state"}] for _, answers in threads)


def test_a_clock_in_another_zone_writes_the_same_moment() -> None:
    link = Link(ROOT, "page", clock=lambda: datetime(2026, 11, 22, 1, 0, tzinfo=timezone(timedelta(hours=5, minutes=30))))
    line = Line(link)
    link.ask("state", {})
    assert in_milliseconds(line.sent[0][1]["sent_at"]) == in_milliseconds("2026-11-21T19:30:00Z")


def test_what_was_not_handed_over_is_said_to_be_so_and_what_was_is_not() -> None:
    """The second case must never read `nothing was sent`: it may have been done."""
    link = Link(ROOT, "page")
    line = Line(link)
    line.up = False
    with pytest.raises(StationSilent, match="nothing was sent"):
        link.ask("state", {})
    line.up, line.answering = True, False
    thread, answers = asking_in_a_thread(link, timeout_s=0.3)
    until(lambda: len(line.sent) == 1)
    line.up = False
    link.connected()
    thread.join()
    assert isinstance(answers[0], StationSilent)
    assert "nothing was sent" not in str(answers[0])
    assert "no answer to `state` in time" in str(answers[0])


def test_who_waits_is_answered_though_the_connection_came_and_went() -> None:
    link = Link(ROOT, "page")
    line = Line(link)
    line.answering = False
    thread, answers = asking_in_a_thread(link, timeout_s=20)
    until(lambda: len(line.sent) == 1)
    line.up = False
    link.connected()
    line.up = True
    link.connected()
    until(lambda: len(line.sent) >= 2)
    first, again = line.sent[0][1], line.sent[1][1]
    assert first["request_id"] == again["request_id"]
    assert first["sent_at"] < again["sent_at"]
    line.tell(again)
    thread.join()
    assert answers == [{"kind": "state"}]


def test_answers_that_are_for_somebody_else_end_nothing() -> None:
    link = Link(ROOT, "page")
    line = Line(link)
    line.answering = False
    thread, answers = asking_in_a_thread(link, timeout_s=0.2)
    until(lambda: len(line.sent) == 1)
    asked = line.sent[0][1]
    line.tell(asked, client="plc")
    line.tell(asked, request_id="another")
    line.tell(asked, retained=True)
    line.tell(asked, status="done")
    thread.join()
    assert isinstance(answers[0], StationSilent)


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"command": "mask"}, StationRefused, "internal"),
        ({"status": "error", "error": None, "result": None}, StationRefused, "internal"),
        (
            {"status": "error", "error": {"code": "no_right", "message": "m", "problems": ["a", "b"]}},
            StationRefused,
            "no_right",
        ),
        ({"status": "busy", "error": None, "result": None}, StationBusy, None),
    ],
)
def test_an_answer_that_is_no_yes_is_never_taken_for_one(changes: dict[str, Any], kind: type[Exception], code: str) -> None:
    link = Link(ROOT, "page")
    line = Line(link)
    line.answering = False
    thread, answers = asking_in_a_thread(link)
    until(lambda: len(line.sent) == 1)
    line.tell(line.sent[0][1], **changes)
    thread.join()
    assert isinstance(answers[0], kind)
    assert getattr(answers[0], "code", None) == code


def test_an_id_that_still_waits_is_not_used_again_and_no_more_than_64_wait() -> None:
    link = Link(ROOT, "page")
    line = Line(link)
    line.answering = False
    threads = [asking_in_a_thread(link, timeout_s=20, request_id=f"r-{number}") for number in range(64)]
    until(lambda: len(line.sent) == 64)
    for request_id in ("r-1", "r-new"):
        with pytest.raises(StationBusy):
            link.ask("state", {}, request_id=request_id)
    for _, message in list(line.sent):
        line.tell(message)
    for thread, answers in threads:
        thread.join()
        assert answers == [{"kind": "state"}]
    line.answering = True
    assert link.ask("state", {}, request_id="r-1") == {"kind": "state"}, "all places were given back"


def test_every_time_it_is_asked_it_is_signed_anew(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    link = Link(ROOT, "page", PageKey(tmp_path / "key", "page"))
    line = Line(link)
    line.answering = False
    thread, _ = asking_in_a_thread(link, timeout_s=20)
    until(lambda: len(line.sent) == 1)
    link.connected()
    until(lambda: len(line.sent) == 2)
    line.tell(line.sent[1][1])
    thread.join()
    signatures = [message.pop("signature") for _, message in line.sent]
    assert signatures == [signature_of(message, topic, bytes.fromhex(KEY)) for topic, message in line.sent]
    assert len(set(signatures)) == 2


@pytest.mark.parametrize("signs", [True, False])
def test_an_answer_that_the_broker_takes_with_it_is_had_and_the_change_is_made_once(
    tmp_path: Path, recipes: Path, signs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The station has done it; the broker dies before the reply goes out."""
    keys: dict[str, Any] = {}
    for name, text in (("keys", f"plc:{KEY}\n"), ("own", f"{KEY}\n")) if signs else ():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    signed = {"signatures": "always", "keys_file": str(tmp_path / "keys")} if signs else {}
    if signs:
        keys["signing_key_file"] = tmp_path / "own"
    folder = tmp_path / "broker"
    folder.mkdir()
    done = threading.Event()
    with (
        mosquitto(folder) as broker,
        station(broker.port, recipes, tmp_path, **signed) as rig,
        page_link(broker.port, **keys) as (link, mirror),
    ):
        heard_station(link, mirror)
        real = MqttPublisher.answer

        def dying(publisher: MqttPublisher, answer: Any) -> None:
            if answer.body["status"] == "ok" and answer.body["command"] == "mask" and not done.is_set():
                broker.kill()
                done.set()
            real(publisher, answer)

        monkeypatch.setattr(MqttPublisher, "answer", dying)
        body = {"view": "front", "mask": "hose", "enabled": True, **PERSON}
        answers: list[Any] = []
        asking = threading.Thread(target=lambda: answers.append(link.ask("mask", body, timeout_s=20, request_id="once")))
        asking.start()
        assert done.wait(20)
        await_now(mirror, lambda now: not now.connected)
        assert not answers
        broker.start()
        wait_for_status(rig.publisher, lambda status: status.connections == 2)  # type: ignore[arg-type]
        wait_until_asked_again(link, answers)
        asking.join()
        assert answers[0]["enabled"] is True
        assert load_recipe(recipes / "aspirin" / "front").version == answers[0]["recipe_version"] == 4
        assert len(rig.audited()) == 1
        assert link.ask("mask", body, request_id="once") == answers[0], "and again, whenever it is asked"
        with pytest.raises(StationRefused) as used:
            link.ask("mask", {**body, "enabled": False}, request_id="once")
        assert used.value.code == "request_id_used"
        assert load_recipe(recipes / "aspirin" / "front").version == 4


def test_ten_at_once_on_a_station_that_wants_signatures_are_all_taken_in_order(tmp_path: Path, recipes: Path) -> None:
    for name, text in (("keys", f"plc:{KEY}\n"), ("own", f"{KEY}\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    folder = tmp_path / "broker"
    folder.mkdir()
    with (
        mosquitto(folder) as broker,
        station(broker.port, recipes, tmp_path, signatures="always", keys_file=str(tmp_path / "keys")),
        page_link(broker.port, signing_key_file=tmp_path / "own") as (link, mirror),
    ):
        heard_station(link, mirror)
        threads = [asking_in_a_thread(link, timeout_s=20) for _ in range(10)]
        for thread, _ in threads:
            thread.join()
        assert [answers[0]["kind"] for _, answers in threads] == ["state"] * 10
