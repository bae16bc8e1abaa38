"""Commands as an attacker, a broken program or a cosmic ray writes them; from a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from edge.commands.orders import COMMANDS
from edge.publishers.base import Incoming
from tests.commands.parts import ROOT, message, utc_now

_TEXTS = ("", "a/b", "a\nb", "\u0000", "x" * 5000, "../../etc", "+", "#", "$SYS", "né", "\u2028", "front", "plc", " ")
_VALUES: tuple[Any, ...] = (None, True, -1, 0, 1e308, -1e-308, 2**70, [], {}, [[]], {"a": {"b": []}}, *_TEXTS)
_BYTES = (b"", b"{", b"[]", b"null", b"\xff" * 50, b"[" * 20_000, b'{"a":NaN}', b" " * 300_000, b'{"a":1,"a":2}')
FIELDS: dict[str, dict[str, Any]] = {
    "clearance": {"batch": "B", "product": "aspirin"},
    "cancel": {"cancels": "x", "who": "Kim"},
    "challenge": {"who": "Kim"},
    "review": {"result_id": "x", "views": ["front"], "action": "removed", "who": "Kim", "why": "w"},
    "recipe": {"product": "zinc", "who": "Kim", "why": "w"},
    "threshold": {"view": "front", "image_threshold": 1e9, "who": "Kim", "why": "w"},
    "mask": {"view": "front", "mask": "none", "enabled": True, "who": "Kim", "why": "w"},
    "camera": {"view": "front", "settings": {"exposure_us": 1e9}, "who": "Kim", "why": "w"},
    "reload": {"who": "Kim", "why": "w"},
    "snapshot": {"view": "none"},
    "state": {},
    "archive": {},
}


def fuzzed(seed: int, count: int) -> Iterator[Incoming]:
    """Messages: whole ones that are refused by their contents, and mutations of them, field by field and byte by byte."""
    draw = random.Random(seed)
    names = (*COMMANDS, "format-disk", "", "x" * 300)
    for _ in range(count):
        name = draw.choice(names)
        body = message(name, now=utc_now() + timedelta(seconds=draw.choice((0, 0, 0, -1, 60, -3600))))
        body |= FIELDS.get(name, {})
        body["client"] = draw.choice(("plc", "plc", "nobody", "a/b", ""))
        for _ in range(draw.choice((0, 1, 1, 2))):
            key = draw.choice((*body, "more"))
            if draw.random() < 0.3:
                body.pop(key, None)
            else:
                body[key] = draw.choice(_VALUES)
        payload = json.dumps(body).encode()
        kind = draw.random()
        if kind < 0.15:
            payload = draw.choice(_BYTES)
        elif kind < 0.4:
            spoilt = bytearray(payload)
            for _ in range(draw.randint(1, 8)):
                spoilt[draw.randrange(len(spoilt))] = draw.randrange(256)
            payload = bytes(spoilt[: draw.choice((len(spoilt), draw.randrange(len(spoilt))))])
        response = draw.choice(("", "", f"{ROOT}/reply/plc", "elsewhere", f"{ROOT}/reply/#", f"{ROOT}/cmd/recipe"))
        yield Incoming(f"cmd/{name}", payload, draw.random() < 0.05, response, draw.choice((b"", b"mark")))
