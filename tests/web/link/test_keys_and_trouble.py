"""The page's own key, whatever stands in its file; and each reason of a lost connection told apart."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.web.link.keys import PageKey
from calibration.web.link.trouble import Trouble, Why, trouble_of
from edge.errors import ConfigError, LineclearError
from edge.publishers.broker import BrokerLost

HEX = "00112233445566778899aabbccddeeff" * 2
OTHER = "ffeeddccbbaa99887766554433221100" * 2


def key_file(folder: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path = folder / "page.key"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "text",
    [
        HEX, f"{HEX}\n", f"  {HEX}\r\n", HEX.upper(), f"# the page's key\n\n{HEX}\n", f"page:{HEX}\n",
        f"plc:{OTHER}\npage:{HEX}\n", f"page:{OTHER[:-2]}zz\npage:{HEX}\n",
    ],
)  # fmt: skip
def test_the_key_is_found_alone_or_among_those_of_others(tmp_path: Path, text: str) -> None:
    assert PageKey(key_file(tmp_path, text), "page").read() == bytes.fromhex(HEX)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no key of 'page'"),
        (f"plc:{HEX}\n", "holds no key of 'page'"),
        (f"pages:{HEX}\n", "holds no key of 'page'"),
        (HEX[:-2], "holds no key"),
        (HEX[:-1], "holds no key"),
        (HEX[:-1] + "g", "holds no key"),
        (HEX * 5, "holds no key"),
        (f"page {HEX}", "holds no key"),
        (f"{HEX}\n".encode("utf-16"), "is not UTF-8"),
        (f"{HEX}\n" + "#" * 5000, "is too large"),
    ],
)
def test_what_is_no_key_is_refused_and_never_quoted(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        PageKey(key_file(tmp_path, text), "page").read()
    assert HEX[:12] not in str(refused.value)


def test_others_may_not_read_it_and_a_new_one_counts_at_once(tmp_path: Path) -> None:
    path = key_file(tmp_path, HEX, 0o640)
    key = PageKey(path, "page")
    with pytest.raises(ConfigError, match="chmod 600"):
        key.read()
    path.chmod(0o600)
    assert key.read() == bytes.fromhex(HEX)
    key_file(tmp_path, OTHER)
    assert key.read() == bytes.fromhex(OTHER)
    path.unlink()
    with pytest.raises(ConfigError, match="file not found"):
        key.read()
    path.mkdir()
    with pytest.raises(ConfigError):
        key.read()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_no_text_is_a_key_by_chance(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, pytest.raises(ConfigError):
        PageKey(key_file(Path(folder), text.encode("utf-8", "replace")), "page").read()


def caused(error: LineclearError, cause: BaseException) -> LineclearError:
    error.__cause__ = cause
    return error


def taken_over() -> BrokerLost:
    error = BrokerLost("broke")
    error.taken_over = True
    return error


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ConfigError("x"), Why.SETTINGS),
        (taken_over(), Why.TAKEN_OVER),
        (caused(BrokerLost("x"), ssl.SSLCertVerificationError("self-signed")), Why.UNTRUSTED),
        (caused(BrokerLost("x"), ssl.SSLError("wrong version")), Why.ENCRYPTION),
        (caused(BrokerLost("x"), socket.gaierror(-2, "not known")), Why.NO_HOST),
        (caused(BrokerLost("x"), ConnectionRefusedError()), Why.NOT_LISTENING),
        (caused(BrokerLost("x"), TimeoutError()), Why.NO_ANSWER),
        (caused(BrokerLost("x"), ConnectionResetError()), Why.BROKEN),
        (BrokerLost("refuses the station: not authorised"), Why.REFUSED),
        (BrokerLost("does not answer"), Why.NO_ANSWER),
        (BrokerLost("broke"), Why.BROKEN),
    ],
)
def test_each_cause_has_its_own_reason(error: LineclearError, why: Why) -> None:
    assert trouble_of(error).why is why


def test_the_detail_is_short() -> None:
    assert trouble_of(BrokerLost("x" * 10_000)) == Trouble(Why.BROKEN, "x" * 500)


@pytest.mark.parametrize("language", ["en", "de", "it"])
def test_every_reason_has_words(language: str) -> None:
    from calibration.web.language import load_words

    for why in Why:
        assert load_words().say(language, f"station.link.{why.value}")
