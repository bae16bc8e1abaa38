"""A real Mosquitto on a free loopback port, for tests: start, kill, start again on the same port; passwords, TLS, ACL."""

from __future__ import annotations

import getpass
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
import pytest

READY_S = 10.0
WAIT_S = 30.0


def mosquitto_binary(name: str = "mosquitto") -> str:
    """Path of a Mosquitto program; skips the test where it is not installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install mosquitto")
    return found


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """One broker on one port. `lines`: what is added to its configuration."""

    def __init__(self, folder: Path, *lines: str, port: int | None = None, allow_anonymous: bool = True) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._binary = mosquitto_binary()
        self._config = folder / f"mosquitto-{self.port}.conf"
        self._log = folder / f"mosquitto-{self.port}.log"
        head = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {str(allow_anonymous).lower()}",
            f"user {getpass.getuser()}",  # else a root Mosquitto becomes another user, who may not read the folder
            "max_queued_messages 0",
            "log_dest stderr",
        ]
        self._config.write_text("\n".join([*head, *lines]) + "\n")

    @property
    def log(self) -> list[str]:
        """Every line that it wrote so far; they lie in a file, so that a test that looks at memory sees none of them."""
        return self._log.read_text().splitlines(keepends=True) if self._log.exists() else []

    def start(self) -> Mosquitto:
        """Start, and return when it listens."""
        process = subprocess.Popen(
            [self._binary, "-c", str(self._config), "-v"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        running = threading.Event()
        self._process = process
        self._reader = threading.Thread(target=self._read, args=(process, running), daemon=True)
        self._reader.start()
        if not running.wait(READY_S) or process.poll() is not None:
            self.stop()
            raise RuntimeError("mosquitto did not start:\n" + "".join(self.log[-20:]))
        return self

    def kill(self) -> None:
        """SIGKILL: no goodbye, nothing saved."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM; does nothing if it does not run."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.wait(READY_S)
        assert self._reader is not None
        self._reader.join(READY_S)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._process = None

    def _read(self, process: subprocess.Popen[str], running: threading.Event) -> None:
        assert process.stderr is not None
        with self._log.open("a", buffering=1) as log:
            for line in process.stderr:
                log.write(line)
                if line.rstrip().endswith("running"):
                    running.set()
        running.set()


@contextmanager
def mosquitto(folder: Path, *lines: str, allow_anonymous: bool = True) -> Iterator[Mosquitto]:
    """A running broker, gone afterwards."""
    broker = Mosquitto(folder, *lines, allow_anonymous=allow_anonymous)
    try:
        yield broker.start()
    finally:
        broker.stop()


def password_lines(folder: Path, **users: str) -> list[str]:
    """Configuration lines for a password file with these users."""
    file = folder / "passwords"
    file.write_text("".join(f"{user}:{password}\n" for user, password in users.items()))
    file.chmod(0o600)
    subprocess.run([mosquitto_binary("mosquitto_passwd"), "-U", str(file)], check=True, capture_output=True)
    return [f"password_file {file}"]


def acl_lines(folder: Path, text: str) -> list[str]:
    """Configuration lines for an access list."""
    file = folder / "acl"
    file.write_text(text)
    file.chmod(0o600)
    return [f"acl_file {file}"]


@dataclass(frozen=True)
class Pki:
    """An authority of its own and two certificates: the broker's for 127.0.0.1 and localhost, and a client's."""

    ca: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path

    def broker_lines(self, require_client: bool = False) -> list[str]:
        """Configuration lines that make the listener speak TLS."""
        lines = [f"cafile {self.ca}", f"certfile {self.server_cert}", f"keyfile {self.server_key}"]
        return [*lines, "require_certificate true"] if require_client else lines


def make_pki(folder: Path) -> Pki:
    """Certificates for an hour's tests, made by openssl; skips where it is not installed."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: apt-get install openssl")
    folder.mkdir(parents=True, exist_ok=True)

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], check=True, capture_output=True, cwd=folder)

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority")
    for name, extension in (("server", "subjectAltName=IP:127.0.0.1,DNS:localhost"), ("client", "extendedKeyUsage=clientAuth")):
        (folder / f"{name}.ext").write_text(extension + "\n")
        run("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext"]
        run("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)
        (folder / f"{name}.key").chmod(0o600)
    at = folder.joinpath
    return Pki(at("ca.pem"), at("server.pem"), at("server.key"), at("client.pem"), at("client.key"))


@dataclass(frozen=True)
class Received:
    """One message as a subscriber saw it. properties: v5 user properties."""

    topic: str
    payload: bytes
    retain: bool
    content_type: str
    properties: dict[str, str]


class Subscriber:
    """Another program on the broker, which keeps everything that it gets. Connects again when the broker comes back."""

    def __init__(
        self, port: int, topic: str = "#", *, client_id: str = "subscriber", protocol: str = "3.1.1", clean: bool = True
    ) -> None:
        is_v5 = protocol == "5"
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=paho.MQTTv5 if is_v5 else paho.MQTTv311,
            clean_session=None if is_v5 else clean,
        )
        self._client.reconnect_delay_set(1, 1)
        self._topic = topic
        self._port = port
        self._changed = threading.Condition()
        self._messages: list[Received] = []
        self._subscribed = 0
        self._client.on_connect = lambda client, *_: client.subscribe(self._topic, 1)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def __enter__(self) -> Subscriber:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        with self._changed:
            assert self._changed.wait_for(lambda: self._subscribed > 0, WAIT_S), "no subscription"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def messages(self) -> list[Received]:
        """Everything so far, in the order of arrival."""
        with self._changed:
            return list(self._messages)

    def wait_for(self, condition: Callable[[list[Received]], bool], what: str = "messages") -> list[Received]:
        """Everything so far, once the condition holds; fails the test if it does not in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self._messages), WAIT_S):
                pytest.fail(f"waited {WAIT_S:g} s for {what}; got {[m.topic for m in self._messages][-20:]}")
            return list(self._messages)

    def wait_for_topic(self, topic_end: str, count: int = 1) -> list[Received]:
        """The messages whose topic ends so, once there are `count`."""
        self.wait_for(lambda all_: sum(m.topic.endswith(topic_end) for m in all_) >= count, f"{count} of {topic_end}")
        return [message for message in self.messages if message.topic.endswith(topic_end)]

    def _on_subscribe(self, *_: object) -> None:
        with self._changed:
            self._subscribed += 1
            self._changed.notify_all()

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        properties = message.properties
        content_type = getattr(properties, "ContentType", "") if properties else ""
        pairs = dict(getattr(properties, "UserProperty", [])) if properties else {}
        with self._changed:
            self._messages.append(Received(message.topic, message.payload, message.retain, content_type, pairs))
            self._changed.notify_all()
