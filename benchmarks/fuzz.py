"""Half an hour of hostile input for everything that reads what comes from outside; docs/security.md has the figures.

    python -m benchmarks.fuzz [--minutes 30] [--target NAME ...] [--keep FOLDER]

Guided by coverage where `atheris` is installed (on PYTHONPATH is enough: `pip install --target FOLDER atheris`), else by
mutation alone. One target after the other, each in a process of its own with limited memory: what ends the process, what
takes more processor time than SLOW_S, and every exception that is not the reader's own is a finding, kept once for each place
in the code.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.mutation_bytes import damaged

SLOW_S = 5.0
HANG_S = 25
MEMORY_BYTES = 3 << 30
INSTRUMENTED = ("edge", "calibration.labels", "export", "zipfile", "pickletools")


class Watch:
    """Runs one target and keeps what it finds. folder: findings and figures go there."""

    def __init__(self, run: Callable[[bytes], None], expected: tuple[type[Exception], ...], folder: Path) -> None:
        self._run, self._expected, self._folder = run, expected, folder
        self._begun = self._said = time.monotonic()
        self.executions, self.accepted, self.slowest_s = 0, 0, 0.0
        self.findings: dict[str, str] = {}

    def one(self, data: bytes) -> None:
        """One input."""
        begun, busy_s = time.monotonic(), time.thread_time()
        try:
            self._run(data)
            self.accepted += 1
        except self._expected:
            pass
        except Exception as error:  # noqa: BLE001 - what comes through is what is looked for
            self._keep(data, _place(error), "".join(traceback.format_exception(error)[-6:]))
        took = time.thread_time() - busy_s  # not the clock: other programs may have the processor for seconds
        self.executions += 1
        self.slowest_s = max(self.slowest_s, took)
        if took > SLOW_S:
            self._keep(data, "slow", f"{took:.1f} s")
        if begun - self._said > 1:
            self.say()

    def say(self) -> None:
        """The figures so far."""
        self._said = time.monotonic()
        figures = {
            "executions": self.executions,
            "accepted": self.accepted,
            "slowest_s": round(self.slowest_s, 2),
            "seconds": round(self._said - self._begun),
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
            "findings": self.findings,
        }
        (self._folder / "figures.json").write_text(json.dumps(figures, indent=1))

    def _keep(self, data: bytes, place: str, what: str) -> None:
        if place in self.findings:
            return
        name = hashlib.sha256(place.encode()).hexdigest()[:10]
        (self._folder / f"{name}.input").write_bytes(data)
        (self._folder / f"{name}.txt").write_text(f"{place}\n{what}\n")
        self.findings[place] = what.strip().splitlines()[-1][:300]
        self.say()


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/site-packages/" not in frame.filename and "benchmarks/fuzz.py" not in frame.filename]
    frame = (ours or frames)[-1]
    return f"{type(error).__name__} {Path(frame.filename).name}:{frame.lineno}"


def work(name: str, seconds: float, out: Path) -> None:
    """The child: fuzz one target."""
    guide = _guide()
    targets = _targets(guide)
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    tempfile.tempdir = str(folder)
    target = targets.TARGETS[name]
    seeds = [bytes(seed) for seed in target.seeds(folder)]
    # libFuzzer's counters need address space that is never touched; its own limit is for resident memory.
    limit = MEMORY_BYTES * (4 if guide else 1)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    watch = Watch(target.make(folder), targets.expected_of(name), out)
    for seed in seeds:
        watch.one(seed)
    watch.say()
    if guide is None:
        _mutate(watch, seeds, seconds, out)
        return
    corpus = out / "corpus"
    corpus.mkdir(exist_ok=True)
    for index, seed in enumerate(seeds):
        (corpus / f"seed-{index}").write_bytes(seed)
    options = [f"-max_total_time={seconds:.0f}", f"-rss_limit_mb={MEMORY_BYTES >> 20}", f"-timeout={HANG_S}", "-seed=1"]
    options += [
        f"-max_len={max(4096, 2 * max(map(len, seeds)))}",
        f"-artifact_prefix={out}/",
        "-verbosity=0",
        "-close_fd_mask=3",
    ]
    guide.Setup([sys.argv[0], str(corpus), *options], watch.one)
    guide.Fuzz()


def _guide() -> ModuleType | None:
    with contextlib.suppress(ImportError):
        return importlib.import_module("atheris")
    return None


def _targets(guide: ModuleType | None) -> Any:
    if guide is None:
        return importlib.import_module("benchmarks.fuzz_targets")
    with guide.instrument_imports(include=list(INSTRUMENTED), enable_loader_override=False):
        for name in (
            "edge.config",
            "edge.recipe",
            "edge.commands",
            "calibration.labels",
            "export.outline",
            "edge.cameras.images",
            "edge.archive.export",
            "edge.archive.packing",
            "edge.audit",
            "edge.safe_mode.last_good",
            "edge.cameras.pixel_formats",
            "edge.cameras.features",
            "edge.cameras.channel",
        ):
            importlib.import_module(name)
    return importlib.import_module("benchmarks.fuzz_targets")


def _mutate(watch: Watch, seeds: list[bytes], seconds: float, out: Path) -> None:
    source, end = random.Random(1), time.monotonic() + seconds
    while time.monotonic() < end:
        data = damaged(source.choice(seeds), source)
        (out / "last.input").write_bytes(data)
        watch.one(data)
    watch.say()


def fuzz(name: str, seconds: float, keep: Path) -> dict[str, Any]:
    """One target in its process; its figures."""
    out = keep / name
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.fuzz", "--child", name, "--seconds", str(seconds), "--keep", str(out)]
    with (out / "said.txt").open("wb") as said:
        try:
            status = subprocess.run(command, stdout=said, stderr=said, check=False, timeout=seconds + 120).returncode
        except subprocess.TimeoutExpired:
            status = -1
    for folder in Path("/dev/shm").glob(f"fuzz-{name}-*"):
        subprocess.run(["rm", "-rf", str(folder)], check=False)
    file = out / "figures.json"
    figures: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"executions": 0, "findings": {}}
    if status != 0:
        figures["findings"][f"the process ended with {status}"] = (out / "said.txt").read_text(errors="replace")[-300:]
    return figures


def main() -> None:
    """Every target in turn; a table, and exit status 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="for all targets together")
    parser.add_argument("--target", action="append", help="only these")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "lineclear-fuzz", help="inputs of findings")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        work(args.child, args.seconds, args.keep)
        return
    names = args.target or list(importlib.import_module("benchmarks.fuzz_targets").TARGETS)
    found = 0
    print(f"guided by {'coverage (atheris)' if _guide() else 'mutation alone'}\n")
    print("| target | executions | accepted | slowest s | peak MiB | findings |\n|---|---:|---:|---:|---:|---:|", flush=True)
    for name in names:
        figures = fuzz(name, args.minutes * 60 / len(names), args.keep)
        found += len(figures["findings"])
        row = [figures.get(key, 0) for key in ("executions", "accepted", "slowest_s", "peak_mib")]
        print(f"| {name} | {' | '.join(str(value) for value in row)} | {len(figures['findings'])} |", flush=True)
        for place, what in figures["findings"].items():
            print(f"    {place}: {what}", file=sys.stderr, flush=True)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
