"""The archive on a disk that is far too small: `python -m benchmarks.archive [--results N] [--mount loop|tmpfs|none]
[--images DIR] [--disk-only]`.

Evidence of N results goes to a volume that holds about half of it. Watched all the while: free space against the floor, queries
by batch, the clearances. Half-way something else fills the disk to its last byte for a while. Then: an index of N results is
asked for batches, and what one full-size result costs: the judge (submit) and the archive's thread (PNG, map, fsync), beside a
plain write and fsync of the same bytes.

loop: an ext4 image, tmpfs: memory; both need root. none: a folder, with max_bytes in place of a small disk.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np

from edge.archive import Archive, ArchiveReader, Evidence, verify
from edge.archive.index import Index
from edge.archive.packing import Packed, pack
from edge.settings.archive import ArchiveSettings

BATCHES = 400
MIB = 1024**2


@contextmanager
def volume(kind: str, size_bytes: int, images: Path | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=images) as folder:
        place = Path(folder) / "disk"
        place.mkdir()
        if kind == "none":
            yield place
            return
        if kind == "loop":
            image = Path(folder) / "image"
            with image.open("wb") as file:
                file.truncate(size_bytes)
            subprocess.run(["mkfs.ext4", "-q", "-b", "4096", "-i", "4096", "-m", "0", image], check=True)
            subprocess.run(["mount", "-o", "loop", image, place], check=True)
        else:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes},nr_inodes=0", "none", place], check=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", place], check=True)


def result(number: int, count: int) -> Evidence:
    """8 of 10 PASS; every 50th is a clearance, the rest FAIL and UNDECIDED. About 3 kB in three files."""
    draw = number % 50
    outcome = "CLEAR" if draw == 0 else "FAIL" if draw < 5 else "UNDECIDED" if draw < 10 else "PASS"
    rng = np.random.default_rng(number)
    return Evidence(
        result_id=f"result-{number:07d}",
        kind="clearance" if draw == 0 else "verdict",
        outcome=outcome,
        reason="camera_lost" if outcome == "UNDECIDED" else "",
        decided_at=datetime.now(timezone.utc),
        document={"resultId": f"result-{number:07d}", "outcome": outcome, "score": 0.5},
        view=f"view{number % 3}",
        batch=f"batch/{number * BATCHES // count}",
        product="P",
        frame=rng.integers(0, 256, (16, 24), np.uint8),
        anomaly_map=rng.normal(0, 1, (8, 8)).astype(np.float32),
    )


@dataclass
class Watch:
    """What was seen while the archive worked. floor_bytes: what had to stay free; lowest: what did."""

    floor_bytes: int
    place: Path
    lowest: int = 1 << 62
    query_ms: list[float] = field(default_factory=list)
    alarms: set[str] = field(default_factory=set)

    def look(self, archive: Archive, batch: str, ask: bool) -> None:
        """Note the free space and the alarm, and ask for a batch."""
        disk = os.statvfs(self.place)
        self.lowest = min(self.lowest, disk.f_bavail * disk.f_frsize)
        self.alarms.add((archive.alarm or "none")[:60])
        if ask:
            begun = time.perf_counter()
            ArchiveReader(self.place / "archive").find(batch=batch)
            self.query_ms.append((time.perf_counter() - begun) * 1000)


def wait(archive: Archive, most: int) -> None:
    while int(archive.health()["archive.waiting"] or 0) > most:
        time.sleep(0.002)


def fill_the_disk(place: Path, archive: Archive, watch: Watch, numbers: range, count: int) -> None:
    """Somebody else takes every byte; results go on; then the space comes back."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(MIB))
        except OSError:
            pass
        for number in numbers:
            archive.submit(result(number, count))
        begun = time.monotonic()
        while archive.alarm is None and time.monotonic() - begun < 40:
            time.sleep(0.05)
        watch.alarms.add((archive.alarm or "none")[:60])
    filler.unlink()


