"""The demo's other side: a plain MQTT client that prints what arrives and keeps it, as an MES would."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from typing_extensions import Self

SUFFIX = {b"\xff\xd8": ".jpg", b"\x89P": ".png"}


class Listener:
    """Subscribes to everything below `root`; JSON goes to OUT/messages.jsonl, images to OUT/images/RESULT_ID-KIND.jpg."""

    def __init__(self, port: int, root: str, out: Path) -> None:
        self._root = root
        self._port = port
        self._out = out
        self._arrived = threading.Condition()
        self._subscribed = threading.Event()
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.images: dict[str, Path] = {}
        self._meta: dict[str, dict[str, Any]] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="lineclear-demo-mes", protocol=paho.MQTTv311)

    def __enter__(self) -> Self:
        (self._out / "images").mkdir(parents=True, exist_ok=True)
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _, __, message: self._receive(message.topic, bytes(message.payload))
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        self._subscribed.wait(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _subscribe(self, *_: Any) -> None:
        self._client.subscribe(f"{self._root}/#", 1)

    def wait_for(self, result_ids: set[str], timeout_s: float) -> bool:
        """True once an image of every result has arrived."""
        with self._arrived:
            return self._arrived.wait_for(lambda: result_ids <= self.images.keys(), timeout_s)

    def _receive(self, topic: str, payload: bytes) -> None:
        leaf = topic.removeprefix(self._root + "/")
        with self._arrived:
            if payload[:2] in SUFFIX:
                self._keep_image(leaf, payload)
            elif payload:
                self._keep_json(leaf, json.loads(payload))
            self._arrived.notify_all()

    def _keep_json(self, leaf: str, body: dict[str, Any]) -> None:
        if leaf.endswith("/meta"):
            self._meta[leaf.removesuffix("/meta")] = body
            return
        self.messages.append((leaf, body))
        with (self._out / "messages.jsonl").open("a") as file:
            file.write(json.dumps({"topic": leaf, **body}) + "\n")
        line = _line(leaf, body)
        if line:
            sys.stdout.write(f"  mqtt  {line}\n")
            sys.stdout.flush()

    def _keep_image(self, leaf: str, payload: bytes) -> None:
        result_id = str(self._meta.get(leaf, {}).get("resultId", "unknown"))
        path = self._out / "images" / f"{result_id}-{leaf.rsplit('/', 1)[-1]}{SUFFIX[payload[:2]]}"
        path.write_bytes(payload)
        self.images[result_id] = path
        sys.stdout.write(f"  mqtt  {leaf:32} {len(payload) / 1000:.0f} kB overlay of {result_id}\n")


def _line(leaf: str, body: dict[str, Any]) -> str:
    """What matters of one message, in one line; health is not printed."""
    if leaf.endswith("/result") and leaf.startswith("view/"):
        reason = f"{body['reason']['code']}: {body['reason']['detail']}" if body["reason"] else ""
        score = "" if body["score"] is None else f"score {body['score']:.2f} / {body['threshold']:.2f}"
        return f"{leaf:32} {body['outcome']:9} {score} {reason}".rstrip()
    if leaf == "clearance/result":
        return f"{leaf:32} {body['outcome']} (number {body['sequence']}, batch {body['batch']})"
    if leaf == "state":
        return f"{leaf:32} {body['status']} {body.get('reason', '')}".rstrip()
    return f"{leaf:32} {body.get('text', '')}".rstrip() if leaf.startswith("alarm/") else ""
