"""Ways through the plant: clearances that a PLC asked for, the addresses of every page, sessions for a browser."""

from __future__ import annotations

import json
import threading
import time
import uuid
from datetime import datetime, timezone
from typing import Any, Final

import paho.mqtt.client as paho

from edge.archive import ArchiveReader
from tests.web.browser.people import sign_in
from tests.web.browser.places import MORE, PAGES
from tests.web.browser.plant import TOPIC, Plant
from tests.web.browser.recipes import PRODUCTS, VIEWS

PATIENCE_S: Final = 60.0


class Plc:
    """A client of the broker with rights of its own: asks, and waits for the last word."""

    def __init__(self, port: int, user: str = "plc-line3") -> None:
        self._user = user
        self._changed = threading.Condition()
        self._replies: dict[str, dict[str, Any]] = {}
        self._results: dict[str, dict[str, Any]] = {}
        self._state: dict[str, Any] = {}
        self._listens = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=user, protocol=paho.MQTTv311)
        self._client.username_pw_set(user, f"{user}-secret")
        self._client.on_connect = lambda client, *_: client.subscribe(
            [(f"{TOPIC}/{leaf}", 1) for leaf in (f"reply/{user}", "clearance/state", "clearance/result")]
        )
        self._client.on_subscribe = lambda *_: self._listens.set()
        self._client.on_message = self._heard
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._listens.wait(PATIENCE_S), "the broker does not take the PLC"

    def _heard(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        body = json.loads(message.payload)
        with self._changed:
            if message.topic.endswith("/state"):
                self._state = body
            elif message.topic.endswith("/result"):
                self._results[body["resultId"]] = body
            elif body["status"] != "progress":
                self._replies[body["request_id"]] = body
            self._changed.notify_all()

    def ask(self, name: str, **fields: Any) -> dict[str, Any]:
        """A command and its last word."""
        request_id = str(uuid.uuid4())
        sent_at = datetime.now(timezone.utc).isoformat(timespec="microseconds")
        head = {"schema": "lineclear/command/1", "request_id": request_id, "client": self._user, "sent_at": sent_at}
        self._client.publish(f"{TOPIC}/cmd/{name}", json.dumps({**head, **fields}), 1)
        with self._changed:
            assert self._changed.wait_for(lambda: request_id in self._replies, PATIENCE_S), f"no reply to {name}"
            return self._replies[request_id]

    def clear(self, batch: str) -> dict[str, Any]:
        """One clearance, once the station is ready for it; all of its result."""
        with self._changed:
            ready = self._changed.wait_for(lambda: self._state.get("state") == "ready", PATIENCE_S)
            assert ready, self._state
        said = self.ask("clearance", batch=batch, product=PRODUCTS[0], operator="B. Roth")
        assert said["status"] == "ok", said
        result_id = said["result"]["result_id"]
        with self._changed:
            assert self._changed.wait_for(lambda: result_id in self._results, PATIENCE_S), "no clearance/result"
            return self._results[result_id]

    def close(self) -> None:
        """Away from the broker."""
        self._client.disconnect()
        self._client.loop_stop()


def with_history(plant: Plant) -> dict[str, str]:
    """Two batches: one clear, then one with something left in the feeder. What {view}, {clearance} and {result} stand for."""
    plc = Plc(plant.broker.port)
    try:
        plant.clean("feeder")
        assert plc.clear("B1201")["outcome"] == "CLEAR"
        plant.leave("feeder")
        clearance = plc.clear("B1202")
        assert clearance["outcome"] == "NOT_CLEAR", clearance
        plant.clean("feeder")
    finally:
        plc.close()
    (feeder,) = [view for view in clearance["views"] if view["view"] == VIEWS[0]]
    result_id = feeder["results"][-1]["resultId"]
    _await_evidence(plant, result_id)
    return {"view": VIEWS[0], "batch": "B1202", "clearance": clearance["resultId"], "result": result_id}


def _await_evidence(plant: Plant, result_id: str) -> None:
    """The archive writes in its own thread, and on a busy machine much later than the answer."""
    archive, deadline_s, pause = (
        ArchiveReader(plant.folder / "state" / "archive"),
        time.monotonic() + PATIENCE_S,
        threading.Event(),
    )
    while archive.get(result_id) is None:
        assert time.monotonic() < deadline_s, f"{result_id} did not come into the archive"
        pause.wait(0.1)


def filled(plant: Plant) -> dict[str, str]:
    """The addresses of PAGES and MORE at this plant, where two batches were cleared."""
    given = with_history(plant)
    return {name: path.format(**given) for name, path in {**PAGES, **MORE}.items()}


def storage_of(url: str, name: str) -> dict[str, Any]:
    """What a browser keeps once this person signed in, for `new_context(storage_state=...)`."""
    cookies = [
        {
            "name": cookie.name, "value": cookie.value or "", "domain": "127.0.0.1", "path": "/", "expires": -1,
            "httpOnly": True, "secure": False, "sameSite": "Strict",
        }
        for cookie in sign_in(url, name).jar
    ]  # fmt: skip
    return {"cookies": cookies, "origins": []}