def small_disk(kind: str, count: int, images: Path | None) -> None:
    size_bytes = count * 8 * 1024
    with volume(kind, size_bytes, images) as place:
        floor = size_bytes // 8
        limits = {"max_bytes": size_bytes // 3} if kind == "none" else {"min_free_bytes": floor}
        settings = ArchiveSettings.model_validate({"pass_share": 1.0, **limits})
        watch, slowest = Watch(floor, place), 0.0
        begun = time.monotonic()
        with Archive(place / "archive", settings, retry_s=0.5) as archive:
            for number in range(count):
                one = result(number, count)
                at = time.perf_counter()
                archive.submit(one)
                slowest = max(slowest, time.perf_counter() - at)
                if number % 200 == 0:
                    wait(archive, 400)
                    ask = number >= 2000 and number % 2000 == 0
                    watch.look(archive, f"batch/{max(0, number - 1000) * BATCHES // count}", ask)
                    if number % 20_000 == 0:
                        print(f"  {number} {time.monotonic() - begun:.0f} s {dict(archive.health())}", flush=True)
            wait(archive, 0)
            took = time.monotonic() - begun
            lowest = watch.lowest
            if kind != "none":
                fill_the_disk(place, archive, watch, range(count, count + 50), count)
                begun = time.monotonic()
                wait(archive, 0)
                print(f"  after the full disk: written again within {time.monotonic() - begun:.1f} s")
            health = dict(archive.health())
        report(kind, count, took, lowest, watch, slowest, health, place)


def report(
    kind: str, count: int, took: float, lowest: int, watch: Watch, slowest: float, health: dict[str, object], place: Path
) -> None:
    reader = ArchiveReader(place / "archive")
    clearances = sum(1 for _ in reader.find(kind="clearance"))
    gone = [row for row in reader.purged() if row["kind"] == "clearance"]
    lost = [row for row in reader.missing() if row["kind"] == "clearance"]
    given = len(range(0, count + (50 if kind != "none" else 0), 50))
    print(f"{count} results in {took:.0f} s ({count / took:.0f}/s), volume: {kind}")
    print(f"submit: slowest {slowest * 1000:.1f} ms")
    if kind != "none":
        print(
            f"floor {watch.floor_bytes / MIB:.1f} MiB, lowest free {lowest / MIB:.1f} MiB, held: {lowest >= watch.floor_bytes}"
        )
    print(f"query by batch: median {np.median(watch.query_ms):.1f} ms, slowest {max(watch.query_ms):.1f} ms")
    print(f"clearances: given {given}, there {clearances}, deleted {len(gone)}, missing {len(lost)}")
    print(f"alarms seen: {sorted(watch.alarms)}")
    print(f"health: {health}")
    print(f"verify: {sum(1 for _ in verify(reader))} findings in {reader.count()} results")


def large_index(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        index = Index(folder)
        for start in range(0, count, 5000):
            index.insert(pack(result(number, count), None).record for number in range(start, min(start + 5000, count)))
        index.close()
        reader, spent = ArchiveReader(folder), []
        for batch in range(0, BATCHES, 4):
            begun = time.perf_counter()
            found = reader.find(batch=f"batch/{batch}")
            spent.append((time.perf_counter() - begun) * 1000)
            assert len(found) == count // BATCHES
        print(f"index of {reader.count()} results, {(folder / 'index.sqlite').stat().st_size / MIB:.0f} MiB: "
              f"a batch of {count // BATCHES} in median {np.median(spent):.1f} ms, slowest {max(spent):.1f} ms")  # fmt: skip


def full_size() -> None:
    rng = np.random.default_rng(1)
    smooth = cv2.resize(rng.integers(0, 256, (48, 72, 3), np.uint8), (3072, 2048), interpolation=cv2.INTER_CUBIC)
    frame = np.clip(smooth.astype(np.int16) + rng.normal(0, 2, smooth.shape).round().astype(np.int16), 0, 255).astype(np.uint8)
    scores = cv2.resize(rng.normal(0, 1, (64, 96)).astype(np.float32), (1130, 460))
    evidence = Evidence("r", "verdict", "FAIL", "", datetime.now(timezone.utc), {}, view="v", frame=frame, anomaly_map=scores)
    packing = sorted(_milliseconds(lambda: pack(evidence, None)) for _ in range(7))[3]
    packed = pack(evidence, None)
    with tempfile.TemporaryDirectory() as name:
        archive = Archive(Path(name), ArchiveSettings())
        submit = sorted(_milliseconds(lambda: archive.submit(evidence)) for _ in range(7))[3]
        plain = sorted(_milliseconds(lambda: _write(Path(name) / "plain", packed)) for _ in range(7))[3]
    sizes = {name.split(".", 2)[-1]: len(data) for name, data in packed.contents.items()}
    print(f"2048x3072 RGB: submit {submit:.1f} ms; thread: pack {packing:.0f} ms; {sizes}")
    print(f"  write and fsync of the same bytes: {plain:.0f} ms")


def _milliseconds(work) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def _write(path: Path, packed: Packed) -> None:
    with path.open("wb") as file:
        for data in packed.contents.values():
            file.write(data)
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=200_000)
    parser.add_argument("--mount", choices=["loop", "tmpfs", "none"], default="loop" if os.geteuid() == 0 else "none")
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="where the loop's image lies; /dev/shm takes the disk out of it"
    )
    parser.add_argument("--disk-only", action="store_true", help="only the small disk")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    if not given.disk_only:
        full_size()
        large_index(given.results)
    small_disk(given.mount, given.results, given.images)
