"""Half an hour of schemathesis over every route of the page: `python -m benchmarks.page_fuzz [--minutes 30] [--json FILE]`.

The application in this process, at a station that cleared two batches; who may do all of it is signed in. Requests as the
page's own OpenAPI description allows them, and as it forbids them, turn by turn, from another seed each time. Printed is how
many requests there were, and each answer that there must not be: 5xx, more than 10 s, no policy for the browser, a traceback.
Ends with 1 if there was one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import psutil
from schemathesis import GenerationMode

from tests.web.security.fuzzing import Tally, fuzz, operations, who_may
from tests.web.security.house import House, house

EXAMPLES = 8
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    tally, process = Tally(), psutil.Process()
    with tempfile.TemporaryDirectory() as folder, house(Path(folder) / "station") as built:
        process_mb = [process.memory_info().rss / 1e6]
        rounds = run(built, tally, time.monotonic() + 60 * args.minutes, process_mb)
    print(report(tally, rounds, process_mb))
    if args.json is not None:
        kept = {"requests": dict(tally.requests), "statuses": dict(tally.statuses), "findings": tally.findings}
        args.json.write_text(json.dumps({**kept, "rounds": rounds, "rss_mb": process_mb}, indent=1) + "\n")
    return 1 if tally.findings else 0


def run(built: House, tally: Tally, deadline: float, process_mb: list[float]) -> int:
    """Round after round over all routes until the deadline; how many."""
    rounds = 0
    while True:
        for operation in operations(built):
            if time.monotonic() > deadline:
                return rounds
            fuzz(
                built, operation, tally,
                examples=EXAMPLES, number=rounds, mode=MODES[rounds % len(MODES)], who=who_may(operation.path),
            )  # fmt: skip
        rounds += 1
        process_mb.append(psutil.Process().memory_info().rss / 1e6)
        sys.stderr.write(f"round {rounds}: {tally.requests.total()} requests, {len(tally.findings)} findings\n")


def report(tally: Tally, rounds: int, process_mb: list[float]) -> str:
    """As it stands in docs/security.md."""
    statuses = ", ".join(f"{count} times {status}" for status, count in sorted(tally.statuses.items()))
    fewest = min(tally.requests.values(), default=0)
    lines = [
        f"{tally.requests.total()} requests to {len(tally.requests)} routes in {rounds} rounds, {fewest} or more to each.",
        f"Answers: {statuses}.",
        f"Slowest: {tally.slowest_s:.1f} s ({tally.slowest}). Memory of the process: {process_mb[0]:.0f} MB before, "
        f"{process_mb[len(process_mb) // 2]:.0f} MB half-way, {process_mb[-1]:.0f} MB at the end.",
        f"Findings: {len(tally.findings)}.",
    ]
    return "\n".join([*lines, *sorted(set(tally.findings))])


if __name__ == "__main__":
    sys.exit(main())
