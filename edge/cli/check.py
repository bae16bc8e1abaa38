"""`lineclear check`: one clearance, its answer as the exit status."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from pathlib import Path

from edge.app import assemble
from edge.clearance import ClearanceOrder, describe, read_order
from edge.cli.terminal import complain, say, say_json
from edge.config import load_config
from edge.errors import ConfigError
from edge.publishers.payloads import clearance_body
from edge.settings.clearance import ClearanceConfig
from edge.types import Clearance, ClearanceOutcome, Outcome

_WHERE = "lineclear check"
EXIT = {
    ClearanceOutcome.CLEAR: 0,
    ClearanceOutcome.NOT_CLEAR: 1,
    ClearanceOutcome.UNDECIDED: 2,
    ClearanceOutcome.RELEASED_BY: 2,
}


def check(config_path: Path, batch: str, product: str, operator: str, as_json: bool) -> int:
    """Open the station, take one clearance, close it. 0 CLEAR, 1 NOT_CLEAR, 2 UNDECIDED. Raises ConfigError, StationBusy."""
    said = {"request_id": f"check-{uuid.uuid4()}", "batch": batch, "product": product, "operator": operator}
    _order(said, ClearanceConfig())  # before the config is read, so that a wrong argument is the first thing said
    config = load_config(config_path)
    request = _order(said, config.clearance).request()
    with assemble(config, product=product, alone=True) as assembly:
        clearance = assembly.clearances.run(request)
    if as_json:
        say_json(clearance_body(clearance))
    else:
        say(describe(clearance))
    if clearance.outcome is not ClearanceOutcome.CLEAR:
        complain("lineclear", f"{clearance.outcome.value}: {_why(clearance)}")
    return EXIT[clearance.outcome]


def _order(said: dict[str, str], config: ClearanceConfig) -> ClearanceOrder:
    """The order that the arguments make; ConfigError with a line for every option that is wrong."""
    try:
        return read_order(said, _WHERE, config, datetime.now(timezone.utc))
    except ConfigError as error:
        problems = tuple(f"--{problem.removeprefix(_WHERE).removeprefix(': ')}" for problem in error.problems)
        raise ConfigError("cannot be recorded", problems=problems) from None


def _why(clearance: Clearance) -> str:
    station = [reason.code.value for reason in clearance.reasons]
    views = [f"{view.view} {view.outcome.value}" for view in clearance.views if view.outcome is not Outcome.PASS]
    return ", ".join(station + views)
