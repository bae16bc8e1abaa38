"""Clearances and configs for the tests of lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from edge.settings.io import OutputsConfig
from edge.types import Clearance, ClearanceOutcome, Judgement, Origin, Outcome, Verdict, ViewResult

RELAY, WATCHDOG, RED, AMBER, GREEN, BUZZER = 17, 18, 22, 23, 24, 25
PATIENCE_S = 30.0


def config(path: Path | str = "lines", **changes: Any) -> OutputsConfig:
    """A release relay, a watched one, a stack light and a buzzer on a simulated chip."""
    content: dict[str, Any] = {
        "chip": {"kind": "simulated", "path": str(path)},
        "release": {"relay": {"line": RELAY}, "watched": {"line": WATCHDOG, "signal": "heartbeat", "period_ms": 40}},
        "signals": {
            "red": {"line": RED, "on": ["not_clear", "fault"]},
            "amber": {"line": AMBER, "on": ["busy", "undecided"], "signal": "blink", "period_ms": 100},
            "green": {"line": GREEN, "on": ["released"]},
            "buzzer": {"line": BUZZER, "on": ["not_clear"], "signal": "pulse", "pulse_ms": 50},
        },
        "hold_s": 3600,
        "guard_ms": 2000,
    }
    return OutputsConfig.model_validate({**content, **changes})


def clearance(
    sequence: int = 1,
    outcome: ClearanceOutcome = ClearanceOutcome.CLEAR,
    request_id: str = "",
    *,
    age_s: float = 0.0,
    simulated: bool = False,
    now: datetime | None = None,
) -> Clearance:
    """A result of one view. request_id: by default `r` and its sequence."""
    decided = (now or datetime.now(timezone.utc)) - timedelta(seconds=age_s)
    view = ViewResult("front", Outcome.PASS, None, (verdict(is_simulated=simulated),))
    return Clearance(
        f"clearance-{sequence}", request_id or f"r{sequence}", sequence, outcome, "B1", "aspirin", "anna", (view,), decided,
        decided,
    )  # fmt: skip


def verdict(outcome: Outcome = Outcome.PASS, *, is_simulated: bool = False, clearance_id: str | None = None) -> Verdict:
    """One verdict of the view `front`."""
    origin = replace(Origin("front", 1, 1, None), is_simulated=is_simulated)
    now = datetime.now(timezone.utc)
    return Verdict("v1", Judgement(outcome), origin, now, clearance_id=clearance_id)


def until(condition: Callable[[], object], what: str = "waited in vain") -> None:
    """Look until it is so."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, what
        time.sleep(0.002)
