"""The page's own description of its routes, as requests that schemathesis makes of it."""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from tests.web.security.house import HOME, House

LEFT_OUT: Final = ("/events",)
"""It never ends; it has tests of its own."""
SLOW_S: Final = 10.0
LEAK: Final = re.compile(r"Traceback|site-packages|sqlite3\.|File \"/|root:x:0")


@dataclass
class Tally:
    """What came of it. findings: a line for each answer that there must not be."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: str = ""


def operations(house: House) -> list[Any]:
    """Every route that is described, but for those that are left out."""
    schema = schemathesis.openapi.from_dict(house.app.openapi())
    found = [result.ok() for result in schema.get_all_operations()]
    return [one for one in found if one.path not in LEFT_OUT]


def who_may(path: str) -> str:
    """Somebody whom the route lets in."""
    return "technician" if path.endswith("/release") else "admin"


def fuzz(house: House, operation: Any, tally: Tally, *, examples: int, number: int, mode: GenerationMode, who: str) -> None:
    """Send so many requests to one route, as somebody who is signed in."""
    client = house.client(who)

    @seed(number)
    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        wire = case.as_transport_kwargs(base_url=HOME)
        started = time.monotonic()
        answer = client.request(
            wire["method"], wire["url"], params=wire.get("params"), headers=_sendable(wire.get("headers")),
            **_body(wire),
        )  # fmt: skip
        _note(tally, f"{case.method} {case.operation.path}", answer, time.monotonic() - started)

    with contextlib.suppress(Unsatisfiable):  # nothing can be wrong with a route that takes nothing
        send()


def _body(wire: dict[str, Any]) -> dict[str, Any]:
    """The body in httpx's words."""
    found = {key: wire[key] for key in ("json", "data", "files") if wire.get(key) is not None}
    if isinstance(found.get("data"), (bytes, str)):
        found["content"] = found.pop("data")
    return found


def _sendable(headers: Any) -> dict[str, str]:
    """Those that a browser could send: what names the host or the session stays ours."""
    kept = {}
    for name, value in dict(headers or {}).items():
        if name.lower() not in {"host", "cookie", "origin", "x-csrf-token", "content-length", "user-agent", "accept-encoding"}:
            kept[name] = value if isinstance(value, str) else value.decode("latin-1")
    return kept


def _note(tally: Tally, what: str, answer: Any, took_s: float) -> None:
    tally.requests[what] += 1
    tally.statuses[answer.status_code] += 1
    if took_s > tally.slowest_s:
        tally.slowest_s, tally.slowest = took_s, what
    problem = ""
    if answer.status_code >= 500 and answer.status_code not in {503, 507}:
        problem = f"{answer.status_code} {answer.text[:200]}"
    elif took_s > SLOW_S:
        problem = f"took {took_s:.1f} s"
    elif "content-security-policy" not in answer.headers:
        problem = "has no content security policy"
    elif "text" in answer.headers.get("content-type", "") and (found := LEAK.search(answer.text)):
        problem = f"tells {found.group(0)!r}"
    if problem:
        tally.findings.append(f"{what}: {problem} ({answer.request.url})"[:600])
