"""Where the time goes, from the grab of a frame to the broker's acknowledgement of its verdict, per stage.

    python -m benchmarks.stages [--quick] [--sizes 640x480 ...] [--views 1 3] [--overlays off on] [--json FILE]

A whole station (assemble(), cameras in their processes, variation bundle, outbox on disk, real Mosquitto, MQTT 5) is driven
back to back: all views are triggered at once, and again as soon as every verdict is acknowledged. Exits 1 if a target of
one view without overlays is missed. docs/results.md says what each stage is.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.station import Broker, Missing, make_config, make_view, write_json
from benchmarks.traces import PATIENCE_S, STAGES, Tap, splits
from edge.app import Assembly, assemble
from edge.clearance import ClearanceRequest

SIZES = ("640x480", "1130x460", "3072x2048")
WARM_UP = 5
REST_MS, HANDOFF_SMALL_MS, HANDOFF_LARGE_MS, CLEARANCE_S = 15.0, 1.0, 6.0, 3.0


def drive(assembly: Assembly, tap: Tap, rounds: int) -> None:
    """All views at once, again and again, each round once the last is acknowledged."""
    views = list(assembly.station.views)
    for number in range(1, rounds + 1):
        futures = [future for view in views for future in assembly.station.ask(view, 1, PATIENCE_S, None)]
        for future in futures:
            verdict = future.result(PATIENCE_S)
            if "infer" not in verdict.stage_ms:
                raise RuntimeError(f"{verdict.view}: a frame was not judged: {verdict.reason}")
        tap.wait_for(number * len(views))


def percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    p50, p95, p99 = (float(value) for value in np.percentile(values, (50, 95, 99)))
    return p50, p95, p99


@dataclass(frozen=True)
class Floor:
    """What this machine can do at best, measured in the same run: a copy of one frame, a 4 kB append made durable."""

    copy_ms: float
    sync_ms: float


def floor_of(folder: Path, size_wh: tuple[int, int]) -> Floor:
    frame = np.random.default_rng(0).integers(0, 255, (size_wh[1], size_wh[0], 3), np.uint8)
    target = np.empty_like(frame)
    copies, syncs = [], []
    with (folder / "floor").open("wb") as file:
        for _ in range(50):
            started = time.perf_counter()
            np.copyto(target, frame)
            copied = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            copies.append(1e3 * (copied - started))
            syncs.append(1e3 * (time.perf_counter() - copied))
    return Floor(float(np.median(copies)), float(np.median(syncs)))


def report(title: str, found: list[dict[str, float]], floor: Floor, size_wh: tuple[int, int]) -> tuple[dict[str, Any], bool]:
    """Print one table; the figures, and whether its targets are met."""
    print(f"\n{title}: {len(found)} verdicts\n{'stage':32s}{'p50 ms':>9s}{'p95':>9s}{'p99':>9s}")
    rows = {stage: [frame[stage] for frame in found] for stage in STAGES}
    rows["grab to PUBACK"] = [sum(frame.values()) for frame in found]
    rows["not engine"] = [sum(frame.values()) - frame["infer"] for frame in found]
    rows["not engine, not registration"] = [
        sum(frame.values()) - sum(frame[stage] for stage in ("infer", "align", "warp", "behind")) for frame in found
    ]
    rows["share not engine, %"] = [100 * (1 - frame["infer"] / sum(frame.values())) for frame in found]
    large = size_wh[0] * size_wh[1] > 1_000_000
    limits = {"hand-off": HANDOFF_LARGE_MS if large else HANDOFF_SMALL_MS, "not engine, not registration": REST_MS}
    best = {"hand-off": f"one copy {floor.copy_ms:.2f}", "record": f"one fdatasync {floor.sync_ms:.2f}"}
    met = True
    for name, values in rows.items():
        p50, p95, p99 = percentiles(values)
        note = ""
        if name in limits:
            met = met and p50 <= limits[name]
            note = f"  target p50 <= {limits[name]:g}: {'met' if p50 <= limits[name] else 'MISSED'}"
        note += f"  ({best[name]})" if name in best else ""
        print(f"{name:32s}{p50:9.2f}{p95:9.2f}{p99:9.2f}{note}")
    return {name: dict(zip(("p50", "p95", "p99"), percentiles(values), strict=True)) for name, values in rows.items()}, met


def stages_of(
    folder: Path, port: int, views: dict[str, Any], overlays: bool, rounds: int
) -> tuple[list[dict[str, float]], str]:
    """One station, driven; every frame's stages, and how many verdicts had which outcome."""
    folder.mkdir()
    config = make_config(folder, port, views, pictures={"publish": "all" if overlays else "none"})
    with Tap().listening() as warm, assemble(config) as assembly:
        drive(assembly, warm, WARM_UP)
        with Tap().listening() as tap:
            drive(assembly, tap, rounds)
            found = splits(tap)
    outcomes = [trace.outcome for trace in tap.traces.values()]
    return found, ", ".join(f"{outcomes.count(name)} {name}" for name in sorted(set(outcomes)))


