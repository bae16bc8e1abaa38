"""`python -m benchmarks.upstream.training FAMILY SET --out DIR [--minutes N]`: train one small network and save it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import torch

from benchmarks import leftovers
from benchmarks.upstream.training.frames import SETS

FAMILIES = ("autoencoder", "bit", "draem", "mahalanobis")


def main(argv: Sequence[str] | None = None) -> int:
    """0, also where the data is absent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("set", choices=SETS)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--minutes", type=float, default=8.0, metavar="N", help="of processor time")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    if absent := leftovers.missing():
        print(f"skipped: {absent}")
        return 0
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    match args.family:
        case "mahalanobis":
            from benchmarks.upstream.training import cutpaste as trainer
        case "draem":
            from benchmarks.upstream.training import draem as trainer  # type: ignore[no-redef]
        case "autoencoder":
            from benchmarks.upstream.training import autoencoder as trainer  # type: ignore[no-redef]
        case _:
            from benchmarks.upstream.training import bit as trainer  # type: ignore[no-redef]
    for path in trainer.train(args.set, args.out, args.minutes, seed=args.seed):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
