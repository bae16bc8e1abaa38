"""`lineclear challenge`: every view's known good and known bad frames, on the station's own path."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path

from edge.app import assemble
from edge.clearance import Challenged, ClearanceBusy, describe_challenge
from edge.cli.terminal import complain, say, say_json
from edge.config import load_config
from edge.errors import StationBusy
from edge.publishers.payloads import challenge_body


def challenge(config_path: Path, product: str | None, operator: str, as_json: bool) -> int:
    """Open the station, challenge every view, close it. 0: all as expected, 1: not. Raises ConfigError, StationBusy."""
    config = load_config(config_path)
    with assemble(config, product=product, alone=True) as assembly:
        found = assembly.clearances.challenge(f"challenge-{uuid.uuid4()}", operator)
    if isinstance(found, ClearanceBusy):
        raise StationBusy(f"{found.request_id} is at work", remedy="wait until it is answered")
    if as_json:
        say_json(report_body(found))
    else:
        say(describe_challenge(found))
    failed = [view for view, known in found.items() if known.reason is not None]
    if failed:
        complain("lineclear", f"challenge: not as expected: {', '.join(failed)}")
    return 1 if failed else 0


def report_body(found: Mapping[str, Challenged]) -> dict[str, object]:
    """A challenge of the station as JSON-ready data."""
    views = [
        {
            "view": view,
            "passed": known.reason is None,
            "reason": {"code": known.reason.code.value, "detail": known.reason.detail} if known.reason is not None else None,
            "challenge": challenge_body(known.result) if known.result is not None else None,
        }
        for view, known in found.items()
    ]
    return {"passed": all(known.reason is None for known in found.values()), "views": views}
