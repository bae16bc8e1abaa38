"""What recording a change costs: `python -m benchmarks.audit [--folder DIR]`.

Beside each other in one run on the same disk: an entry of the audit log (lock, read the end back, hash, write, fdatasync)
and a bare append and fdatasync of the same bytes. Then: how long verifying 10,000 entries takes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge.audit import Action, AuditLog, verify
from edge.settings.audit import AuditSettings

COUNT = 1000
LIMIT_MS = 5.0
BEFORE, AFTER = {"image_threshold": 0.41, "method": "max"}, {"image_threshold": 0.47, "method": "conformal"}


def milliseconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def main(folder: Path) -> int:
    log = AuditLog(folder / "audit", AuditSettings())
    descriptor = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def change() -> None:
        log.append(Action.THRESHOLD, who="A. Technician", subject="front", why="dust", before=BEFORE, after=AFTER)

    change()
    line = (folder / "audit" / "audit-000001.jsonl").read_bytes()

    def bare() -> None:
        os.write(descriptor, line)
        os.fdatasync(descriptor)

    ours, plain = np.array(
        [(milliseconds(change), milliseconds(bare)) for _ in range(COUNT)]
    ).T  # turn by turn: the disk's mood
    for name, spent in (("audit entry", ours), ("bare append and fdatasync", plain)):
        p50, p95, p99 = np.percentile(spent, [50, 95, 99])
        print(f"{name:26s} median {p50:.2f} ms, p95 {p95:.2f}, p99 {p99:.2f}")
    print(f"ratio of the medians {np.median(ours) / np.median(plain):.2f}; {len(line)} bytes per entry; limit {LIMIT_MS} ms")
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as memory:
        large = AuditLog(Path(memory), AuditSettings())
        for _ in range(10_000):
            large.append(Action.THRESHOLD, who="A. Technician", subject="front", why="dust", before=BEFORE, after=AFTER)
        print(f"verify 10,000 entries: {milliseconds(lambda: verify(Path(memory), large.head())):.0f} ms")
    return 0 if np.median(ours) < LIMIT_MS else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="on the disk to measure (default: the temporary folder)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        raise SystemExit(main(Path(name)))
