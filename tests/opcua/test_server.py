"""The server in its process, talked to by a real client."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from asyncua import Client, ua

from edge.opcua import OpcUa
from edge.opcua.nodes import CLEARANCE, NAMESPACE, STATION, VIEW
from edge.types import ClearanceOutcome, Judgement, Origin, Outcome, Reason, ReasonCode, Verdict
from tests.io.building import clearance
from tests.opcua.serving import Desk, call, serving, talk, until, value_of

AT = datetime(2026, 11, 22, 8, 0, 1, 500000, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


@pytest.fixture(scope="module")
def server(desk: Desk) -> Iterator[OpcUa]:
    with serving(desk) as running:
        yield running


def verdict(outcome: Outcome, view: str = "front", reason: Reason | None = None) -> Verdict:
    judgement = Judgement(outcome, reason, None if reason else 12.5, None if reason else 20.0)
    origin = Origin(view, 1, 1, None, product="aspirin", recipe="feeder-aspirin")
    return Verdict("20261122T080001500-9f2c4e1ab07d", judgement, origin, AT)


def test_every_node_is_where_the_page_says(server: OpcUa) -> None:
    async def browse(client: Client) -> dict[str, list[str]]:
        assert await client.get_namespace_index(NAMESPACE) == 2
        found = {}
        for path in ("Station", "Clearance", "Views", "Views.front", "Views.top"):
            children = await client.get_node(ua.NodeId(path, 2)).get_children()
            found[path] = sorted(child.nodeid.Identifier for child in children)
        root = await client.nodes.objects.get_child(["2:Lineclear", "2:Views", "2:front", "2:Outcome"])
        assert root.nodeid == ua.NodeId("Views.front.Outcome", 2)
        return found

    assert talk(server.endpoint, browse) == {
        "Station": sorted(f"Station.{name}" for name in STATION),
        "Clearance": sorted([*(f"Clearance.{name}" for name in CLEARANCE), "Clearance.StartClearance"]),
        "Views": ["Views.front", "Views.top"],
        "Views.front": sorted(f"Views.front.{name}" for name in VIEW),
        "Views.top": sorted(f"Views.top.{name}" for name in VIEW),
    }


def test_before_anything_is_known_nothing_is_good(server: OpcUa) -> None:
    for path in ("Views.top.Outcome", "Views.top.Ready"):
        assert value_of(server.endpoint, path).StatusCode.value == ua.StatusCodes.BadWaitingForInitialData


def test_state_and_views_follow_the_station(server: OpcUa) -> None:
    server.state_changed("degraded", "front: camera lost", "lineclear/x", Software="0.1.0", ConfigHash="ab", Product="aspirin")
    server.view_changed("front", "camera lost: cable")
    until(lambda: value_of(server.endpoint, "Station.State").Value.Value == "degraded")
    assert value_of(server.endpoint, "Station.Software").Value.Value == "0.1.0"
    until(lambda: value_of(server.endpoint, "Views.front.NotReadyReason").Value.Value == "camera lost: cable")
    ready = value_of(server.endpoint, "Views.front.Ready")
    assert (ready.Value.Value, ready.StatusCode.is_good()) == (False, True)


@pytest.mark.parametrize(
    ("outcome", "reason", "status"),
    [
        (Outcome.PASS, None, ua.StatusCodes.Good),
        (Outcome.FAIL, None, ua.StatusCodes.Good),
        (Outcome.UNDECIDED, Reason(ReasonCode.CAMERA_LOST, "unplugged"), ua.StatusCodes.Uncertain),
    ],
)
def test_an_undecided_verdict_is_uncertain(server: OpcUa, outcome: Outcome, reason: Reason | None, status: int) -> None:
    server.verdict(verdict(outcome, reason=reason))
    until(lambda: value_of(server.endpoint, "Views.front.Outcome").Value.Value == outcome.value)
    found = value_of(server.endpoint, "Views.front.Outcome")
    assert found.StatusCode.value == status
    assert found.SourceTimestamp == AT
    assert value_of(server.endpoint, "Views.front.Reason").Value.Value == (reason.code.value if reason else "")
    score = value_of(server.endpoint, "Views.front.Score")
    assert score.StatusCode.is_good() is (reason is None)


@pytest.mark.parametrize("outcome", list(ClearanceOutcome))
def test_a_clearance_is_there_as_a_whole_once_its_sequence_is(server: OpcUa, outcome: ClearanceOutcome) -> None:
    sequence = 10 + list(ClearanceOutcome).index(outcome)
    result = replace(clearance(sequence, outcome), reasons=(Reason(ReasonCode.CLOCK, "jumped"),), batch="Charge Ü \ud800")
    server.phase_changed("ready", "")
    server.clearance_done(result)
    until(lambda: value_of(server.endpoint, "Clearance.Sequence").Value.Value == sequence)
    read = {name: value_of(server.endpoint, f"Clearance.{name}") for name in CLEARANCE}
    assert {name: read[name].Value.Value for name in ("Outcome", "Batch", "Operator", "Reasons", "Ready")} == {
        "Outcome": outcome.value,
        "Batch": "Charge Ü ?",
        "Operator": "anna",
        "Reasons": ["clock: jumped"],
        "Ready": True,
    }
    uncertain = outcome is ClearanceOutcome.UNDECIDED
    assert read["Outcome"].StatusCode.value == (ua.StatusCodes.Uncertain if uncertain else ua.StatusCodes.Good)


def test_a_client_that_subscribes_hears_every_clearance_in_order(server: OpcUa) -> None:
    class Ears:
        def __init__(self) -> None:
            self.heard: list[int] = []
            self.enough = asyncio.Event()

        def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
            self.heard.append(value)
            if value == 103:
                self.enough.set()

    async def listen(client: Client) -> list[int]:
        ears = Ears()
        subscription = await client.create_subscription(20, ears)
        await subscription.subscribe_data_change(client.get_node(ua.NodeId("Clearance.Sequence", 2)))
        for sequence in (101, 102, 103):
            server.clearance_done(clearance(sequence))
            while sequence not in ears.heard:
                await asyncio.sleep(0.01)
        await asyncio.wait_for(ears.enough.wait(), 30)
        return ears.heard[-3:]

    assert talk(server.endpoint, listen) == [101, 102, 103]


def test_the_method_starts_a_clearance_or_says_why_not(server: OpcUa, desk: Desk) -> None:
    assert call(server.endpoint, "B1", "aspirin", "anna", "r7") == [True, "accepted", "clearance-r7"]
    order = desk.orders[-1]
    assert (order.batch, order.product, order.operator, order.request_id, order.user) == (
        "B1",
        "aspirin",
        "anna",
        "r7",
        "local",
    )
    assert call(server.endpoint, "busy", "", "", "r8") == [False, "clearance r0 is at work since 08:00:00 UTC", ""]
    assert call(server.endpoint, "broken", "", "", "r9") == [False, "outbox: disk full: free it", ""]


@pytest.mark.parametrize(
    "words", [(), ("B1",), ("B1", "a", "b", "c", "d"), (1, 2, 3, 4), ("B" * 257, "", "", ""), (["B1"], "", "", "")]
)
def test_wrong_arguments_reach_nobody(server: OpcUa, desk: Desk, words: tuple[Any, ...]) -> None:
    before = len(desk.orders)
    with pytest.raises(ua.UaStatusCodeError):
        call(server.endpoint, *words)
    assert len(desk.orders) == before


def test_nobody_can_write_add_or_delete(server: OpcUa) -> None:
    async def try_all(client: Client) -> None:
        node = client.get_node(ua.NodeId("Clearance.Outcome", 2))
        with pytest.raises(ua.UaStatusCodeError):
            await node.write_value("CLEAR")
        with pytest.raises(ua.UaStatusCodeError):
            await client.nodes.objects.add_variable(ua.NodeId("mine", 2), "2:mine", 1)
        with pytest.raises(ua.UaStatusCodeError):
            await client.delete_nodes([node])
        level = await node.read_attribute(ua.AttributeIds.AccessLevel)
        assert level.Value.Value == ua.AccessLevel.CurrentRead.mask

    talk(server.endpoint, try_all)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0" * 64,
        b"HELF" + (0xFFFFFFFF).to_bytes(4, "little") + b"x" * 65536,
        b"MSGF" + (0xFFFFFF00).to_bytes(4, "little") + b"x" * (8 << 20),
        b"HELF" + (8).to_bytes(4, "little"),
        b"OPNF" + (40).to_bytes(4, "little") + b"\xff" * 32,
    ],
    ids=["http", "zeros", "endless hello", "8 MB of a message", "empty", "nonsense"],
)
def test_hostile_bytes_hurt_nobody(server: OpcUa, data: bytes) -> None:
    pid = server.pid
    port = int(server.endpoint.rsplit(":", 1)[1].split("/")[0])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        try:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            while line.recv(4096):
                pass
        except (ConnectionError, TimeoutError):
            pass
    assert value_of(server.endpoint, "Station.Topic").Value.Value
    assert server.pid == pid


def test_no_more_clients_than_allowed() -> None:
    with serving(Desk(), max_clients=2) as small:
        port = int(small.endpoint.rsplit(":", 1)[1].split("/")[0])
        lines = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(2)]
        try:
            with pytest.raises((OSError, asyncio.TimeoutError, ua.UaError)):
                value_of(small.endpoint, "Station.State")
        finally:
            for line in lines:
                line.close()
        until(lambda: _answers(small.endpoint), "places that are free again can be had")


def _answers(endpoint: str) -> bool:
    try:
        return value_of(endpoint, "Station.State").StatusCode.is_good()
    except (OSError, asyncio.TimeoutError, ua.UaError):
        return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_server_that_dies_comes_back_with_everything_that_was_known(how: int) -> None:
    with serving(Desk()) as server:
        assert server.alarms() == {"opcua": None}
        server.clearance_done(clearance(5))
        pid = server.pid
        assert pid is not None
        os.kill(pid, how)
        until(lambda: server.alarms()["opcua"])
        until(lambda: server.endpoint and server.pid != pid)
        assert server.alarms() == {"opcua": None}
        assert server.restarts == 1
        until(lambda: value_of(server.endpoint, "Clearance.Sequence").Value.Value == 5)


def test_when_the_station_ends_the_last_values_go_bad() -> None:
    async def watch(client: Client) -> int:
        bad: list[int] = []

        class Ears:
            def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
                bad.append(data.monitored_item.Value.StatusCode.value)

        subscription = await client.create_subscription(10, Ears())
        await subscription.subscribe_data_change(client.get_node(ua.NodeId("Clearance.Sequence", 2)))
        await asyncio.get_running_loop().run_in_executor(None, server.__exit__, None, None, None)
        return bad[-1]

    with serving(Desk()) as server:
        server.clearance_done(clearance(5))
        until(lambda: value_of(server.endpoint, "Clearance.Sequence").Value.Value == 5)
        assert talk(server.endpoint, watch) == ua.StatusCodes.BadOutOfService
    assert server.endpoint == ""
