"""Signed commands at the desk: what must be signed, and what a wrong signature is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge.settings.commands import CommandSettings
from tests.commands.parts import message, settings, signed
from tests.commands.test_desk import KEY, NOW, Counter, says, serving


def keyed(tmp_path: Path, **changes: Any) -> CommandSettings:
    path = tmp_path / "keys"
    path.write_text(f"plc:{KEY.hex()}\n")
    path.chmod(0o600)
    return settings(**{"keys_file": str(path), "signatures": "acting", **changes})


def test_what_acts_must_be_signed_where_the_broker_is_shared(tmp_path: Path) -> None:
    counter = Counter()
    both = {"plc": ("operator",), "mes": ("operator",)}
    with serving(config=keyed(tmp_path, rights=both), cancel=counter(), state=counter()) as asker:

        def code_of(name: str, body: dict[str, Any]) -> str:
            asker.send(name, body)
            error = asker.wait(body["request_id"], client=body["client"])["error"]
            return error["code"] if error else "ok"

        order = {"now": NOW, "cancels": "x", "who": "Kim"}
        assert code_of("state", says()) == "ok"
        assert code_of("cancel", message("cancel", **order)) == "unsigned"
        assert code_of("cancel", signed("cancel", message("cancel", **order), b"k" * 32)) == "bad_signature"
        assert code_of("cancel", signed("cancel", message("cancel", **order, client="mes"), KEY)) == "bad_signature"
        assert code_of("cancel", signed("recipe", message("cancel", **order), KEY)) == "bad_signature"
        body = message("cancel", **order)
        assert code_of("cancel", signed("cancel", body, KEY, root="lineclear/x")) == "bad_signature"
        good = signed("cancel", message("cancel", **order), KEY)
        assert code_of("cancel", good) == "ok"
        (tmp_path / "keys").chmod(0o644)
        assert code_of("cancel", signed("cancel", message("cancel", **order), KEY)) == "bad_signature"
    assert counter.done[1:] == [good["request_id"]]


def test_everything_must_be_signed_if_so_configured(tmp_path: Path) -> None:
    with serving(config=keyed(tmp_path, signatures="always"), state=Counter()()) as asker:
        body = says()
        asker.send("state", body)
        assert asker.wait(body["request_id"])["error"]["code"] == "unsigned"
        body = signed("state", says(), KEY)
        asker.send("state", body)
        assert asker.wait(body["request_id"])["status"] == "ok"
