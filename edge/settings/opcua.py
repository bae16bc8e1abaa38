"""Settings of the OPC UA server."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import Field, model_validator
from typing_extensions import Self

from edge.schema import Closed


class OpcUaSecurity(Closed):
    """Who the server is, and who may come in. Every channel is signed and encrypted; nobody comes in without a password.

    cert_file, key_file: the server's own, PEM or DER; its URI must be `urn:lineclear:STATION`. credentials_file: one
    `user:password` per line, the password as it is or as `mosquitto_passwd` writes it; readable by the station's user alone.
    trusted_clients: a folder with the certificates of the clients that may connect; None: any, with a password.
    may_start: the users that may start a clearance; None: all of them.
    """

    cert_file: Path
    key_file: Path
    credentials_file: Path
    trusted_clients: Path | None = None
    may_start: tuple[str, ...] | None = None


class OpcUaConfig(Closed):
    """Where the server listens. Without security only on this machine (127.0.0.1, ::1, localhost)."""

    host: str = Field("127.0.0.1", min_length=1, max_length=253)
    port: int = Field(4840, ge=0, le=65_535)
    security: OpcUaSecurity | None = None
    max_clients: int = Field(20, ge=1, le=200)

    @model_validator(mode="after")
    def _nobody_comes_in_unasked(self) -> Self:
        if self.security is None and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host} can be reached from other machines, and there is no security: "
                "add security (cert_file, key_file, credentials_file), or write host: 127.0.0.1"
            )
        return self


def is_loopback(host: str) -> bool:
    """True for an address of this machine that no other machine reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
