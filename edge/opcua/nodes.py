"""What stands in the address space. The NodeIds are the interface: PLC programs have them in their code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

NAMESPACE = "urn:lineclear:station:1"
"""Its index is 2 in every station, but a client should look it up by this name."""
Kind = Literal["text", "texts", "integer", "number", "flag", "time"]
Quality = Literal["good", "uncertain", "offline", "waiting"]

STATION: Mapping[str, Kind] = {
    "State": "text", "Reason": "text", "Topic": "text", "Software": "text", "ConfigHash": "text", "Product": "text",
}  # fmt: skip
VIEW: Mapping[str, Kind] = {
    "Ready": "flag", "NotReadyReason": "text", "ResultId": "text", "Reason": "text", "ReasonDetail": "text",
    "Score": "number", "Threshold": "number", "Product": "text", "Recipe": "text", "DecidedAt": "time",
    "IsSimulated": "flag", "Outcome": "text",
}  # fmt: skip
CLEARANCE: Mapping[str, Kind] = {
    "Phase": "text", "Ready": "flag", "RunningRequestId": "text", "RequestId": "text", "ResultId": "text", "Batch": "text",
    "Product": "text", "Operator": "text", "Reasons": "texts", "ViewsNotPassed": "texts", "IsSimulated": "flag",
    "DecidedAt": "time", "Outcome": "text", "Sequence": "integer",
}  # fmt: skip
METHOD = "StartClearance"
METHOD_IN = ("Batch", "Product", "Operator", "RequestId")
METHOD_OUT = ("Accepted", "Message", "ResultId")
MAX_TEXT = 2000


@dataclass(frozen=True)
class Variable:
    """One variable: where it hangs, and what it holds."""

    folder: tuple[str, ...]
    name: str
    kind: Kind

    @property
    def path(self) -> str:
        """The text of its NodeId: `ns=2;s=` and this."""
        return ".".join((*self.folder, self.name))


def variables(views: Sequence[str]) -> list[Variable]:
    """Every variable of a station with these views."""
    found = [Variable(("Station",), name, kind) for name, kind in STATION.items()]
    found += [Variable(("Clearance",), name, kind) for name, kind in CLEARANCE.items()]
    return found + [Variable(("Views", view), name, kind) for view in views for name, kind in VIEW.items()]


def tidy(text: str, limit: int = MAX_TEXT) -> str:
    """The text as it can be sent: no half characters, not longer than the limit."""
    return text[:limit].encode("utf-8", "replace").decode("utf-8")
