"""How long a clearance takes, from the request to the durable result, and where the time goes.

    python -m benchmarks.clearance [--sizes 1130x460 3072x2048] [--repeats 15] [--json FILE]

Three views with three frames each: a whole station (assemble(), cameras in their processes, variation bundles, outbox and
book on disk, real Mosquitto), overlays of what did not pass. Once without and once with a challenge in every clearance (a
good and a bad frame per view). Exits 1 if the median without a challenge is 3 s or more at any size.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.station import Broker, Missing, command, make_config, make_view, shots, write_json, write_shots
from edge.app import assemble
from edge.clearance import ClearanceRequest
from edge.types import Clearance, ImageU8

SIZES = ("1130x460", "3072x2048")
VIEWS, FRAMES = 3, 3
TARGET_S = 3.0
JUDGE_STAGES = ("align", "warp", "infer", "judge", "decide", "record")


def with_leftover(image: ImageU8) -> ImageU8:
    """A bright disc, a twentieth of the height, in the middle."""
    spoilt = image.copy()
    height, width = image.shape[:2]
    cv2.circle(spoilt, (width // 2, height // 2), height // 20, (250, 30, 30), cv2.FILLED)
    return spoilt


def add_challenge(folder: Path, view: str, recipe: str, size_wh: tuple[int, int], seed: int) -> None:
    """A good and a bad frame, through the technician's own command."""
    known = folder / "known" / view
    good, bad = list(shots(size_wh, 16, seed))[-2:]
    write_shots(known / "good", [good])
    write_shots(known / "bad", [with_leftover(bad)])
    signed = ("--who", "benchmark", "--why", "benchmark")
    command(
        "calibration", "challenge", "--recipe", recipe, "--good", str(known / "good"), "--bad", str(known / "bad"), *signed
    )  # fmt: skip


def breakdown(clearance: Clearance, wall_ms: float) -> dict[str, float]:
    """Milliseconds: the steps of the clearance, and what the judge did during `frames`."""
    verdicts = [verdict for view in clearance.views for verdict in view.verdicts]
    steps = {name: clearance.stage_ms.get(name, 0.0) for name in ("fitness", "challenge", "frames")}
    work = {f"  judge: {name}": sum(verdict.stage_ms.get(name, 0.0) for verdict in verdicts) for name in JUDGE_STAGES}
    waits = steps["frames"] - sum(work.values())
    return {**steps, **work, "  judge waits for frames": waits, "decide, record, announce": wall_ms - sum(steps.values())}


def measure(folder: Path, port: int, views: dict[str, Any], challenge: str, repeats: int) -> dict[str, Any]:
    """Clearances one after another on one station; the first one starts the cameras and does not count."""
    folder.mkdir()
    vote = {"frames": FRAMES, "pass_votes": FRAMES // 2 + 1, "fail_votes": FRAMES // 2 + 1}
    settings = {"vote": vote, "timeout_s": 60, "challenge": {"required": challenge}}
    config = make_config(folder, port, views, clearance=settings, pictures={"publish": "not_pass"})
    walls, parts, outcomes = [], [], []
    with assemble(config) as assembly:
        for number in range(repeats + 1):
            started = time.perf_counter()
            clearance = assembly.clearances.run(ClearanceRequest(f"bench-{number}", "B1", "aspirin"))
            wall_ms = (time.perf_counter() - started) * 1000
            if number:
                walls.append(wall_ms)
                parts.append(breakdown(clearance, wall_ms))
                outcomes.append(clearance.outcome.value)
    p50, p95 = (float(value) for value in np.percentile(walls, (50, 95)))
    print(f"{VIEWS} views x {FRAMES} frames, challenge {challenge}: {', '.join(sorted(set(outcomes)))}, {repeats} times")
    print(f"  {'request to result':30s}{p50:9.1f}{p95:9.1f}  (p50, p95 ms)")
    medians = {name: float(np.median([part[name] for part in parts])) for name in parts[0]}
    for name, value in medians.items():
        print(f"  {name:30s}{value:9.1f}  {100 * value / p50:5.1f} %")
    return {"p50": p50, "p95": p95, "parts": medians, "outcomes": sorted(set(outcomes))}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="WxH", help=f"frame sizes (default {' '.join(SIZES)})")
    parser.add_argument("--repeats", type=int, default=15, help="clearances per table (default 15)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    args = parser.parse_args()
    figures: dict[str, Any] = {}
    missed = []
    try:
        with tempfile.TemporaryDirectory() as scratch, Broker(Path(scratch)) as broker:
            for size in args.sizes:
                width, height = (int(side) for side in size.split("x"))
                folder = Path(scratch) / size
                folder.mkdir()
                views = {f"v{n}": make_view(folder, f"v{n}", (width, height), 10 + n) for n in range(VIEWS)}
                print(f"\n{size}")
                plain = measure(folder / "plain", broker.port, views, "never", args.repeats)
                for number, (name, view) in enumerate(views.items()):
                    add_challenge(folder, name, view["recipe"], (width, height), 10 + number)
                figures[size] = {
                    "never": plain,
                    "always": measure(folder / "known-frames", broker.port, views, "always", args.repeats),
                }
                if plain["p50"] >= 1000 * TARGET_S or plain["outcomes"] == ["UNDECIDED"]:
                    missed.append(size)
    except Missing as error:
        print(error, file=sys.stderr)
        return 3
    write_json(args.json, figures)
    print(f"\ntarget: median below {TARGET_S:g} s without a challenge: {'missed: ' + ', '.join(missed) if missed else 'met'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
