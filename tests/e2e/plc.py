"""A PLC: its own process, its own MQTT client, the handshake of docs/clearance.md. `python -m tests.e2e.plc PORT ROOT`.

A line of JSON on standard input is an order, answered by a line of JSON. Every message that it hears or sends is held against
its schema, and every number against those before.
"""

from __future__ import annotations

import json
import sys
import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import paho.mqtt.client as paho

from tests.schemas import schema_of, validate_message

PATIENCE_S = 40.0
ASK_AGAIN_S = 8.0
Body = dict[str, Any]


class Plc:
    """Hears everything below `root`, asks as `client`."""

    def __init__(self, port: int, root: str) -> None:
        self._root = root
        self._changed = threading.Condition()
        self._newest: dict[str, Body] = {}
        self._results: dict[str, Body] = {}
        self._replies: list[Body] = []
        self._heard: dict[str, int] = {}
        self._problems: list[str] = []
        self._alarms: list[str] = []
        self._highest = -1
        self._sequences: list[int] = []
        self._connections = 0
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id="plc-line3", protocol=paho.MQTTv311, clean_session=False
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{root}/#", 1)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def await_ready(self, status: str = "ready", connections: int = 1) -> Body:
        """Until a clearance would be taken: the station's state; its PLC has subscribed `connections` times."""
        return self._wait(
            lambda: (
                self._newest["state"]
                if self._connections >= connections
                and self._newest.get("state", {}).get("status") == status
                and self._newest.get("clearance/state", {}).get("state") == "ready"
                else None
            ),
            f"a station that is {status}",
        )

    def await_status(self, status: str) -> Body:
        """Until `state` says so."""
        fits = lambda: self._newest.get("state", {}).get("status") == status  # noqa: E731
        return self._wait(lambda: self._newest["state"] if fits() else None, f"state {status}")

    def await_alarm(self, code: str) -> Body:
        """Until this alarm is up."""
        return self._wait(lambda: self._newest.get(f"alarm/{code}"), f"alarm {code}")

    def ask(self, name: str, fields: Body) -> Body:
        """A command and its last word."""
        request_id = self._send(name, fields)
        return self._wait(lambda: self._reply(request_id, ("ok", "error", "busy")), f"a reply to {name}")

    def begin(self, name: str, fields: Body) -> Body:
        """A command and the first that is said to it."""
        request_id = self._send(name, fields)
        return self._wait(lambda: self._reply(request_id, ("progress", "ok", "error", "busy")), f"a word to {name}")

    def clear(self, batch: str, product: str, request_id: str = "") -> Body:
        """The handshake; returns the clearance."""
        state = self.await_ready()
        before = int(self._newest["clearance/state"]["sequence"])
        request_id = request_id or f"plc-{uuid.uuid4()}"
        order = {"batch": batch, "product": product, "operator": "A. Meier", "request_id": request_id}
        self._send("clearance", order)
        found = self.result(request_id, before, lambda: self._send("clearance", order))
        assert state["status"] == "ready"
        return found

    def result(self, request_id: str, above: int, again: Callable[[], object] = lambda: None) -> Body:
        """The clearance with this request_id and a number above `above`; asks once more if it does not come."""

        def look() -> Body | None:
            fitting = [body for body in self._results.values() if body["requestId"] == request_id]
            return next((body for body in fitting if body["sequence"] > above), None)

        try:
            return self._wait(look, "", ASK_AGAIN_S)
        except TimeoutError:
            again()
        return self._wait(look, f"the result of {request_id}")

    def seen(self) -> Body:
        """What was heard: counts by schema, what was wrong with it, the numbers in the order of their first arrival."""
        with self._changed:
            return {
                "schemas": dict(self._heard),
                "problems": list(self._problems),
                "sequences": list(self._sequences),
                "connections": self._connections,
                "alarms": list(self._alarms),
                "sequence": self._newest.get("clearance/state", {}).get("sequence"),
                "health": self._newest.get("health", {}).get("values", {}),
            }

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _send(self, name: str, fields: Body) -> str:
        sent_at = datetime.now(timezone.utc).isoformat(timespec="microseconds")
        head = {"schema": "lineclear/command/1", "request_id": f"plc-{uuid.uuid4()}", "client": "plc-line3", "sent_at": sent_at}
        body: Body = {**head, **fields}
        payload = json.dumps(body).encode()
        validate_message(f"cmd/{name}", payload)
        self._client.publish(f"{self._root}/cmd/{name}", payload, 1)
        return str(body["request_id"])

    def _reply(self, request_id: str, words: tuple[str, ...]) -> Body | None:
        fitting = (body for body in self._replies if body["request_id"] == request_id)
        return next((body for body in fitting if body["status"] in words), None)

    def _wait(self, look: Callable[[], Body | None], what: str, patience_s: float = PATIENCE_S) -> Body:
        found: list[Body] = []

        def is_there() -> bool:
            body = look()
            if body is not None:
                found.append(body)
            return body is not None

        with self._changed:
            if not self._changed.wait_for(is_there, patience_s):
                heard = [self._newest.get(topic) for topic in ("state", "clearance/state")]
                raise TimeoutError(f"waited {patience_s:g} s for {what}; {heard}, {self._replies[-2:]}, {self._problems}")
        return found[0]

    def _on_subscribe(self, *_: object) -> None:
        with self._changed:
            self._connections += 1
            self._changed.notify_all()

    def _on_message(self, _client: object, _data: object, heard: paho.MQTTMessage) -> None:
        topic = heard.topic.removeprefix(f"{self._root}/")
        with self._changed:
            try:
                body = validate_message(topic, heard.payload)
                name = "picture" if body is None and not topic.startswith("alarm/") else schema_of(topic)
                self._heard[name] = self._heard.get(name, 0) + 1
                self._keep(topic, body, heard.retain)
            except (AssertionError, ValueError) as problem:
                self._problems.append(str(problem))
            self._changed.notify_all()

    def _keep(self, topic: str, body: Body | None, retained: bool) -> None:
        if body is None:
            self._newest.pop(topic, None)
            return
        self._newest[topic] = body
        if topic.startswith("alarm/"):
            self._alarms.append(body["text"])
        if topic.startswith("reply/"):
            assert not retained, f"{topic}: a retained reply"
            self._replies.append(body)
        elif topic == "clearance/state":
            self._note_number(topic, body["sequence"], self._highest)
        elif topic == "clearance/result":
            known = self._results.get(body["resultId"])
            if known is None:
                self._note_number(topic, body["sequence"], self._sequences[-1] + 1 if self._sequences else 1)
                self._results[body["resultId"]] = body
                self._sequences.append(body["sequence"])
            assert known in (None, body), f"{topic}: {body['resultId']} came again with other contents"

    def _note_number(self, topic: str, number: int, at_least: int) -> None:
        self._highest = max(self._highest, number)
        assert number >= at_least, f"{topic}: the sequence went back to {number}, it was {at_least} at least"


ORDERS = ("await_ready", "await_status", "await_alarm", "ask", "begin", "clear", "result", "seen")


def main() -> None:
    plc = Plc(int(sys.argv[1]), sys.argv[2])
    try:
        for line in sys.stdin:
            order = json.loads(line)
            name = order.pop("do")
            assert name in ORDERS
            try:
                said: Body = {"said": getattr(plc, name)(**order)}
            except TimeoutError as error:
                said = {"failed": str(error), "problems": plc.seen()["problems"]}
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()
    finally:
        plc.close()


if __name__ == "__main__":
    main()
