"""No word that a person can write in a config turns encryption's checks off."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from edge.config import StationConfig
from edge.publishers.security import tls_context
from edge.settings.mqtt import MqttTls
from edge.settings.opcua import OpcUaConfig
from edge.settings.trust import TrustSettings

# Words by which products let people switch verification off.
OFF = re.compile(
    r"insecure|verif|unsafe|skip|ignore|no_?check|disable|allow_|trust_all|self_?signed|hostname|password|token|secret", re.I
)


def models(kind: Any, seen: set[type]) -> Iterator[type[BaseModel]]:
    """Every model that a config can hold, unions, tuples and mappings followed."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind not in seen:
            seen.add(kind)
            yield kind
            for field in kind.model_fields.values():
                yield from models(field.annotation, seen)
        return
    for argument in get_args(kind):
        yield from models(argument, seen)


ALL = list(models(StationConfig, set()))


def test_the_walk_sees_the_whole_config() -> None:
    assert {MqttTls, OpcUaConfig, TrustSettings} <= set(ALL)
    assert len(ALL) > 40


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.__name__)
def test_no_setting_sounds_as_if_it_turned_a_check_off_or_held_a_secret(model: type[BaseModel]) -> None:
    assert [name for name in model.model_fields if OFF.search(name)] == []


@pytest.mark.parametrize("settings", [MqttTls(), MqttTls(min_version="1.3")])
def test_whatever_is_written_the_broker_is_verified(settings: MqttTls) -> None:
    context = tls_context(settings)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("version", ["1.0", "1.1", "", None, "any"])
def test_older_tls_cannot_be_asked_for(version: str | None) -> None:
    with pytest.raises(ValidationError):
        MqttTls.model_validate({"min_version": version})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.plant"])
def test_opc_ua_without_security_answers_this_machine_alone(host: str) -> None:
    with pytest.raises(ValidationError, match="there is no security"):
        OpcUaConfig(host=host)


def test_signatures_cannot_be_asked_for_and_not_demanded() -> None:
    assert set(TrustSettings.model_fields) == {"trusted_keys", "signing_key"}
