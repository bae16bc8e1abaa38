"""A real broker: certificates, rights, what it keeps of the station; nothing that a listener takes for the station's."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from edge.config import load_config
from edge.doctor.broker import broker
from edge.doctor.check import Case, Check, Status
from edge.doctor.frames import frames
from tests.cli.running import ROOT, station
from tests.doctor.trees import checked
from tests.mosquitto import Subscriber, acl_lines, free_port, make_pki, mosquitto, password_lines
from tests.schemas import validator

TOPIC = "lineclear/s/a/l/b"
ACL = (ROOT / "configs" / "mosquitto" / "acl").read_text().replace("lineclear/basel/packaging/line3/feeder-box", TOPIC)


def configured(tmp_path: Path, port: int, **changes: object) -> Case:
    return Case(config=load_config(station(tmp_path, publisher={"kind": "mqtt", "host": "127.0.0.1", "port": port, **changes})))


def asked(case: Case) -> dict[str, Check]:
    return checked(broker(case))


def retained(listener: Subscriber, name: str, body: object) -> None:
    listener._client.publish(f"{TOPIC}/{name}", json.dumps(body), 1, True).wait_for_publish(10)


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_an_open_broker(tmp_path: Path, protocol: str) -> None:
    with mosquitto(tmp_path) as server, Subscriber(server.port) as listener:
        found = asked(configured(tmp_path, server.port, protocol=protocol))
        listener._client.publish("end", b"", 1).wait_for_publish(10)
        heard = [message for message in listener.messages if message.topic != "end"]
    assert {name: check.status.value for name, check in found.items()} == {
        "broker": "OK",
        "broker rights": "OK",
        "station": "SKIP",
        "frames": "SKIP",
    }
    allowed = {
        f"{TOPIC}/{name}" for name in ("reply/lineclear-doctor", "alarm/doctor", "clearance/doctor", "view/feeder/doctor")
    }
    assert {message.topic for message in heard} <= allowed
    assert {(message.payload, message.retain) for message in heard} <= {(b"", False)}


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_the_access_list_of_the_docs_is_enough(tmp_path: Path, protocol: str) -> None:
    (tmp_path / "secret").write_text("feeder-box:right\n")
    (tmp_path / "secret").chmod(0o600)
    lines = [*acl_lines(tmp_path, ACL), *password_lines(tmp_path, **{"feeder-box": "right"})]
    with mosquitto(tmp_path, *lines, allow_anonymous=False) as server:
        found = asked(configured(tmp_path, server.port, protocol=protocol, credentials_file="secret"))
    assert (found["broker"].status, found["broker rights"].status) == (Status.OK, Status.OK)


@pytest.mark.parametrize(
    ("missing", "status", "word"),
    [("alarm/#", "FAIL", "alarm/doctor (Not authorized)"), ("view/#", "WARN", "view/feeder/doctor (Not authorized)")],
)
def test_a_right_that_is_missing_is_named(tmp_path: Path, missing: str, status: str, word: str) -> None:
    (tmp_path / "secret").write_text("feeder-box:right\n")
    (tmp_path / "secret").chmod(0o600)
    acl = ACL.replace(f"topic write {TOPIC}/{missing}\n", "")
    assert acl != ACL
    lines = [*acl_lines(tmp_path, acl), *password_lines(tmp_path, **{"feeder-box": "right"})]
    with mosquitto(tmp_path, *lines, allow_anonymous=False) as server:
        found = asked(configured(tmp_path, server.port, credentials_file="secret"))["broker rights"]
    assert (found.status.value, found.detail) == (status, f"the station may not say {word}")


def test_certificates_and_their_end(tmp_path: Path) -> None:
    pki = make_pki(tmp_path / "pki")
    tls = {"ca_file": str(pki.ca), "cert_file": str(pki.client_cert), "key_file": str(pki.client_key)}
    with mosquitto(tmp_path, *pki.broker_lines(require_client=True)) as server:
        case = configured(tmp_path, server.port, tls=tls)
        soon = asked(case)
        early = asked(Case(config=case.config, now=case.now - timedelta(days=60)))
        late = asked(Case(config=case.config, now=case.now + timedelta(days=3)))
    names = ("station certificate", "authority", "broker certificate")
    assert [[found[name].status.value for name in names] for found in (early, soon, late)] == [
        ["OK"] * 3,
        ["WARN"] * 3,
        ["FAIL"] * 3,
    ]
    assert soon["broker"].detail.endswith("MQTT 3.1.1, TLS")
    assert "ended 1 days ago" in late["broker certificate"].detail


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    pki = make_pki(tmp_path / "pki")
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    tls = {"ca_file": str(tmp_path / "ca.pem"), "cert_file": str(pki.client_cert), "key_file": str(pki.client_key)}
    found = asked(configured(tmp_path, free_port(), tls=tls))
    assert (found["authority"].status, found["broker"].status) == (Status.WARN, Status.FAIL)


STATE = {
    "schema": "lineclear/state/1", "status": "ready", "reason": "", "station": TOPIC, "versions": {}, "configHash": "0" * 64,
    "views": [], "creationTime": "2026-11-22T10:00:00.000Z",
}  # fmt: skip


def test_what_the_broker_keeps_of_the_station(tmp_path: Path) -> None:
    health = {"schema": "lineclear/health/1", "uptimeS": 5, "creationTime": "2026-11-22T10:00:00.000Z"}
    values = {"camera.feeder.frames": 1000, "camera.feeder.lost": 2, "camera.feeder.incomplete": 1, "camera.feeder.restarts": 1}
    alarm = {"schema": "lineclear/alarm/1", "code": "evidence", "text": "the disk is full", "creationTime": "x"}
    with mosquitto(tmp_path) as server, Subscriber(server.port) as listener:
        case = configured(tmp_path, server.port)
        retained(listener, "state", STATE)
        retained(listener, "health", {**health, "values": values})
        retained(listener, "alarm/evidence", alarm)
        found = asked(case)
        assert found["station"].detail == "ready since 2026-11-22T10:00:00.000Z"
        assert (found["alarm"].status, found["alarm"].detail) == (Status.WARN, "evidence: the disk is full")
        assert found["frames feeder"].detail == "1000 came, 2 lost, 1 in pieces, camera started again 1 times"
        assert found["frames feeder"].status is Status.WARN
        for state, status in (
            ({**STATE, "status": "safe_mode", "reason": "config"}, "FAIL"),
            ({"schema": "lineclear/state/1", "status": "offline", "reason": "connection_lost"}, "WARN"),
            ({"schema": "lineclear/state/1", "status": "offline", "reason": "stopped"}, "OK"),
            ({**STATE, "status": "degraded", "views": [{"view": "feeder", "ready": False, "reason": "camera_lost"}]}, "WARN"),
            ({"status": 7, "views": "none"}, "OK"),
        ):
            retained(listener, "state", state)
            assert asked(case)["station"].status.value == status, state
        listener._client.publish(f"{TOPIC}/state", b"", 1, True).wait_for_publish(10)
        assert asked(case)["station"].status is Status.WARN, "an old health"
        retained(listener, "health", {**health, "values": {"station.safe_mode": True}})
        assert asked(case)["station"].status is Status.FAIL
    validator("state").validate(STATE)


def test_a_broker_that_is_not_there_and_none_at_all(tmp_path: Path) -> None:
    found = asked(configured(tmp_path, free_port()))
    assert found["broker"].status is Status.FAIL
    assert found["broker"].remedy == "start the broker, or check host and port"
    (none,) = broker(Case(config=load_config(station(tmp_path))))
    assert none.status is Status.SKIP


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"camera.x.frames": 10_000, "camera.x.lost": 10}, "OK"),
        ({"camera.x.frames": 10_000, "camera.x.lost": 11}, "WARN"),
        ({"camera.x.frames": 10_000, "camera.x.restarts": 4}, "WARN"),
        ({"camera.x.frames": 0, "camera.x.damaged": 1}, "WARN"),
        ({}, "SKIP"),
        ({"camera.x.frames": "many"}, "SKIP"),
    ],
)
def test_frames_of_a_running_station(values: dict[str, object], status: str) -> None:
    (found,) = frames(("x",), values)
    assert found.status.value == status
