"""What a state, a verdict or a clearance puts into the variables. Pure. The last value of a group is the one to wait for."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from edge.opcua.nodes import Quality, tidy
from edge.types import Clearance, ClearanceOutcome, Outcome, Verdict

Item = tuple[str, Any, Quality, "str | None"]
"""(path, value, quality, time as ISO text): as it goes to the server's process."""
Group = list[Item]
MAX_LIST = 70


def station_group(status: str, reason: str, topic: str, **more: str) -> Group:
    """The station as a whole. more: other variables of the station by name."""
    values = {"Topic": topic, **more, "Reason": reason, "State": status}
    return [(f"Station.{name}", tidy(value), "good", None) for name, value in values.items()]


def view_group(view: str, why_not: str) -> Group:
    """Whether a view can judge."""
    base = f"Views.{view}"
    return [(f"{base}.NotReadyReason", tidy(why_not), "good", None), (f"{base}.Ready", not why_not, "good", None)]


def verdict_group(verdict: Verdict) -> Group:
    """UNDECIDED is uncertain: a client that looks at the quality alone is not misled. A number that is absent is, too."""
    base, at = f"Views.{verdict.view}", _time(verdict.decided_at)
    quality: Quality = "uncertain" if verdict.outcome is Outcome.UNDECIDED else "good"
    judgement, origin, reason = verdict.judgement, verdict.origin, verdict.reason
    texts = {
        "ResultId": verdict.result_id,
        "Reason": reason.code.value if reason is not None else "",
        "ReasonDetail": reason.detail if reason is not None else "",
        "Product": origin.product,
        "Recipe": origin.recipe,
    }
    group: Group = [(f"{base}.{name}", tidy(text), quality, at) for name, text in texts.items()]
    group += [_number(f"{base}.Score", judgement.score, quality, at)]
    group += [_number(f"{base}.Threshold", judgement.threshold, quality, at)]
    group += [(f"{base}.IsSimulated", origin.is_simulated, quality, at), (f"{base}.DecidedAt", at, quality, at)]
    return [*group, (f"{base}.Outcome", verdict.outcome.value, quality, at)]


def phase_group(phase: str, request_id: str) -> Group:
    """What the clearances are at."""
    return [
        ("Clearance.RunningRequestId", tidy(request_id), "good", None),
        ("Clearance.Ready", phase == "ready", "good", None),
        ("Clearance.Phase", phase, "good", None),
    ]


def clearance_group(clearance: Clearance) -> Group:
    """The sequence comes last: whoever sees a new one finds the rest in place."""
    at = _time(clearance.decided_at)
    quality: Quality = "uncertain" if clearance.outcome is ClearanceOutcome.UNDECIDED else "good"
    reasons = [f"{reason.code.value}: {reason.detail}" for reason in clearance.reasons]
    views = [f"{view.view}: {_said(view.outcome, view.reason)}" for view in clearance.views if view.outcome is not Outcome.PASS]
    values: dict[str, Any] = {
        "RequestId": tidy(clearance.request_id),
        "ResultId": tidy(clearance.result_id),
        "Batch": tidy(clearance.batch),
        "Product": tidy(clearance.product),
        "Operator": tidy(clearance.operator),
        "Reasons": [tidy(text, 500) for text in reasons[:MAX_LIST]],
        "ViewsNotPassed": [tidy(text, 500) for text in views[:MAX_LIST]],
        "IsSimulated": clearance.is_simulated,
        "DecidedAt": at,
        "Outcome": clearance.outcome.value,
        "Sequence": clearance.sequence,
    }
    return [(f"Clearance.{name}", value, quality, at) for name, value in values.items()]


def _said(outcome: Outcome, reason: Any) -> str:
    return f"{outcome.value} ({reason.code.value})" if reason is not None else outcome.value


def _number(path: str, value: float | None, quality: Quality, at: str) -> Item:
    return (path, value, quality, at) if value is not None and math.isfinite(value) else (path, 0.0, "uncertain", at)


def _time(moment: datetime) -> str:
    return moment.isoformat()
