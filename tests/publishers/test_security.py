from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.publishers.security import read_credentials, tls_context
from edge.settings.mqtt import MqttTls
from tests.mosquitto import make_pki
from tests.publishers.samples import password_file


@pytest.mark.parametrize(
    ("text", "user", "password"),
    [
        ("station:secret\n", "station", "secret"),
        ("station:with:colons", "station", "with:colons"),
        ("station\nsecret word\n", "station", "secret word"),
        ("station\r\nsecret\r\n", "station", "secret"),
    ],
)
def test_credentials(tmp_path: Path, text: str, user: str, password: str) -> None:
    found = read_credentials(password_file(tmp_path, text))
    assert (found.user, found.password) == (user, password)
    assert password not in repr(found)


@pytest.mark.parametrize("text", ["", "station", ":secret", "station:", "a\nb\nc\n", "\n\n"])
def test_malformed_credentials_never_show_in_the_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_credentials(password_file(tmp_path, text))
    assert "user:password" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_files_that_others_can_reach_are_refused(tmp_path: Path, mode: int) -> None:
    path = password_file(tmp_path, mode=mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}"):
        read_credentials(path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not found"):
        read_credentials(tmp_path / "nothing")
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        tls_context(MqttTls(ca_file=tmp_path / "ca.pem"))
    with pytest.raises(ConfigError, match=r"s\.key"):
        tls_context(MqttTls(cert_file=tmp_path / "s.pem", key_file=tmp_path / "s.key"))


def test_the_broker_is_always_verified(tmp_path: Path) -> None:
    pki = make_pki(tmp_path)
    for settings in (MqttTls(), MqttTls(ca_file=pki.ca, cert_file=pki.client_cert, key_file=pki.client_key, min_version="1.3")):
        context = tls_context(settings)
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert tls_context(MqttTls(ca_file=pki.ca)).cert_store_stats()["x509_ca"] == 1


def test_a_key_that_is_shared_or_of_another_certificate(tmp_path: Path) -> None:
    pki = make_pki(tmp_path)
    with pytest.raises(ConfigError, match="belong together"):
        tls_context(MqttTls(cert_file=pki.client_cert, key_file=pki.server_key))
    pki.client_key.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        tls_context(MqttTls(cert_file=pki.client_cert, key_file=pki.client_key))
