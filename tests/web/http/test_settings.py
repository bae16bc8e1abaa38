"""STATION.page.yaml: what may stand in it, and what would open the page to the network in the clear."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from calibration.web.settings import PageSettings, page_path_of, read_page_settings
from edge.errors import ConfigError

TLS = "tls: {cert_file: page.crt, key_file: secret/page.key}\n"


def read(folder: Path, text: str) -> PageSettings:
    config = folder / "line3.yaml"
    page_path_of(config).write_text(text)
    return read_page_settings(config)


def test_without_a_file_it_listens_on_this_machine_alone(tmp_path: Path) -> None:
    for settings in (read_page_settings(tmp_path / "line3.yaml"), read(tmp_path, ""), read(tmp_path, "# nothing\n")):
        assert (settings.host, settings.effective_port, settings.is_loopback, settings.is_secure) == (
            "127.0.0.1",
            8480,
            True,
            False,
        )
        assert settings.allowed_hosts == {"localhost", "127.0.0.1", "::1"}


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="file not found"):
        read_page_settings(tmp_path / "line3.yaml", tmp_path / "other.yaml")


def test_on_the_network_only_with_tls_or_a_proxy(tmp_path: Path) -> None:
    for host in ("192.168.1.20", "0.0.0.0", "'::'"):
        with pytest.raises(ConfigError, match="in the clear"):
            read(tmp_path, f"host: {host}\nhosts: [box]\n")
    settings = read(tmp_path, f"host: 192.168.1.20\n{TLS}")
    assert settings.tls is not None
    assert settings.tls.key_file == tmp_path / "secret" / "page.key"
    assert (settings.effective_port, settings.is_secure) == (8443, True)
    assert "192.168.1.20" in settings.allowed_hosts
    assert read(tmp_path, "behind_proxy: {trusted: [127.0.0.1]}\nhosts: [Box7.Plant.example]\n").is_secure
    with pytest.raises(ConfigError, match="exclude each other"):
        read(tmp_path, f"{TLS}behind_proxy: {{trusted: [127.0.0.1]}}\nhosts: [box]\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"host: 0.0.0.0\n{TLS}", "hosts is missing"),
        ("behind_proxy: {trusted: [127.0.0.1]}\n", "hosts is missing"),
        ("behind_proxy: {trusted: [0.0.0.0/0]}\nhosts: [b]\n", "trusts every address"),
        ("behind_proxy: {trusted: ['*']}\nhosts: [b]\n", "is no IP address or network"),
        ("behind_proxy: {trusted: []}\nhosts: [b]\n", "at least 1"),
        ("host: localhost\n", "is no IP address"),
        ("hosts: ['https://box/']\n", "is no host name"),
        ("hosts: ['*.plant.example']\n", "is no host name"),
        ("hosts: ['box:8443']\n", "is no host name"),
        ("time_zone: Mars/Olympus\n", "is no time zone"),
        ("time_zone: ../../etc/passwd\n", "is no time zone"),
        ("language: fr\n", "language"),
        ("prot: 80\n", "did you mean 'port'"),
        ("passwords: {min_length: 4}\n", "greater than or equal to 8"),
        ("tls: {cert_file: a}\n", "tls.key_file: missing"),
        ("tls: {cert_file: a, key_file: b, min_version: '1.0'}\n", "min_version"),
        ("[1, 2]\n", "is not a mapping"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        read(tmp_path, text)


def test_the_example_beside_nginx_is_one() -> None:
    example = Path(__file__).resolve().parents[3] / "configs" / "nginx" / "station.page.yaml.example"
    settings = read_page_settings(example, example)
    assert settings.behind_proxy is not None


@given(st.text(max_size=40))
def test_no_text_opens_the_page_to_the_network(host: str) -> None:
    try:
        settings = PageSettings.model_validate({"host": host})
    except ValidationError:
        return
    assert settings.is_loopback
