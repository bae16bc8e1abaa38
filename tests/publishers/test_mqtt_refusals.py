"""Brokers that refuse, mistrust, misbehave or are not there: said once, and the station goes on."""

from __future__ import annotations

import contextlib
import itertools
import logging
import random
import socket
import threading
from pathlib import Path

import pytest

from edge.publishers.mqtt import MqttPublisher
from edge.publishers.payloads import image_records, verdict_record
from tests.mosquitto import (
    WAIT_S,
    Mosquitto,
    Subscriber,
    acl_lines,
    free_port,
    make_pki,
    mosquitto,
    password_lines,
)
from tests.publishers.samples import ADDRESS, ROOT, mqtt_settings, password_file, png, verdict
from tests.publishers.waiting import wait_for_status

PROTOCOLS = ("3.1.1", "5")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("client", [False, True])
def test_tls(tmp_path: Path, protocol: str, client: bool) -> None:
    pki = make_pki(tmp_path / "pki")
    files: dict[str, object] = {"ca_file": pki.ca}
    if client:
        files |= {"cert_file": pki.client_cert, "key_file": pki.client_key}
    with mosquitto(tmp_path, *pki.broker_lines(require_client=client)) as broker:
        settings = mqtt_settings(broker.port, protocol=protocol, tls=files)
        with MqttPublisher(settings, ADDRESS, tmp_path) as publisher:
            publisher.publish(verdict_record(verdict(1)), *image_records(verdict(1), {"overlay": png(300, 400)}))
            wait_for_status(publisher, lambda status: status.connected)
        assert publisher.status.reason == "stopped"
        with MqttPublisher(settings, ADDRESS, tmp_path) as successor:
            assert successor.health()["outbox.results"] == 0
            assert successor.health()["outbox.images"] == 0


def refused(settings_of: dict[str, object], port: int, folder: Path, caplog: pytest.LogCaptureFixture) -> str:
    """Why a station with these settings is not connected, said once, while it keeps taking verdicts."""
    caplog.set_level(logging.INFO, "edge.publishers")
    with MqttPublisher(mqtt_settings(port, drain_s=0, **settings_of), ADDRESS, folder / "state") as publisher:
        publisher.publish(verdict_record(verdict(1)))
        reason = wait_for_status(publisher, lambda status: status.reason not in ("", "not started")).reason
        publisher.publish(verdict_record(verdict(2)))
        assert publisher.health()["outbox.results"] == 2
        assert not publisher.status.connected
    assert sum(reason in record.getMessage() for record in caplog.records) == 1
    return reason


