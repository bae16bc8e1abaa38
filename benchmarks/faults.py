"""Every fault that a station must live through, injected for real: what it does, how soon, and what it costs.

    python -m benchmarks.faults [--only cameras frames ...] [--kills 200] [--json FILE] [--folder DIR]

A whole station each time: `lineclear run` under a stand-in for systemd, simulated camera, ONNX Runtime, a real Mosquitto, an
MES with a session. A leaflet lies in the scene from before the fault until after it: a PASS is a wrong PASS. Prints the table
of docs/reliability.md. Exits 1 if a verdict was lost, a PASS was wrong, or the station did not do what it must within the time.
Some faults need root (a network of its own, small disks, a cgroup) or a C compiler (another time): what is left out is named.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.fault_rig import Failed, LeftOut, Row

GROUPS = ("cameras", "frames", "engine", "broker", "network", "outbox", "archive", "clock", "machine", "config", "kills")
COLUMNS = (
    "fault", "what the station does", "detected s", "recovered s", "triggers", "verdicts", "not recorded, said so", "lost",
    "wrong PASS", "said",
)  # fmt: skip
HEAD = f"| {' | '.join(COLUMNS)} |"


def group(name: str, kills: int) -> Callable[[Path], Iterator[Row]]:
    """What runs the faults of one group in a folder."""
    if name == "kills":
        run = importlib.import_module("benchmarks.fault_kills").killed
        return lambda folder: iter([run(folder, kills)])
    module, function = {
        "engine": ("engine", "engines"),
        "outbox": ("outbox", "outboxes"),
        "archive": ("archive", "archives"),
    }.get(name, (name, name))
    found: Callable[[Path], Iterator[Row]] = getattr(importlib.import_module(f"benchmarks.fault_{module}"), function)
    return found


def line(row: Row) -> str:
    """Of the table."""
    times = [f"{value:.1f}" if value is not None else "-" for value in (row.detect_s, row.recover_s)]
    said = ", ".join(f"{count} {code}" for code, count in sorted(row.codes.items()))
    cells = [row.fault, row.does, *times, row.triggers, row.verdicts, row.not_recorded, row.lost, row.wrong, said]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path, help="where the stations live (default: a temporary folder)")
    args = parser.parse_args()
    rows: list[Row] = []
    problems: list[str] = []
    print(f"load average {os.getloadavg()}, {os.cpu_count()} cores\n\n{HEAD}\n" + "|---" * len(COLUMNS) + "|", flush=True)
    with tempfile.TemporaryDirectory(dir=args.folder) as scratch:
        for name in args.only:
            folder = Path(scratch) / name
            folder.mkdir()
            began_s = time.monotonic()
            try:
                for row in group(name, args.kills)(folder):
                    rows.append(row)
                    print(line(row), flush=True)
            except LeftOut as error:
                print(f"left out: {name}: {error}", flush=True)
            except (Failed, AssertionError) as error:
                problems.append(f"{name}: {error}")
            print(f"{name}: {time.monotonic() - began_s:.0f} s", file=sys.stderr)
    problems += [f"{row.fault}: {row.lost} lost, {row.wrong} wrong" for row in rows if row.lost or row.wrong]
    if args.json:
        args.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    for problem in problems:
        print(f"PROBLEM {problem}")
    print(f"load average {os.getloadavg()}; {len(rows)} faults, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
