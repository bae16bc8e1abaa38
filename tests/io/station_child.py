"""A station of nothing but outputs, in a process that a test kills and stops: `python -m tests.io.station_child FILE GUARD_MS`.

A line of standard input is a command, each answered with the state in one line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from edge.errors import EngineFault
from edge.io.outputs import Outputs
from edge.types import ClearanceOutcome, Outcome
from tests.io.building import clearance, config, verdict


class Wellness:
    """What the station says of itself; `fails` raises."""

    def __init__(self) -> None:
        self.why = ""

    def __call__(self) -> str:
        if self.why == "raise":
            raise EngineFault("the engine failed")
        return self.why


def obey(outputs: Outputs, well: Wellness, words: list[str]) -> None:
    match words:
        case ["start", request]:
            outputs.clearance_started(request)
        case ["done", sequence, outcome, request, age_s]:
            outputs.clearance_done(clearance(int(sequence), ClearanceOutcome(outcome), request, age_s=float(age_s)))
        case ["drop"]:
            outputs.drop("changeover")
        case ["verdict", outcome]:
            outputs.verdict(verdict(Outcome(outcome)))
        case ["well"]:
            well.why = ""
        case ["ill", why]:
            well.why = why
        case ["crash"]:
            raise RuntimeError("a fault that nobody foresaw")
        case ["exit"]:
            sys.exit(0)
        case ["vanish"]:
            os._exit(3)
        case _:
            pass


def main() -> None:
    well = Wellness()
    with Outputs(config(Path(sys.argv[1]), guard_ms=int(sys.argv[2])), well) as outputs:
        for line in sys.stdin:
            obey(outputs, well, line.split())
            state = outputs.state
            said = {"permitted": state.permitted, "why": state.why_closed, "guard": state.guard.pid, "ill": state.guard.why}
            sys.stdout.write(json.dumps({**said, "released": state.guard.released, "restarts": state.guard.restarts}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