def clearance_of(folder: Path, port: int, views: dict[str, Any], repeats: int, frames: int = 3) -> dict[str, Any]:
    """Clearances one after another: request to result, and what the judge did meanwhile."""
    folder.mkdir()
    vote = {"frames": frames, "pass_votes": frames // 2 + 1, "fail_votes": frames // 2 + 1}
    config = make_config(folder, port, views, clearance={"vote": vote, "timeout_s": 60}, pictures={"publish": "not_pass"})
    walls: list[float] = []
    parts: list[dict[str, float]] = []
    with assemble(config) as assembly:
        for number in range(repeats + 1):
            with Tap().listening() as tap:
                started_ns = time.monotonic_ns()
                clearance = assembly.clearances.run(ClearanceRequest(str(number), "B1", ""))
                wall = (time.monotonic_ns() - started_ns) / 1e6
                tap.wait_for(len(views) * frames)
            if number:  # the first one starts the cameras
                walls.append(wall)
                parts.append(_parts(tap, started_ns, wall))
    p50, p95, _ = percentiles(walls)
    print(f"\none clearance, {len(views)} views x {frames} frames, {repeats} times: last was {clearance.outcome.value}")
    good = p50 <= 1000 * CLEARANCE_S
    print(f"{'request to result':32s}{p50:9.1f}{p95:9.1f}  (p50, p95 ms)  target of a later issue < {CLEARANCE_S:g} s: "
          f"{'met' if good else 'not met'}")  # fmt: skip
    medians = {name: float(np.median([part[name] for part in parts])) for name in parts[0]}
    for name, value in medians.items():
        print(f"  {name:30s}{value:9.1f}  {100 * value / p50:5.1f} %")
    return {"p50": p50, "p95": p95, "parts": medians}


def _parts(tap: Tap, started_ns: int, wall: float) -> dict[str, float]:
    traces = list(tap.traces.values())
    found = splits(tap)
    first = (min(trace.judge_from_ns for trace in traces) - started_ns) / 1e6
    work = {stage: sum(frame[stage] for frame in found) for stage in STAGES[3:-1]}
    return {"until the judge has a frame": first, **work, "judge waits for frames": wall - first - sum(work.values())}


def main() -> int:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--quick", action="store_true", help="a small run of two minutes")
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="WxH", help=f"frame sizes (default {' '.join(SIZES)})")
    parser.add_argument("--views", nargs="+", type=int, default=(1, 3), metavar="N", help="numbers of views (default 1 3)")
    parser.add_argument("--overlays", nargs="+", choices=("off", "on"), default=("off", "on"))
    parser.add_argument("--rounds", type=int, help="frames per view and table (default 200, quick 30)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    args = parser.parse_args()
    rounds = args.rounds or (30 if args.quick else 200)
    figures: dict[str, Any] = {}
    missed: list[str] = []
    try:
        with tempfile.TemporaryDirectory() as scratch, Broker(Path(scratch)) as broker:
            for size in args.sizes:
                figures[size] = _measure(Path(scratch) / size, broker.port, size, args, rounds, missed)
    except Missing as error:
        print(error, file=sys.stderr)
        return 3
    write_json(args.json, figures)
    print(f"\n{'every target met' if not missed else 'missed: ' + '; '.join(missed)}")
    return 1 if missed else 0


def _measure(folder: Path, port: int, size: str, args: argparse.Namespace, rounds: int, missed: list[str]) -> dict[str, Any]:
    """All tables of one frame size."""
    width, height = (int(side) for side in size.split("x"))
    folder.mkdir()
    wanted = max((*args.views, *([] if size == "640x480" else [3])))
    views = {f"v{number}": make_view(folder, f"v{number}", (width, height), 10 + number) for number in range(wanted)}
    floor = floor_of(folder, (width, height))
    figures: dict[str, Any] = {"floor_ms": vars(floor)}
    for count in args.views:
        for overlays in args.overlays:
            title = f"{size}, {count} view{'s' if count > 1 else ''}, overlays {overlays}"
            chosen = dict(list(views.items())[:count])
            found, outcomes = stages_of(folder / f"{count}-{overlays}", port, chosen, overlays == "on", rounds)
            figures[title], met = report(f"{title} ({outcomes})", found, floor, (width, height))
            if not met and count == 1 and overlays == "off":
                missed.append(title)
    if size != "640x480":
        figures["clearance"] = clearance_of(folder / "clearance", port, dict(list(views.items())[:3]), 3 if args.quick else 15)
    return figures


if __name__ == "__main__":
    sys.exit(main())
