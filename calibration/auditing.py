"""From a change of a recipe to an entry of the station's audit log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from calibration.trace import Trace
from edge.audit import Action, AuditLog
from edge.config import StationConfig, load_config

_ACTIONS: Final = {
    "thresholds": Action.THRESHOLD,
    "challenge": Action.CHALLENGE,
    "masks": Action.MASK,
    "reference": Action.REFERENCE,
}


def trace_of(config: StationConfig | None) -> Trace | None:
    """Writes into the log of the station that the config names; None without a config.

    A recipe that is changed without one still carries who, when and why in itself, and the station records at its next
    start that another version came into force.
    """
    if config is None:
        return None
    log = AuditLog(config.audit.folder(Path(config.state_dir)), config.audit)

    def record(action: str, subject: str, who: str, why: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        detail = after if action in _ACTIONS else {"change": action, **after}
        log.append(_ACTIONS.get(action, Action.RECIPE), who=who, subject=subject, why=why, before=before, after=detail)

    return record


def trace_at(config: Path | None) -> Trace | None:
    """As `trace_of`, of the config in a file; None without one. ConfigError: the file is no config."""
    return trace_of(load_config(config) if config else None)
