"""A station under ten times its rate: what it judges, what it drops, and how long what it judges has waited.

    python -m benchmarks.load [--seconds 20] [--times 0.5 1 10] [--json FILE]

A whole station (assemble(), cameras in their processes, every frame a trigger, outbox on disk, no broker) whose engine takes
a fixed time for a frame. Its own rate is what it judges per second when far more comes than it can do; then the cameras send
that rate times each factor. Latency runs from the end of the exposure to the durable verdict. Exits 1 if a trigger has not
exactly one verdict, if something else than `overrun` was said for what was dropped, or if at ten times the rate the p99 of
what is judged exceeds three times its p99 at half the rate.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from edge.app import assemble
from edge.config import StationConfig
from edge.publishers.base import Record, RecordKind
from edge.publishers.memory import MemoryPublisher
from edge.schema import validate

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
ENGINE_S = 0.05
BOUND = 3.0
IN_HAND = 4


@dataclass(frozen=True)
class Row:
    """One rate. asked_hz: triggers per second; judged_hz: of them judged; codes: every verdict by outcome or reason."""

    times: float
    asked_hz: float
    judged_hz: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    codes: dict[str, int]
    is_whole: bool


def config(folder: Path, rate_hz: float) -> StationConfig:
    """A simulated camera before its example recipe; the engine needs ENGINE_S for a frame."""
    view = yaml.safe_load((CONFIGS / "simulated.yaml").read_text())["views"]["feeder"]
    camera = {**view["camera"], "rate_hz": rate_hz, "policy": "every"}
    trigger = {"kind": "hardware", "queue_frames": 2}
    recipe = str(CONFIGS / "recipes" / "feeder")
    data: dict[str, Any] = {
        "station": {"site": "s", "area": "a", "line": "l", "station": "load"},
        "state_dir": str(folder),
        "publisher": {"kind": "memory", "keep": 1_000_000},
        "engine": {"kind": "simulated", "faults": [{"kind": "slow", "every": 1, "duration_s": ENGINE_S}]},
        "views": {"feeder": {"recipe": recipe, "camera": camera, "trigger": trigger}},
        "pictures": {"publish": "none"},
        "archive": {"enabled": False},
    }
    return validate(StationConfig, data, "load")


def measured(rate_hz: float, seconds: float, times: float) -> Row:
    """Run it, and look at every verdict between the first second and the end."""
    with tempfile.TemporaryDirectory() as folder, assemble(config(Path(folder), rate_hz)) as assembly:
        publisher = assembly.publisher
        assert isinstance(publisher, MemoryPublisher)
        while not _results(publisher):
            time.sleep(0.05)
        time.sleep(1.0)
        first = len(_results(publisher))
        threading.Event().wait(seconds)
        found = [record.body for record in _results(publisher)[first:]]
        everything = [record.body for record in _results(publisher)]
    judged = [stages for body in found if "infer" in (stages := body["processingTimes"]["stageMs"])]
    waits = [sum(value for name, value in stages.items() if name != "grab") for stages in judged] or [0.0]
    p50, p99 = (float(value) for value in np.percentile(waits, (50, 99)))
    codes = Counter((body["reason"] or {"code": body["outcome"]})["code"] for body in found)
    numbers = sorted(body["triggerNumber"] for body in everything)
    # Those that the judge or a thread has in hand when we look have no verdict yet.
    whole = len(set(numbers)) == len(numbers) and numbers[-1] - len(numbers) <= IN_HAND
    return Row(times, len(found) / seconds, len(judged) / seconds, p50, p99, max(waits), dict(codes), whole)


def _results(publisher: MemoryPublisher) -> list[Record]:
    return [record for record in publisher.records if record.kind is RecordKind.VERDICT]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--times", type=float, nargs="+", default=(0.5, 1.0, 10.0))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    own = measured(200, min(args.seconds, 8.0), 0.0)
    print(f"engine {1000 * ENGINE_S:g} ms a frame: the station judges {own.judged_hz:.1f} frames a second")
    print(f"{'times':>6s}{'asked/s':>9s}{'judged/s':>10s}{'p50 ms':>8s}{'p99 ms':>8s}{'max ms':>8s}  verdicts")
    rows = []
    for times in args.times:
        row = measured(times * own.judged_hz, args.seconds, times)
        rows.append(row)
        said = ", ".join(f"{count} {code}" for code, count in sorted(row.codes.items()))
        print(f"{times:6g}{row.asked_hz:9.1f}{row.judged_hz:10.1f}{row.p50_ms:8.1f}{row.p99_ms:8.1f}{row.max_ms:8.1f}  {said}")
    if args.json:
        args.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    calm, loaded = rows[0], rows[-1]
    dropped = {code for row in rows for code in row.codes} - {"PASS", "FAIL", "card_stale", "not_registered", "overrun"}
    good = all(row.is_whole for row in rows) and not dropped and loaded.p99_ms <= BOUND * calm.p99_ms
    whole = all(row.is_whole for row in rows)
    print(f"every trigger one verdict: {whole}")
    print(
        f"p99 {loaded.p99_ms:.0f} ms at {loaded.times:g} times the rate, {calm.p99_ms:.0f} ms at {calm.times:g} times: {good}"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
