"""Who changes a recipe and why, and the trace of it in the station's audit log."""

from __future__ import annotations

from calibration.auditing import trace_of
from calibration.trace import Signature, Trace
from calibration.web.pages.calibrate_doors import Refused, Visit
from edge.schema import validate


def signature_of(visit: Visit, why: str) -> Signature:
    """Refused: no reason is given."""
    if not why.strip():
        raise Refused("calibrate.why_needed", 422)
    return validate(Signature, {"who": visit.user.person, "why": why}, "reason")


def audited(visit: Visit) -> Trace | None:
    """Writes into the audit log before anything is changed."""
    return trace_of(visit.site.config)
