"""`lineclear check`: one clearance, its answer as the exit status."""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path

from edge.app import assemble
from edge.clearance import ClearanceRequest, describe
from edge.config import load_config
from edge.publishers.payloads import clearance_body
from edge.types import ClearanceOutcome

EXIT = {ClearanceOutcome.CLEAR: 0, ClearanceOutcome.NOT_CLEAR: 1, ClearanceOutcome.UNDECIDED: 2}


def check(config_path: Path, batch: str, product: str, operator: str, as_json: bool) -> int:
    """Open the station, take one clearance, close it. 0 CLEAR, 1 NOT_CLEAR, 2 UNDECIDED. Raises ConfigError, StationBusy."""
    config = load_config(config_path)
    with assemble(config, product=product) as assembly:
        request = ClearanceRequest(request_id=str(uuid.uuid4()), batch=batch, product=product, operator=operator)
        clearance = assembly.clearances.run(request)
    if as_json:
        json.dump(clearance_body(clearance), sys.stdout)
        sys.stdout.write("\n")
    else:
        sys.stdout.write(describe(clearance))
    return EXIT[clearance.outcome]
