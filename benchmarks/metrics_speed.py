"""How fast and how lean are the figures of pixels? AUPRO beside the plain way, in one run; memory in a process of its own.

    python -m benchmarks.metrics_speed [--maps 100] [--rounds 3] [--rss-maps 1000] [--share 0.01]

The plain way is what MVTec's own evaluation does: all pixels in one array, one argsort, running sums. Maps are smoothed
noise of 512x512 float32, half of them with four round regions that are a little brighter; `--share` of all pixels are
anomalous. The two ways take turns; medians. Exit code 1 if AUPRO is less than 5 times as fast, differs by more than 1e-9,
or all figures of the maps, which are in memory too, need 2 GB or more.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from calibration.metrics import PixelSet

Maps = list[NDArray[np.float32]]
Truths = list[NDArray[np.bool_] | None]
SIDE = 512
LEAST_RATIO, CLOSE, MOST_MB = 5.0, 1e-9, 2000.0


def make(count: int, share: float) -> tuple[Maps, Truths]:
    """Maps and truths from a seed."""
    random = np.random.default_rng(0)
    radius = int((2 * share * SIDE * SIDE / 4 / np.pi) ** 0.5)
    maps: Maps = []
    truths: Truths = []
    for index in range(count):
        scores = cv2.GaussianBlur(random.standard_normal((SIDE, SIDE), np.float32), (0, 0), 3)
        truth = None
        if index % 2:
            disks = np.zeros((SIDE, SIDE), np.uint8)
            for _ in range(4):
                x, y = (int(each) for each in random.integers(radius, SIDE - radius, 2))
                cv2.circle(disks, (x, y), radius, 1, -1)
            truth = disks.view(bool)
            scores[truth] += 0.2 * random.random()
        maps.append(scores)
        truths.append(truth)
    return maps, truths


def plain_aupro(maps: Maps, truths: Truths, limit: float = 0.3) -> float:
    """AUPRO from one argsort of every pixel."""
    scores = np.concatenate([each.ravel() for each in maps])
    shares = np.concatenate([_shares(truth, each.shape).ravel() for each, truth in zip(maps, truths, strict=True)])
    background = shares == 0
    order = np.argsort(-scores, kind="stable")
    ends = np.r_[np.nonzero(np.diff(scores[order]))[0], len(order) - 1]
    rate = np.r_[0.0, (np.cumsum(background[order]) / background.sum())[ends]]
    overlap = np.r_[0.0, (np.cumsum(shares[order]) / shares.sum())[ends]]
    inside = int(np.searchsorted(rate, limit))
    part = (limit - rate[inside - 1]) / (rate[inside] - rate[inside - 1])
    at_limit = overlap[inside - 1] + part * (overlap[inside] - overlap[inside - 1])
    x, y = np.r_[rate[:inside], limit], np.r_[overlap[:inside], at_limit]
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2 / limit)


def _shares(truth: NDArray[np.bool_] | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    if truth is None:
        return np.zeros(shape)
    labels = cv2.connectedComponents(truth.view(np.uint8), connectivity=8)[1]
    weights = 1 / np.bincount(labels.ravel())
    weights[0] = 0
    return np.asarray(weights[labels])


def speed(count: int, rounds: int, share: float) -> bool:
    """Print AUPRO both ways, AUROC and average precision beside scikit-learn; True if all is as it must be."""
    maps, truths = make(count, share)
    plain_s, own_s, apart = [], [], 0.0
    for _ in range(rounds):
        start = time.perf_counter()
        plain = plain_aupro(maps, truths)
        middle = time.perf_counter()
        own = PixelSet(maps, truths).aupro()
        own_s.append(time.perf_counter() - middle)
        plain_s.append(middle - start)
        apart = max(apart, abs((own or 0.0) - plain))
    ratio = statistics.median(plain_s) / statistics.median(own_s)
    print(f"AUPRO of {count} maps {SIDE}x{SIDE}, medians of {rounds}: plain {statistics.median(plain_s):.2f} s,", end=" ")
    print(f"lineclear {statistics.median(own_s):.2f} s, {ratio:.1f} times as fast; {own:.9f}, {apart:.1e} apart")
    start = time.perf_counter()
    pixels = PixelSet(maps, truths)
    everything(pixels)
    print(f"all figures and curves of the same maps: {time.perf_counter() - start:.2f} s")
    truth = np.concatenate([np.zeros(SIDE * SIDE, bool) if each is None else each.ravel() for each in truths])
    scores = np.concatenate([each.ravel() for each in maps])
    for name, ours, theirs in (
        ("AUROC", pixels.auroc(), roc_auc_score),
        ("average precision", pixels.average_precision(), average_precision_score),
    ):
        start = time.perf_counter()
        difference = abs((ours or 0.0) - float(theirs(truth, scores)))
        apart = max(apart, difference)
        print(f"{name}: scikit-learn {time.perf_counter() - start:.2f} s, {difference:.1e} apart")
    return ratio >= LEAST_RATIO and apart <= CLOSE


def everything(pixels: PixelSet) -> None:
    """Every figure and curve once."""
    for figure in (pixels.auroc, pixels.average_precision, pixels.aupro, pixels.best_iou):
        figure()
    for curve in (pixels.roc_curve, pixels.pr_curve, pixels.pro_curve):
        curve(1000)
    pixels.iou_curve()
    pixels.at(0.1)


def memory(count: int, share: float) -> None:
    """Print the peak memory of this process before and after all figures of maps that it holds."""
    start_mb = _peak_mb()
    maps, truths = make(count, share)
    held_mb = _peak_mb()
    start = time.perf_counter()
    pixels = PixelSet(maps, truths)
    everything(pixels)
    print(f"{count} maps {SIDE}x{SIDE}, {100 * pixels.steps.anomalous / (count * SIDE * SIDE):.1f} % anomalous:", end=" ")
    print(f"all figures in {time.perf_counter() - start:.1f} s; peak RSS {start_mb:.0f} MB after imports,", end=" ")
    print(f"{held_mb:.0f} MB with maps and truths, {_peak_mb():.0f} MB in all")


def _peak_mb() -> float:
    """From /proc: a child inherits the ru_maxrss of its parent."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def main(argv: Sequence[str] | None = None) -> int:
    """0 if the figures are fast, lean and equal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=int, default=100, help="maps for the speed (0: skip it)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each way")
    parser.add_argument("--rss-maps", type=int, default=1000, help="maps for the memory (0: skip it)")
    parser.add_argument("--share", type=float, default=0.01, help="share of all pixels that is anomalous")
    parser.add_argument("--only-memory", action="store_true", help="measure the memory in this process")
    args = parser.parse_args(argv)
    cv2.setNumThreads(1)
    if args.only_memory:
        memory(args.rss_maps, args.share)
        return 0 if _peak_mb() < MOST_MB else 1
    met = not args.maps or speed(args.maps, args.rounds, args.share)
    if args.rss_maps:
        command = [sys.executable, "-m", "benchmarks.metrics_speed", "--only-memory"]
        sys.stdout.flush()
        lean = subprocess.run([*command, "--rss-maps", str(args.rss_maps), "--share", str(args.share)], check=False)
        met &= lean.returncode == 0
    print("met" if met else f"MISSED: {LEAST_RATIO:g} times as fast, within {CLOSE:g}, below {MOST_MB:.0f} MB")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
