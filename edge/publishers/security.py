"""Who the station is to the broker, and how it makes sure that the broker is the broker."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import ConfigError
from edge.schema import read_secret, refuse_shared
from edge.settings.mqtt import MqttTls

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True)
class Credentials:
    """User and password; the password never shows in a repr or a log."""

    user: str
    password: str = field(repr=False)


class _TidySocket(ssl.SSLSocket):
    """Closes itself when the handshake fails; paho would leave that to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def read_credentials(path: Path) -> Credentials:
    """`user:password` on one line, or user and password on two.

    ConfigError if the file is absent, malformed, or readable by more than its owner.
    """
    text = read_secret(path, "credentials_file", 4096)
    lines = [line for line in text.splitlines() if line]
    if len(lines) == 1 and ":" in lines[0]:
        user, password = lines[0].split(":", 1)
    elif len(lines) == 2:
        user, password = lines
    else:
        raise ConfigError("does not hold credentials", where=str(path), remedy="write `user:password` on one line")
    if not user or not password:
        raise ConfigError("user or password is empty", where=str(path), remedy="write `user:password` on one line")
    return Credentials(user, password)


def tls_context(settings: MqttTls) -> ssl.SSLContext:
    """A client context that verifies the broker's certificate and name; ConfigError names a file that is no good."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and name
    context.minimum_version = _VERSIONS[settings.min_version]
    context.sslsocket_class = _TidySocket
    if settings.ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        try:
            context.load_verify_locations(cafile=settings.ca_file)
        except OSError as error:
            raise ConfigError(f"no usable certificate ({error})", where=str(settings.ca_file), remedy="a PEM file") from None
    if settings.cert_file is not None and settings.key_file is not None:
        if settings.key_file.exists():
            refuse_shared(settings.key_file, "key_file")
        try:
            context.load_cert_chain(settings.cert_file, settings.key_file, password=_no_password)
        except (OSError, ValueError) as error:
            where = f"{settings.cert_file}, {settings.key_file}"
            remedy = "PEM files that belong together, the key without a password"
            raise ConfigError(f"no usable certificate and key ({error})", where=where, remedy=remedy) from None
    return context


def _no_password() -> str:
    """Asked for only where the key is encrypted; OpenSSL would otherwise ask at the terminal and wait."""
    return ""
