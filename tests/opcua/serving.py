"""A station's OPC UA server in its process, with a station that is a list of orders, and real clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeVar

from asyncua import Client, ua
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from edge.errors import OutboxError
from edge.opcua import OpcUa, Reply, StartOrder
from edge.settings.opcua import OpcUaConfig

STATION = "lineclear/basel/packaging/line3/feeder-box"
URI = "urn:lineclear:lineclear:basel:packaging:line3:feeder-box"
PATIENCE_S = 30.0
ResultT = TypeVar("ResultT")


class Desk:
    """Takes orders as a station would: one is busy, one is refused, one fails."""

    def __init__(self) -> None:
        self.orders: list[StartOrder] = []

    def __call__(self, order: StartOrder) -> Reply:
        self.orders.append(order)
        if order.batch == "busy":
            return Reply(False, "clearance r0 is at work since 08:00:00 UTC")
        if order.batch == "broken":
            raise OutboxError("disk full", where="outbox", remedy="free it")
        return Reply(True, "accepted", f"clearance-{order.request_id}")


def until(condition: Callable[[], object], what: str = "waited in vain") -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, what
        time.sleep(0.01)


@contextmanager
def serving(desk: Desk, views: tuple[str, ...] = ("front", "top"), **config: Any) -> Iterator[OpcUa]:
    """A server that answers, on a port that was free."""
    with OpcUa(OpcUaConfig.model_validate({"port": 0, **config}), STATION, views, desk) as server:
        until(lambda: server.endpoint or server.restarts)
        assert server.endpoint, server.alarms()
        yield server


def talk(endpoint: str, what: Callable[[Client], Awaitable[ResultT]], **options: Any) -> ResultT:
    """Connect, do it, disconnect."""

    async def run() -> ResultT:
        client = Client(endpoint, timeout=20)
        if "security" in options:
            await client.set_security_string(options["security"])
        if "user" in options:
            client.set_user(options["user"])
            client.set_password(options["password"])
        client.application_uri = options.get("uri", client.application_uri)
        async with client:
            return await what(client)

    return asyncio.run(run())


def value_of(endpoint: str, path: str, **options: Any) -> ua.DataValue:
    """One variable with its quality."""

    async def read(client: Client) -> ua.DataValue:
        node = client.get_node(ua.NodeId(path, 2))
        return await node.read_data_value(raise_on_bad_status=False)

    return talk(endpoint, read, **options)


def call(endpoint: str, *words: Any, **options: Any) -> Any:
    """StartClearance with these arguments."""

    async def start(client: Client) -> Any:
        parent = client.get_node(ua.NodeId("Clearance", 2))
        return await parent.call_method(ua.NodeId("Clearance.StartClearance", 2), *words)

    return talk(endpoint, start, **options)


def certificate(folder: Path, name: str, uri: str = URI) -> tuple[Path, Path]:
    """A self-signed certificate and its key, as PEM files."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), x509.DNSName("localhost")]), False)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}-key.pem"  # by its ending the client knows how to read it
    files[0].write_bytes(built.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    files[1].chmod(0o600)
    return files
