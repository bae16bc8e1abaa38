"""The page, a real Mosquitto and a real station: commands and answers, passwords, signatures, a broker that dies."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from calibration.web.link import Link, Mirror, StationBusy, StationNow, StationRefused, StationSilent
from calibration.web.link.connection import Heard
from edge.publishers.mqtt import MqttPublisher
from tests.commands.parts import PAUSE, ROOT, Rig, running, settings, until
from tests.mosquitto import Mosquitto, free_port, make_pki, mosquitto, password_lines
from tests.publishers.samples import ADDRESS, mqtt_settings
from tests.publishers.waiting import wait_for_status
from tests.web.link.parts import page_link

PERSON = {"who": "Kim", "why": "because"}
KEY = "00112233445566778899aabbccddeeff" * 2


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path_factory.mktemp("broker")) as running_:
        yield running_


@contextmanager
def station(port: int, recipes: Path, tmp_path: Path, protocol: str = "3.1.1", **changes: Any) -> Iterator[Rig]:
    folder = tmp_path / "station"
    folder.mkdir(exist_ok=True)
    publisher = MqttPublisher(mqtt_settings(port, protocol=protocol), ADDRESS, folder)
    with running(recipes, folder, settings(**changes), publisher=publisher, root=ROOT) as rig:
        wait_for_status(publisher, lambda status: status.connected)
        yield rig


def await_now(mirror: Mirror, condition: Any) -> StationNow:
    until(lambda: bool(condition(mirror.now())))
    return mirror.now()


def heard_station(link: Link, mirror: Mirror) -> None:
    """Until the station answers: its subscription may come after its greeting."""
    await_now(mirror, lambda now: now.connected)

    def answers() -> bool:
        try:
            return bool(link.ask("state", {}, timeout_s=0.3))
        except StationSilent:
            return False

    until(answers)


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_snapshot_is_asked_for_and_its_picture_comes(broker: Mosquitto, recipes: Path, tmp_path: Path, protocol: str) -> None:
    linked = page_link(broker.port, protocol=protocol)
    with station(broker.port, recipes, tmp_path, protocol), linked as (link, mirror):
        heard_station(link, mirror)
        begun: list[str] = []
        result = link.ask("snapshot", {"view": "front"}, progress=lambda reply: begun.append(reply["status"]))
        assert (result["kind"], result["outcome"], begun) == ("snapshot", "PASS", ["progress"])
        now = await_now(mirror, lambda now: now.views["front"].picture is not None)
        view = now.views["front"]
        assert view.picture is not None
        assert view.result is not None
        assert view.picture.result_id == view.result["resultId"] == result["result_id"]
        assert view.picture.content_type == "image/jpeg"


def test_a_clearance_and_its_progress(broker: Mosquitto, recipes: Path, tmp_path: Path) -> None:
    with station(broker.port, recipes, tmp_path), page_link(broker.port) as (link, mirror):
        heard_station(link, mirror)
        result = link.ask("clearance", {"batch": "B1", "product": "aspirin", "operator": "Kim"}, timeout_s=20)
        assert result["outcome"] == "CLEAR"
        now = await_now(mirror, lambda now: now.clearance and now.clearance_state and now.clearance_state["state"] == "ready")
        assert now.clearance is not None
        assert (now.clearance["resultId"], now.clearance["batch"]) == (result["result_id"], "B1")


def test_a_page_that_starts_later_knows_the_last_results(broker: Mosquitto, recipes: Path, tmp_path: Path) -> None:
    with station(broker.port, recipes, tmp_path) as rig:
        with page_link(broker.port) as (link, mirror):
            heard_station(link, mirror)
            link.ask("clearance", {"batch": "B2", "product": "aspirin"}, timeout_s=20)
        until(lambda: len(rig.evidence.find()) == 2)
        with page_link(broker.port, archive=tmp_path / "station" / "archive") as (link, mirror):
            now = await_now(mirror, lambda now: now.connected and now.views["back"].heard_at)
            view = now.views["front"]
            assert view.result is not None
            assert view.picture is not None
            assert view.picture.result_id == view.result["resultId"]


def test_what_the_station_refuses_is_said_in_its_words(broker: Mosquitto, recipes: Path, tmp_path: Path) -> None:
    rights = {"plc": ("operator",)}
    with station(broker.port, recipes, tmp_path, rights=rights), page_link(broker.port) as (link, mirror):
        heard_station(link, mirror)
        with pytest.raises(StationRefused) as refused:
            link.ask("recipe", {"product": "zinc", **PERSON})
        assert (refused.value.code, "zinc" in refused.value.message) == ("refused", True)
        with pytest.raises(StationRefused) as unable:
            link.ask("reload", PERSON)
        assert unable.value.code == "no_right"


def test_what_does_not_fit_is_not_even_sent(broker: Mosquitto) -> None:
    with page_link(broker.port) as (link, mirror):
        await_now(mirror, lambda now: now.connected)
        cases: list[tuple[str, dict[str, Any], str]] = [
            ("snapshot", {"view": "front", "more": 1}, "invalid"),
            ("snapshot", {}, "invalid"),
            ("shutdown", {}, "unknown_command"),
            ("reload", {"who": "Kim\nMeier", "why": "x"}, "invalid"),
            ("threshold", {"view": "front", "card": {"x": "y" * 300_000}, **PERSON}, "oversized"),
            ("threshold", {"view": "front", "card": {"x": float("nan")}, **PERSON}, "invalid"),
        ]
        for command, body, code in cases:
            with pytest.raises(StationRefused) as refused:
                link.ask(command, body)
            assert refused.value.code == code, command


def test_many_requests_at_once_are_never_out_of_order(broker: Mosquitto, recipes: Path, tmp_path: Path) -> None:
    with station(broker.port, recipes, tmp_path), page_link(broker.port) as (link, mirror):
        heard_station(link, mirror)
        failed: list[Exception] = []

        def ask() -> None:
            try:
                for _ in range(5):
                    link.ask("state", {}, timeout_s=20)
            except (StationRefused, StationSilent, StationBusy) as error:
                failed.append(error)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed


def test_a_station_that_wants_signatures_gets_them(broker: Mosquitto, recipes: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"plc:{KEY}\n")
    (tmp_path / "own").write_text(f"{KEY}\n")
    (tmp_path / "wrong").write_text(f"{KEY[::-1]}\n")
    (tmp_path / "none").write_text("other:1234\n")
    for name in ("keys", "own", "wrong", "none"):
        (tmp_path / name).chmod(0o600)
    signed = {"signatures": "always", "keys_file": str(tmp_path / "keys")}
    with station(broker.port, recipes, tmp_path, **signed):
        with page_link(broker.port, signing_key_file=tmp_path / "own") as (link, mirror):
            heard_station(link, mirror)
            assert link.ask("reload", PERSON)["kind"] == "selected"
        for name, code in (("wrong", "bad_signature"), ("none", "invalid")):
            with page_link(broker.port, signing_key_file=tmp_path / name) as (link, mirror):
                await_now(mirror, lambda now: now.connected)
                with pytest.raises(StationRefused) as refused:
                    link.ask("reload", PERSON)
                assert refused.value.code == code
        with page_link(broker.port) as (link, mirror):
            await_now(mirror, lambda now: now.connected)
            with pytest.raises(StationRefused) as unsigned:
                link.ask("reload", PERSON)
            assert unsigned.value.code == "unsigned"


def test_nobody_there_is_silence_and_not_success(broker: Mosquitto) -> None:
    with page_link(broker.port) as (link, mirror):
        await_now(mirror, lambda now: now.connected)
        with pytest.raises(StationSilent, match="no answer"):
            link.ask("state", {}, timeout_s=0.2)


def test_a_broker_that_dies_and_comes_back(tmp_path: Path, recipes: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder) as broker, station(broker.port, recipes, tmp_path) as rig, page_link(broker.port) as (link, mirror):
        heard_station(link, mirror)
        broker.kill()
        lost = await_now(mirror, lambda now: not now.connected)
        assert lost.why in {"broken", "not_listening"}
        with pytest.raises(StationSilent, match="nothing was sent"):
            link.ask("state", {})
        await_now(mirror, lambda now: now.why == "not_listening")
        broker.start()
        wait_for_status(rig.publisher, lambda status: status.connections == 2)  # type: ignore[arg-type]
        now = await_now(mirror, lambda now: now.connected and now.state is not None)
        assert now.lost_at is None
        heard_station(link, mirror)


def wait_until_asked_again(link: Link, answers: list[Any]) -> None:
    """The station may subscribe after the page asked again; each new connection asks once more."""

    def answered() -> bool:
        link.connected()
        PAUSE.wait(0.1)
        return bool(answers)

    until(answered)


def test_a_command_that_waits_is_asked_again_after_the_connection_came_back(tmp_path: Path, recipes: Path) -> None:
    """With the same request_id: done once, answered."""
    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder) as broker, page_link(broker.port) as (link, mirror):
        await_now(mirror, lambda now: now.connected)
        answers: list[Any] = []
        asking = threading.Thread(target=lambda: answers.append(link.ask("state", {}, timeout_s=20)))
        asking.start()
        until(lambda: any("cmd/state" in line for line in broker.log))
        broker.kill()
        await_now(mirror, lambda now: not now.connected)
        broker.start()
        with station(broker.port, recipes, tmp_path):
            wait_until_asked_again(link, answers)
            asking.join()
        assert answers[0]["kind"] == "state"


def test_why_there_is_no_connection_is_told_apart(tmp_path: Path) -> None:
    pki = make_pki(tmp_path / "pki")
    other = make_pki(tmp_path / "other")
    secret = tmp_path / "secret"
    secret.write_text("page:wrong\n")
    secret.chmod(0o600)
    open_file = tmp_path / "open"
    open_file.write_text("page:wrong\n")
    open_file.chmod(0o644)
    locked, tls = tmp_path / "locked", tmp_path / "tls"
    locked.mkdir()
    tls.mkdir()
    with (
        mosquitto(locked, *password_lines(locked, page="right"), allow_anonymous=False) as passwords,
        mosquitto(tls, *pki.broker_lines()) as encrypted,
    ):
        cases: list[tuple[str, int, dict[str, Any]]] = [
            ("refused", passwords.port, {"credentials_file": str(secret)}),
            ("settings", passwords.port, {"credentials_file": str(open_file)}),
            ("untrusted", encrypted.port, {"tls": {"ca_file": str(other.ca)}}),
            ("encryption", passwords.port, {"tls": {"ca_file": str(pki.ca)}}),
            ("not_listening", free_port(), {}),
            ("no_host", 1883, {"host": "no-such-host.invalid"}),
        ]
        for why, port, changes in cases:
            with page_link(port, **changes) as (_, mirror):
                now = await_now(mirror, lambda now: now.why != "opening")
                # A broker that speaks no TLS may also just close the connection.
                assert now.why == why or (why == "encryption" and now.why == "broken"), now.detail
                assert "wrong" not in now.detail
        with page_link(encrypted.port, tls={"ca_file": str(pki.ca)}) as (_, mirror):
            await_now(mirror, lambda now: now.connected)


def test_replies_that_are_none_are_passed_over() -> None:
    link = Link(ROOT, "page")
    reply = {"schema": "lineclear/reply/1", "command": "state", "client": "page", "request_id": "x", "status": "ok"}
    body = {**reply, "error": None, "result": {"kind": "state"}}
    for payload in (b"", b"{}", b"[]", json.dumps({**body, "status": "yes"}).encode(), json.dumps(body).encode()):
        link.hear(Heard(link.reply_topic, payload))
    with pytest.raises(StationSilent, match="no broker"):
        link.ask("state", {})
