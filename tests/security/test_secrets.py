"""A whole station with marked secrets: they are in no log, message, state file, metric or process list."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
import yaml

from edge.bundle.keys import SigningKey, make_key
from edge.bundle.trust import sign
from edge.recipe import load_recipe
from edge.recipe.signing import version_digest
from tests.bundle.samples import declared, write
from tests.mosquitto import free_port, mosquitto, password_lines
from tests.recipe.builders import with_card
from tests.supervision.systemd import Service, service

PASSWORD, COMMAND_KEY = "MARKED-pa55word-of-the-broker", "deadbeefcafe" * 6
USER = "station"


def processes(root: int) -> Iterator[int]:
    """The process and all that it started."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    pending = [root]
    while pending:
        number = pending.pop()
        yield number
        pending += children.get(number, [])


def told_by_processes(root: int) -> bytes:
    said = b""
    for number in processes(root):
        for name in ("cmdline", "environ"):
            try:
                said += (Path("/proc") / str(number) / name).read_bytes()
            except OSError:
                continue
    return said


class Listener:
    """Everything that the broker passes on."""

    def __init__(self, port: int, password: str) -> None:
        self.heard: list[bytes] = []
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.username_pw_set("listener", password)
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.on_message = lambda _client, _data, message: self.heard.append(message.topic.encode() + message.payload)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self.publish = self._client.publish

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def station(folder: Path, port: int, metrics: int) -> Path:
    """A config with every kind of secret that a station can have, and a signed recipe."""
    made = write(folder / "bundle", declared())
    recipe = folder / "recipes" / "front"
    with_card(recipe, made)
    keys = [make_key(folder / "station.key", "station", frozenset(("bundle", "recipe")))]
    (folder / "trusted-keys").write_text("".join(f"{key.line()}\n" for key in keys))
    loaded, key = load_recipe(recipe), SigningKey(folder / "station.key")
    sign("bundle", loaded.bundle.content_hash, loaded.bundle.path, key, "A. Meier")
    sign("recipe", version_digest(loaded.folder), loaded.folder, key, "A. Meier")
    for name, text in (("broker", f"{USER}:{PASSWORD}\n"), ("keys", f"hmi:{COMMAND_KEY}\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    config = {
        "station": {"site": "plant", "area": "pack", "line": "l1", "station": "s1"},
        "state_dir": str(folder / "state"),
        "engine": {"kind": "simulated"},
        "publisher": {"kind": "mqtt", "host": "127.0.0.1", "port": port, "credentials_file": "broker"},
        "commands": {"signatures": "acting", "keys_file": "keys"},
        "trust": {"trusted_keys": "trusted-keys", "signing_key": "station.key"},
        "health": {"interval_s": 1, "prometheus_port": metrics},
        "archive": {"min_free_bytes": 0},
        "views": {
            "front": {
                "recipe": str(recipe),
                "trigger": {"kind": "continuous", "interval_s": 0.5},
                "camera": {"kind": "simulated", "size_wh": [64, 48]},
            }
        },
    }
    path = folder / "station.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def leaks(said: bytes, secrets: list[bytes]) -> list[bytes]:
    return [secret for secret in secrets if secret in said]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[tuple[Service, Listener, Path, int]]:
    lines = password_lines(tmp_path, **{USER: PASSWORD, "listener": "other"})
    with mosquitto(tmp_path, *lines, allow_anonymous=False) as broker:
        listener, metrics = Listener(broker.port, "other"), free_port()
        try:
            kept = tmp_path / "lib"
            kept.mkdir()
            with service(
                station(tmp_path, broker.port, metrics), tmp_path, STATE_DIRECTORY=str(kept), PYTHONUNBUFFERED="1"
            ) as running:
                yield running, listener, tmp_path, metrics
        finally:
            listener.close()


def test_no_secret_comes_out_of_a_station(run: tuple[Service, Listener, Path, int]) -> None:
    running, listener, folder, metrics = run
    running.until(lambda: any(b"/view/front/result" in said for said in listener.heard))
    topic = "lineclear/plant/pack/l1/s1"
    for signature in ("00" * 32, "x" * 64, COMMAND_KEY[:64]):
        body = {"client": "hmi", "request_id": signature[:8], "sent_at": "2026-11-22T00:00:00Z", "signature": signature}
        listener.publish(f"{topic}/cmd/reload", json.dumps({**body, "who": "a", "why": "b"}), 1)
    running.until(lambda: sum(b"/reply/hmi" in said for said in listener.heard) >= 3)
    running.until(lambda: any(b"/health" in said for said in listener.heard))
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=10) as answer:
        shown = answer.read()
    listed = told_by_processes(running.process.pid)
    key = (folder / "station.key").read_bytes().splitlines()[1]
    secrets = [PASSWORD.encode(), COMMAND_KEY.encode(), bytes.fromhex(COMMAND_KEY), key]
    assert b"lineclear" in shown or b"process" in shown
    assert len(listed) > 100
    # The client echoes nothing of a signature it sent, and the station nothing of a secret it holds.
    for said in (running.logged.encode(), shown, listed, *listener.heard):
        own = said if b"/cmd/reload" not in said[:80] else b""
        assert leaks(own, secrets) == []
    running.process.terminate()
    assert running.ended() == 0
    for path, data in {**files_of(folder / "state"), **files_of(folder / "lib")}.items():
        assert leaks(data, secrets) == [], path
    assert leaks(running.logged.encode(), secrets) == []


def test_what_a_station_writes_is_not_for_everybody(run: tuple[Service, Listener, Path, int]) -> None:
    running, listener, folder, _ = run
    running.until(lambda: any(b"/view/front/result" in said for said in listener.heard))
    shared = [path for path in (folder / "state").rglob("*") if path.stat().st_mode & 0o007]
    assert shared == []
    assert (folder / "state").stat().st_mode & 0o007 == 0


@pytest.mark.parametrize("broken", ["broker", "keys", "station.key"])
def test_an_error_about_a_secret_does_not_show_it(tmp_path: Path, lineclear, broken: str) -> None:
    config = station(tmp_path, 1, free_port())
    (tmp_path / broken).chmod(0o644)
    words = ""
    for arguments in (("doctor", config), ("validate", config), ("doctor", config, "--json")):
        answer = lineclear(*arguments)
        words += answer.out + answer.err
    assert leaks(words.encode(), [PASSWORD.encode(), COMMAND_KEY.encode()]) == []
    assert "PRIVATE KEY" not in words
    assert os.environ.get("LINECLEAR_PASSWORD") is None
