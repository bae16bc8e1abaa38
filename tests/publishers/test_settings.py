from __future__ import annotations

from typing import Any

import pytest

from edge.errors import ConfigError
from edge.schema import Closed, validate
from edge.settings.mqtt import MemorySettings, MqttSettings, PublisherSettings, StationAddress

LEVELS = {"site": "hamburg", "area": "packaging", "line": "line 3", "station": "north"}


def test_the_address_is_the_topic() -> None:
    address = StationAddress.model_validate(LEVELS)
    assert address.topic == "lineclear/hamburg/packaging/line 3/north"
    assert address.client_id == "lineclear-hamburg-packaging-line 3-north"
    assert StationAddress.model_validate({**LEVELS, "root": "plant"}).topic.startswith("plant/hamburg/")


@pytest.mark.parametrize("level", ["root", "site", "area", "line", "station"])
@pytest.mark.parametrize("text", ["", "a+", "a#", "a/b", "a\0", " ", "a ", "a\n", "\x7f", "$SYS", "\ud800", "x" * 81])
def test_a_level_that_is_none_is_refused(level: str, text: str) -> None:
    with pytest.raises(ConfigError, match=level):
        validate(StationAddress, {**LEVELS, level: text}, "station.yaml")


class _Holder(Closed):
    publisher: PublisherSettings


def test_kind_chooses() -> None:
    assert isinstance(validate(_Holder, {"publisher": {"kind": "memory"}}, "x").publisher, MemorySettings)
    assert isinstance(validate(_Holder, {"publisher": {"kind": "mqtt", "host": "h"}}, "x").publisher, MqttSettings)
    with pytest.raises(ConfigError, match="publisher"):
        validate(_Holder, {"publisher": {"kind": "amqp"}}, "x")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"protocol": "3.1"}, "protocol"),
        ({"protocol": 4}, "protocol"),
        ({"port": 0}, "port"),
        ({"max_in_flight": 21}, "max_in_flight"),
        ({"tls": {"cert_file": "a.pem"}}, "belong together"),
        ({"tls": {"insecure": True}}, "unknown key"),
        ({"tls": {"min_version": "1.1"}}, "min_version"),
        ({"password": "secret"}, "unknown key"),
        ({"reconnect_min_s": 31}, "reconnect_max_s"),
        ({"outbox": {"max_rows": 0}}, "max_rows"),
    ],
)
def test_bad_settings_are_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        validate(MqttSettings, {"kind": "mqtt", "host": "h", **change}, "station.yaml")


@pytest.mark.parametrize(
    ("change", "port", "protocol"),
    [({}, 1883, "3.1.1"), ({"tls": {}}, 8883, "3.1.1"), ({"port": 7}, 7, "3.1.1"), ({"protocol": 5}, 1883, "5")],
)
def test_usual_ports_and_a_protocol_as_yaml_reads_it(change: dict[str, Any], port: int, protocol: str) -> None:
    settings = validate(MqttSettings, {"kind": "mqtt", "host": "h", **change}, "station.yaml")
    assert (settings.effective_port, settings.protocol) == (port, protocol)