def test_tls_refuses_an_unknown_authority(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pki, other = make_pki(tmp_path / "pki"), make_pki(tmp_path / "other")
    with mosquitto(tmp_path, *pki.broker_lines()) as broker:
        assert "not trusted" in refused({"tls": {"ca_file": other.ca}}, broker.port, tmp_path, caplog)


def test_tls_refuses_another_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pki = make_pki(tmp_path / "pki")
    with mosquitto(tmp_path, *pki.broker_lines()) as broker:
        reason = refused({"tls": {"ca_file": pki.ca}, "host": "127.0.0.2"}, broker.port, tmp_path, caplog)
    assert "127.0.0.2" in reason


def test_tls_says_that_the_broker_wants_a_certificate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pki = make_pki(tmp_path / "pki")
    with mosquitto(tmp_path, *pki.broker_lines(require_client=True)) as broker:
        reason = refused({"tls": {"ca_file": pki.ca}}, broker.port, tmp_path, caplog)
    assert "certificate" in reason


def test_tls_to_a_plain_port(broker: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pki = make_pki(tmp_path / "pki")
    reason = refused({"tls": {"ca_file": pki.ca}, "connect_timeout_s": 1}, broker.port, tmp_path, caplog)
    assert "TLS" in reason or "does not answer" in reason or "cannot be reached" in reason


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_wrong_password_is_said_and_the_right_one_is_taken_up(
    tmp_path: Path, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    lines = password_lines(tmp_path, station="secret word")
    wrong = password_file(tmp_path, "station:opensesame\n")
    with mosquitto(tmp_path, *lines, allow_anonymous=False) as broker:
        settings = {"protocol": protocol, "credentials_file": wrong}
        reason = refused(settings, broker.port, tmp_path, caplog)
        assert "Not authorized" in reason
        assert "password" in reason
        with MqttPublisher(mqtt_settings(broker.port, **settings), ADDRESS, tmp_path / "state") as publisher:
            wait_for_status(publisher, lambda status: "Not authorized" in status.reason)
            password_file(tmp_path, "station:secret word\n")
            wait_for_status(publisher, lambda status: status.connected)
        with MqttPublisher(mqtt_settings(broker.port), ADDRESS, tmp_path / "state") as successor:
            assert successor.health()["outbox.results"] == 0
    assert "opensesame" not in caplog.text
    assert "secret word" not in caplog.text


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", "nothing listens there"), ("no-such-host.invalid", "cannot be resolved")]
)
def test_no_broker(tmp_path: Path, caplog: pytest.LogCaptureFixture, host: str, expected: str) -> None:
    assert expected in refused({"host": host}, free_port(), tmp_path, caplog)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x02\x00\x01", b"\x20\xff\xff\xff\xff\xff", b"\x30\x00"]
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_something_else_listens(tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: bytes, protocol: str) -> None:
    with Impostor(answer) as impostor:
        settings: dict[str, object] = {"protocol": protocol, "connect_timeout_s": 0.5}
        reason = refused(settings, impostor.port, tmp_path, caplog)
    assert any(words in reason for words in ("MQTT", "refuses", "closed", "reached"))


class Impostor:
    """Listens like a broker and says what it is told to, to every greeting. Not a broker: a peer that misbehaves."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = answers
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Impostor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join(WAIT_S)
        self._server.close()

    def _serve(self) -> None:
        for number in itertools.count():
            try:
                link, _ = self._server.accept()
            except OSError:
                return
            with link, contextlib.suppress(OSError):
                link.recv(4096)
                link.sendall(self._answers[number % len(self._answers)])
                while link.recv(65_536):
                    pass


def test_a_broker_that_acknowledges_nothing_is_left(tmp_path: Path) -> None:
    with Impostor(b"\x20\x02\x00\x00") as impostor:
        settings = mqtt_settings(impostor.port, ack_timeout_s=0.1, drain_s=0.1)
        with MqttPublisher(settings, ADDRESS, tmp_path) as publisher:
            publisher.publish(verdict_record(verdict(1)))
            wait_for_status(publisher, lambda status: "acknowledged nothing" in status.reason)
            wait_for_status(publisher, lambda status: status.connections > 1)
            assert publisher.health()["outbox.results"] == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_garbage_from_the_broker_never_stops_the_sender(broker: Mosquitto, tmp_path: Path, protocol: str) -> None:
    chance = random.Random(7)
    greeting = b"\x20\x03\x00\x00\x00" if protocol == "5" else b"\x20\x02\x00\x00"
    answers = [greeting + bytes([chance.randrange(256), chance.randrange(40)]) + chance.randbytes(60) for _ in range(150)]
    with Impostor(*answers) as impostor:
        settings = mqtt_settings(
            impostor.port, protocol=protocol, ack_timeout_s=0.02, drain_s=0.01, reconnect_min_s=1e-4, reconnect_max_s=1e-4
        )
        with MqttPublisher(settings, ADDRESS, tmp_path) as publisher:
            publisher.publish(verdict_record(verdict(1)))
            wait_for_status(publisher, lambda status: status.connections >= len(answers))
    with Subscriber(broker.port) as other, MqttPublisher(mqtt_settings(broker.port), ADDRESS, tmp_path) as publisher:
        publisher.publish(verdict_record(verdict(2)))
        other.wait_for_topic("/result", 1)


def test_v5_refused_topic_waits_and_the_others_go_on(tmp_path: Path) -> None:
    lines = acl_lines(tmp_path, f"topic write {ROOT}/view/top/#\ntopic write {ROOT}/state\ntopic read #\n")
    with mosquitto(tmp_path, *lines) as broker, Subscriber(broker.port) as other:
        settings = mqtt_settings(broker.port, protocol="5", drain_s=0.2)
        with MqttPublisher(settings, ADDRESS, tmp_path) as publisher:
            for number in range(30):
                publisher.publish(verdict_record(verdict(number, "front")), verdict_record(verdict(number, "top")))
            other.wait_for_topic("view/top/result", 30)
            status = wait_for_status(publisher, lambda now: "view/front/result" in now.reason)
            assert status.connected
            assert "Not authorized" in status.reason
        with MqttPublisher(settings, ADDRESS, tmp_path) as publisher:
            assert publisher.health()["outbox.results"] == 30
