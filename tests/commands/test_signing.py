"""Signatures and the file of keys."""

from pathlib import Path

import pytest

from edge.commands.signing import KeyFile, is_signed_by, read_keys, signature_of
from edge.errors import ConfigError

KEY = bytes.fromhex("00112233445566778899aabbccddeeff" * 2)
BODY = {"schema": "lineclear/command/1", "request_id": "r-1", "client": "plc", "sent_at": "2026-11-22T04:05:06.789Z"}
TOPIC = "lineclear/basel/packaging/line3/feeder-box/cmd/state"


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "keys"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_signature_is_that_of_the_page() -> None:
    """docs/commands.md has this example, made with openssl."""
    signature = signature_of(BODY, TOPIC, KEY)
    assert signature in (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
    assert is_signed_by({**BODY, "signature": signature}, TOPIC, KEY)
    assert not is_signed_by(BODY, TOPIC, KEY)


@pytest.mark.parametrize("name", [*BODY, "more"])
def test_any_other_message_has_another_signature(name: str) -> None:
    signature = signature_of(BODY, TOPIC, KEY)
    assert not is_signed_by({**BODY, name: "other", "signature": signature}, TOPIC, KEY)
    assert not is_signed_by({**BODY, "signature": signature}, TOPIC.replace("state", "cancel"), KEY)
    assert not is_signed_by({**BODY, "signature": signature}, TOPIC, KEY[:-1] + b"x")
    assert not is_signed_by({**BODY, "signature": "ü" * 64}, TOPIC, KEY)


def test_keys_are_read_by_client(tmp_path: Path) -> None:
    path = key_file(tmp_path, f"# the line's PLC\nplc:{KEY.hex()}\n\nm:es:{'AB' * 32}\n")
    assert read_keys(path) == {"plc": KEY, "m:es": b"\xab" * 32}


@pytest.mark.parametrize(
    ("text", "mode", "named"),
    [
        (f"plc:{KEY.hex()}", 0o640, "read by others"),
        (f"plc:{KEY.hex()}", 0o604, "chmod 600"),
        ("plc:short", 0o600, "line 1: the key of 'plc'"),
        (f"plc:{KEY.hex()[:-1]}", 0o600, "64 hexadecimal digits"),
        (f"a/b:{KEY.hex()}", 0o600, "contains '/'"),
        (KEY.hex(), 0o600, "line 1"),
        (f"plc:{KEY.hex()}\nplc:{KEY.hex()}", 0o600, "line 2: 'plc' has a key already"),
    ],
)
def test_a_file_that_is_no_good_is_named(tmp_path: Path, text: str, mode: int, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        read_keys(key_file(tmp_path, text, mode))


def test_a_new_key_needs_no_restart_and_a_spoilt_file_gives_none(tmp_path: Path) -> None:
    path = key_file(tmp_path, f"plc:{KEY.hex()}")
    keys = KeyFile(path)
    assert (keys.key_of("plc"), keys.key_of("mes")) == (KEY, None)
    other = tmp_path / "new"
    other.write_text(f"mes:{KEY.hex()}")
    other.chmod(0o600)
    other.replace(path)
    assert (keys.key_of("plc"), keys.key_of("mes")) == (None, KEY)
    path.chmod(0o644)
    for _ in range(2):
        with pytest.raises(ConfigError, match="read by others"):
            keys.key_of("mes")
    path.unlink()
    with pytest.raises(ConfigError, match="check the path"):
        keys.key_of("mes")
