"""Who comes in: never from another machine without a certificate, encryption and a password."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, ua

from edge.errors import ConfigError
from edge.opcua.door import matches, read_certificates, read_users
from edge.schema import validate
from edge.settings.opcua import OpcUaConfig, is_loopback
from tests.opcua.serving import Desk, call, certificate, serving, talk, until, value_of

HASHED = "$7$101$" + base64.b64encode(b"salt5678salt").decode() + "$"
HASHED += base64.b64encode(hashlib.pbkdf2_hmac("sha512", b"geheim", b"salt5678salt", 101)).decode()
CLIENT_URI = "urn:test:plc"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("opcua")
    cert, key = certificate(folder, "server")
    clients = folder / "clients"
    clients.mkdir()
    plc_cert, plc_key = certificate(clients, "plc", CLIENT_URI)
    plc_key = plc_key.rename(folder / "plc-key.pem")
    other_cert, other_key = certificate(folder, "stranger", CLIENT_URI)
    users = folder / "users"
    users.write_text(f"# who may come\nplc:{HASHED}\nscada:look only\n")
    users.chmod(0o600)
    names = ("cert_file", "key_file", "credentials_file", "trusted_clients", "plc", "plc_key", "other", "other_key")
    return dict(zip(names, (cert, key, users, clients, plc_cert, plc_key, other_cert, other_key), strict=True))


def security(files: dict[str, Path], **changes: Any) -> dict[str, Any]:
    settings = {name: str(files[name]) for name in ("cert_file", "key_file", "credentials_file", "trusted_clients")}
    return {**settings, "may_start": ["plc"], **changes}


def channel(files: dict[str, Path], who: str = "plc", policy: str = "Basic256Sha256") -> str:
    return f"{policy},SignAndEncrypt,{files[who]},{files[f'{who}_key']},{files['cert_file']}"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "station.local", "", "127.0.0.1.evil.com"])
def test_without_security_it_is_not_bound_where_others_can_reach_it(host: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(OpcUaConfig, {"host": host}, "opcua")
    assert not is_loopback(host)
    assert not host or "add security" in str(caught.value.problems)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_on_this_machine_it_may_be_open(host: str) -> None:
    assert OpcUaConfig(host=host).security is None


def test_there_is_no_half_security(files: dict[str, Path]) -> None:
    for name in ("cert_file", "key_file", "credentials_file"):
        settings = security(files)
        del settings[name]
        with pytest.raises(ConfigError):
            validate(OpcUaConfig, {"host": "0.0.0.0", "security": settings}, "opcua")
    with pytest.raises(ConfigError):
        validate(OpcUaConfig, {"host": "0.0.0.0", "security": security(files, mode="None")}, "opcua")


@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes256Sha256RsaPss"])
def test_who_has_certificate_and_password_comes_in(files: dict[str, Path], policy: str) -> None:
    desk = Desk()
    with serving(desk, host="0.0.0.0", security=security(files)) as server:
        endpoint = server.endpoint.replace("0.0.0.0", "127.0.0.1")
        known = {"security": channel(files, policy=policy), "uri": CLIENT_URI}
        plc, scada = {**known, "user": "plc", "password": "geheim"}, {**known, "user": "scada", "password": "look only"}
        until(lambda: value_of(endpoint, "Station.State", **scada).Value.Value == "starting")
        assert call(endpoint, "B1", "aspirin", "anna", "r1", **plc)[0] is True
        assert desk.orders[-1].user == "plc"
        with pytest.raises(ua.UaStatusCodeError):
            call(endpoint, "B1", "aspirin", "anna", "r2", **scada)
        assert len(desk.orders) == 1


def test_nobody_else_does(files: dict[str, Path]) -> None:
    good = {"security": channel(files), "uri": CLIENT_URI, "user": "plc", "password": "geheim"}
    attempts: dict[str, dict[str, Any]] = {
        "wrong password": {**good, "password": "geheim "},
        "no password": {**good, "password": ""},
        "unknown name": {**good, "user": "root"},
        "the hash as password": {**good, "password": HASHED},
        "anonymous": {name: good[name] for name in ("security", "uri")},
        "no security": {"user": "plc", "password": "geheim"},
        "signed only": {**good, "security": good["security"].replace("SignAndEncrypt", "Sign")},
        "an untrusted certificate": {**good, "security": channel(files, "other")},
    }
    with serving(Desk(), host="0.0.0.0", security=security(files)) as server:
        endpoint = server.endpoint.replace("0.0.0.0", "127.0.0.1")
        for what, options in attempts.items():
            with pytest.raises((ua.UaError, ConnectionError, asyncio.TimeoutError, ValueError)):
                raise AssertionError(what, value_of(endpoint, "Station.State", **options))
        assert value_of(endpoint, "Station.Topic", **good).StatusCode.is_good()


def test_a_borrowed_certificate_is_not_enough(files: dict[str, Path]) -> None:
    """A trusted certificate is public: shown in the session, while another one signs the channel, it proves nothing."""

    async def connect(client: Client) -> None:
        client.user_certificate = None

    with serving(Desk(), host="0.0.0.0", security=security(files)) as server:
        endpoint = server.endpoint.replace("0.0.0.0", "127.0.0.1")
        options = {"security": channel(files, "other"), "uri": CLIENT_URI, "user": "plc", "password": "geheim"}
        with pytest.raises((ua.UaError, ConnectionError, asyncio.TimeoutError)):
            talk(endpoint, connect, **options)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cert_file": "absent.pem"}, "absent.pem: cannot be read"),
        ({"credentials_file": "absent"}, "file not found"),
        ({"key_file": "other_key"}, "does not belong to cert_file"),
        ({"cert_file": "credentials_file"}, "cannot be used"),
        ({"trusted_clients": "absent"}, "cannot be read"),
    ],
)
def test_files_that_cannot_be_used_are_named_and_nothing_is_bound(
    files: dict[str, Path], tmp_path: Path, change: dict[str, str], said: str
) -> None:
    from edge.opcua import OpcUa

    named = {key: str(files.get(value, tmp_path / value)) for key, value in change.items()}
    config = OpcUaConfig.model_validate({"port": 0, "security": security(files, **named)})
    with OpcUa(config, "s", ("front",), Desk()) as server:
        until(lambda: server.restarts)
        assert said in str(server.alarms()["opcua"])
        assert server.endpoint == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "names nobody"), ("plc\n", "line 1"), ("plc:\n", "line 1"), (":x\n", "line 1"), ("a:b\na:c\n", "line 2: a stands")],
)
def test_a_file_of_users_is_whole_or_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "users"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=said):
        read_users(path)


def test_a_file_of_users_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text("plc:x\n")
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_users(path)


def test_passwords_as_they_are_and_as_mosquitto_passwd_writes_them() -> None:
    assert matches("plain", b"plain")
    assert matches(HASHED, b"geheim")
    for known, said in (("plain", b"Plain"), (HASHED, b"geheiM"), (HASHED, HASHED.encode()), ("$7$x$y$z", b"x"), ("$7$", b"")):
        assert not matches(known, said)


def test_a_folder_of_certificates(files: dict[str, Path], tmp_path: Path) -> None:
    assert len(read_certificates(files["trusted_clients"])) == 1
    with pytest.raises(ConfigError, match="holds no certificate"):
        read_certificates(tmp_path)
    (tmp_path / "x.pem").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    with pytest.raises(ConfigError, match="is no certificate"):
        read_certificates(tmp_path)
