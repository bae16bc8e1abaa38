"""The broker as it is installed: a real Mosquitto with the files that the installer made, on another port."""

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from tests.mosquitto import Subscriber, free_port, make_pki, mosquitto
from tests.systemd.boxes import make_box, need

TOPIC = "lineclear/basel/packaging/line3/feeder"
MUST_WRITE = ("state", "health", "view/front/result", "view/front/image/overlay", "clearance/result", "alarm/disk", "reply/plc")
MUST_NOT_WRITE = ("cmd/clearance", "other")
REFUSED = {128, 135}


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    need("mosquitto_passwd", "mosquitto", "flock")
    folder = tmp_path_factory.mktemp("broker")
    box = make_box(folder)
    done = box.install("--station", "feeder", "--station", "second", "--with-mosquitto")
    assert done.status == 0, done.err
    text = (box.folder / "etc/mosquitto/conf.d/lineclear.conf").read_text()
    assert "\nlistener 1883 127.0.0.1\n" in text
    assert "\nallow_anonymous false\n" in text
    lines = [line for line in text.splitlines() if not line.startswith(("#", "listener", "allow_anonymous", "per_listener"))]
    lines = [line.replace("/etc/mosquitto", str(box.folder / "etc/mosquitto")) for line in lines]
    with mosquitto(folder, *lines, allow_anonymous=False) as running:
        yield running.port, box


class Client:
    """One that asks and waits for the broker's answer."""

    def __init__(self, port, user=None, password=None):
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        if user:
            self._client.username_pw_set(user, password)
        self.answer = None
        self.heard = []
        self._client.on_message = lambda _client, _data, message: self.heard.append(message.topic)
        for name in ("on_connect", "on_publish", "on_subscribe"):
            setattr(self._client, name, self._answered)
        self._client.connect("127.0.0.1", port)
        self.connected = self._until()

    def _answered(self, *arguments):
        codes = [item for part in arguments for item in (part if isinstance(part, list) else [part])]
        self.answer = next(code.value for code in codes if isinstance(code, ReasonCode))

    def _until(self):
        self.answer = None
        for _ in range(1000):
            self._client.loop(0.02)
            if self.answer is not None:
                return self.answer
        raise AssertionError("no answer")

    def hears_until(self, topic):
        """Everything that it is sent, up to this topic."""
        for _ in range(1000):
            if topic in self.heard:
                return set(self.heard)
            self._client.loop(0.02)
        raise AssertionError(f"heard {self.heard}, but not {topic}")

    def publish(self, topic):
        return self.publish_to(f"{TOPIC}/{topic}")

    def publish_to(self, topic):
        self._client.publish(topic, "x", qos=1)
        return self._until()

    def subscribe(self, topic):
        self._client.subscribe(topic, 1)
        return self._until()


def credentials(box, name):
    return (box.folder / f"etc/lineclear/{name}.mqtt").read_text().strip().split(":")


def test_the_station_may_do_what_it_must_and_no_more(broker):
    port, box = broker
    client = Client(port, *credentials(box, "feeder"))
    assert not [topic for topic in MUST_WRITE if client.publish(topic) in REFUSED]
    assert {client.publish(topic) for topic in MUST_NOT_WRITE} <= REFUSED


def test_a_station_hears_commands_to_itself_and_nothing_of_others(broker):
    """Mosquitto 2.0.11 acknowledges every subscription and sends only what is allowed."""
    port, box = broker
    acl = box.folder / "etc/mosquitto/lineclear/acl"
    assert acl.read_text().count("# begin station") == 2
    second = Client(port, *credentials(box, "second"))
    first = Client(port, *credentials(box, "feeder"))
    second.subscribe("#")
    first.subscribe("#")
    assert {second.publish(topic) for topic in MUST_WRITE} <= REFUSED
    for topic in ("state", "view/front/result", "health"):
        first.publish(topic)
    own = f"{TOPIC.removesuffix('feeder')}second/health"
    second.publish_to(own)
    assert second.hears_until(own) == {own}
    assert first.hears_until(f"{TOPIC}/health") == {f"{TOPIC}/health"}


def test_nobody_else_comes_in(broker):
    port, box = broker
    user, password = credentials(box, "feeder")
    for who in ((None, None), (user, "wrong"), ("stranger", password), ("second", password)):
        assert Client(port, *who).connected in (134, 135), who  # bad user name or password, not authorised
    assert Client(port, user, password).connected == 0


def test_the_example_of_a_bridge_carries_results_out_over_tls(broker, tmp_path):
    _, box = broker
    pki = make_pki(tmp_path / "pki")
    tls_port = free_port()
    text = (box.folder / "etc/mosquitto/lineclear/bridge.conf.example").read_text()
    text = text.replace("/etc/mosquitto/lineclear/plant-ca.pem", str(pki.ca))
    text = text.replace("broker.plant.example:8883", f"127.0.0.1:{tls_port}").replace("feeder-box", "feeder")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for name in ("plant", "local"):
        (tmp_path / name).mkdir()
    plant = mosquitto(tmp_path / "plant", f"listener {tls_port} 127.0.0.1", *pki.broker_lines())
    with plant as far, mosquitto(tmp_path / "local", *lines) as near, Subscriber(far.port) as listener:
        client = Client(near.port)
        client.publish("other")
        client.publish("view/front/result")
        heard = listener.wait_for_topic("view/front/result")
        assert [message.topic for message in heard] == [f"{TOPIC}/view/front/result"]
        assert not [message for message in listener.messages if message.topic.endswith("/other")]


PAGE_HEARS = ("state", "health", "view/front/result", "view/front/image/overlay", "clearance/result", "alarm/disk")


def test_the_page_hears_its_station_and_asks_it_and_no_other(broker):
    port, box = broker
    settings = (box.folder / "etc/lineclear/feeder.page.yaml").read_text()
    assert "\ncredentials_file: /etc/lineclear/feeder.page.mqtt\n" in settings
    page = Client(port, *credentials(box, "feeder.page"))
    station = Client(port, *credentials(box, "feeder"))
    second = Client(port, *credentials(box, "second"))
    assert page.publish("cmd/reload") not in REFUSED
    other = TOPIC.removesuffix("feeder") + "second"
    assert {page.publish(topic) for topic in (*PAGE_HEARS, "reply/page", "reply/plc")} <= REFUSED
    assert page.publish_to(f"{other}/cmd/reload") in REFUSED
    page.subscribe("#")
    second.publish_to(f"{other}/state")
    station.publish("reply/plc")
    for topic in (*PAGE_HEARS, "reply/page"):
        station.publish(topic)
    assert page.hears_until(f"{TOPIC}/reply/page") == {f"{TOPIC}/{topic}" for topic in (*PAGE_HEARS, "reply/page")}
