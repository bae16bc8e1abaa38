"""What the technician's page costs the station, and how fast it is seen.

    python -m benchmarks.page [--only station paint] [--rounds 8] [--seconds 12] [--json FILE]

station: one station judges three views for the whole time, each several times a second. In each round the page's process is,
in an order drawn anew: not there, idle, with five pages open, stopped (SIGSTOP) while five pages wait, killed and starting
again, and burning every core. Printed is, for each of them, its verdicts a second and its latency (frame to durable verdict) as
a ratio to the same round without a page: the median over the rounds and a 95 % interval (bootstrap over rounds).

paint: every page in a fresh browser, its CPU slowed down six times: first contentful paint (median and worst of the runs), and
what was sent beside images.

Needs Mosquitto; paint also Chromium and playwright.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.page_paint import painted
from benchmarks.page_station import compared

PARTS = {"station": compared, "paint": painted}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=tuple(PARTS))
    parser.add_argument("--rounds", type=int, default=8, help="of station, and runs of each page of paint (default 8)")
    parser.add_argument("--seconds", type=float, default=12.0, help="each state of the page in each round (default 12)")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in args.only:
            (Path(folder) / name).mkdir()
            figures[name] = PARTS[name](Path(folder) / name, args.rounds, args.seconds)
    if args.json is not None:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
