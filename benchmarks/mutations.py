"""1,000 mutated checkpoints, ONNX files, manifests and bundles: an error each, no crash, no code run, memory bounded.

    python -m benchmarks.mutations [--count 1000] [--seed 1]

Every mutant is given to the command that takes it, in a process of its own kind: a child works through a batch and writes
a line before and after each, so that a crash, a hang or a killed process is seen and named. A mutant passes if it is
refused with one readable line and leaves nothing behind, or if what it gave is a bundle that opens (the mutation was
harmless). It fails if another exception comes through, if the child dies, if it takes longer than LIMIT_S or more than
LIMIT_MIB beyond what a sound export takes, if a canary file appears (code of the file was run), or if a file appears or
changes outside its own folder.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.mutation_cases import Case, make_case, make_seeds

LIMIT_S = 60.0
LIMIT_MIB = 1500
BATCH = 50


@dataclass(frozen=True)
class Outcome:
    """result: refused, bundle, sound (a bundle opened), or what must not be: escaped, crashed, hung, memory, unreadable."""

    case: Case
    result: str
    message: str
    seconds: float
    grown_mib: float

    @property
    def is_fine(self) -> bool:
        """Refused in words, or harmless."""
        return self.result in ("refused", "bundle", "sound", "told")


@dataclass(frozen=True)
class Report:
    """What all mutants did. strangers: files that appeared or changed where none may."""

    outcomes: tuple[Outcome, ...]
    canary_found: bool
    strangers: tuple[str, ...]

    @property
    def failures(self) -> list[Outcome]:
        """What must not be."""
        return [each for each in self.outcomes if not each.is_fine]


def prove(count: int, seed: int, scratch: Path) -> Report:
    """Make `count` mutants below `scratch`, run them all, and look at what they did."""
    canary = scratch / "canary"
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        seeds = make_seeds(scratch / "seeds")
    known = _everything(scratch / "seeds")
    outcomes: list[Outcome] = []
    for first in range(0, count, BATCH):
        numbers = range(first, min(count, first + BATCH))
        folder = scratch / "cases"
        cases = [make_case(number, seed, seeds, folder, canary) for number in numbers]
        outcomes += _batch(cases, scratch)
        subprocess.run(["rm", "-rf", str(folder)], check=True)
    strangers = [str(path) for path in (scratch, scratch.parent) for path in path.iterdir() if "escaped" in path.name]
    strangers += ["a seed changed"] if _everything(scratch / "seeds") != known else []
    strangers += ["/tmp/escaped"] if Path("/tmp/escaped").exists() else []
    return Report(tuple(outcomes), canary.exists(), tuple(strangers))


def _everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _batch(cases: list[Case], scratch: Path) -> list[Outcome]:
    """Outcomes of these cases, in child processes; one that dies is charged to the case it was at."""
    outcomes: list[Outcome] = []
    left = cases
    while left:
        lines = "\n".join(case.line() for case in left)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(scratch)}
        with subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "benchmarks.mutations", "--worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        ) as child:  # fmt: skip
            said, errors = child.communicate(lines)
        done = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        by_number = {case.number: case for case in left}
        outcomes += [
            Outcome(by_number[each["number"]], each["result"], each["message"], each["seconds"], each["grown_mib"])
            for each in done
        ]
        left = left[len(done) :]
        if left and child.returncode != 0:
            result = "hung" if "Timeout" in errors else "crashed"
            outcomes.append(Outcome(left[0], result, f"exit {child.returncode}: {errors[-1500:]}", 0.0, 0.0))
            left = left[1:]
        elif left and not done:
            raise SystemExit(f"the child did nothing: {errors[-800:]}")
    return outcomes


def work() -> int:
    """The child: run every case of standard input in this process."""
    import numpy as np  # noqa: F401 - loaded before memory is measured
    import torch

    torch.set_num_threads(1)
    cases = [Case(**json.loads(line)) for line in sys.stdin]
    output = os.fdopen(os.dup(1), "w")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _warm_up()
    soft = _size_bytes() + (3 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (soft, soft))
    for case in cases:
        faulthandler.dump_traceback_later(LIMIT_S, exit=True)
        started = time.monotonic()
        with _Watch() as watch:
            result, message = _run(case)
        faulthandler.cancel_dump_traceback_later()
        if watch.grown_mib > LIMIT_MIB:
            result, message = "memory", f"{watch.grown_mib:.0f} MiB: {result}: {message}"
        fields = {"number": case.number, "result": result, "message": message, "seconds": time.monotonic() - started}
        output.write(json.dumps({**fields, "grown_mib": watch.grown_mib}) + "\n")
        output.flush()
    return 0


def _warm_up() -> None:
    """Import what the commands import late, so that it is nobody's memory."""
    import export.adapters.anomalib
    import export.adapters.change_onnx
    import export.adapters.draem
    import export.onnx_surgery.bundling  # noqa: F401


class _Watch:
    """How much resident memory grows at most while it is open, in MiB."""

    def __enter__(self) -> _Watch:
        self._before = self._most = _resident_mib()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._most = max(self._most, _resident_mib())

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self._most = max(self._most, _resident_mib())

    @property
    def grown_mib(self) -> float:
        return max(0.0, self._most - self._before)


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)


def _size_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _run(case: Case) -> tuple[str, str]:
    from export.__main__ import main

    told, wrong = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(wrong):
            if case.argv[0] == "open":
                return _open(Path(case.argv[1]))
            status = main(list(case.argv))
    except SystemExit as error:
        return "escaped", f"SystemExit {error.code}"
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return "escaped", f"{type(error).__name__}: {error}"[:500] + traceback.format_exc()[-1200:]
    lines = wrong.getvalue().splitlines()
    if status == 3:
        readable = all(line.isprintable() and line.startswith("lineclear-export: ") and len(line) < 3000 for line in lines)
        if not lines or not readable:
            return "unreadable", wrong.getvalue()[:500]
        if "out of memory" in wrong.getvalue():
            return "memory", wrong.getvalue()[:300]
        return ("unreadable", "something was left behind") if (Path(case.folder) / "out").exists() else ("refused", lines[-1])
    if case.argv[0] == "inspect":
        return "told", told.getvalue().splitlines()[0]
    result, message = _open(Path(case.argv[-1]))
    return ("bundle", message) if status == 0 and result == "sound" else ("escaped", f"exit {status}: {result}: {message}")


def _open(path: Path) -> tuple[str, str]:
    """Open a bundle and start both precisions on ONNX Runtime."""
    from edge.bundle import open_bundle
    from edge.engines.onnxruntime import OnnxRuntimeEngine
    from edge.errors import LineclearError
    from edge.settings.engines import OnnxRuntimeSettings

    try:
        bundle = open_bundle(path)
        halves: tuple[Any, ...] = ("float32", "float16") if "model.fp16.onnx" in bundle.manifest.files else ("float32",)
        for precision in halves:
            with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(kind="onnxruntime", precision=precision, threads=1)):
                pass
    except LineclearError as error:
        return ("refused", str(error)) if str(error).isprintable() else ("unreadable", repr(str(error)))
    return "sound", bundle.name


def show(report: Report) -> str:
    """The table, the failures, and what the refusals were."""
    kinds = sorted({each.case.kind for each in report.outcomes})
    results = sorted({each.result for each in report.outcomes})
    lines = ["| mutated | " + " | ".join(results) + " | longest s | most MiB |", "|---|" + "---|" * (len(results) + 2)]
    for kind in kinds:
        mine = [each for each in report.outcomes if each.case.kind == kind]
        counts = Counter(each.result for each in mine)
        worst = f"{max(each.seconds for each in mine):.1f} | {max(each.grown_mib for each in mine):.0f}"
        lines.append(f"| {kind} | " + " | ".join(str(counts[result]) for result in results) + f" | {worst} |")
    for each in report.failures:
        lines.append(f"FAILED {each.case.number} {each.case.kind}, {each.case.how}: {each.result}: {each.message}")
    lines.append(
        f"code run: {'YES' if report.canary_found else 'no'}; files elsewhere: {', '.join(report.strangers) or 'none'}"
    )
    return "\n".join(lines)


def run_all(argv: list[str] | None = None) -> int:
    """0 if every mutant passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--keep", type=Path, help="write every outcome here, as JSON lines")
    args = parser.parse_args(argv)
    if args.worker:
        return work()
    with tempfile.TemporaryDirectory(prefix="lineclear-mutations-") as scratch:
        (Path(scratch) / "inner").mkdir()
        report = prove(args.count, args.seed, Path(scratch) / "inner")
    if args.keep:
        rows = [
            f"{each.case.number}\t{each.case.kind}\t{each.case.how}\t{each.result}\t{each.message}" for each in report.outcomes
        ]
        args.keep.write_text("\n".join(rows))
    print(show(report))
    return 1 if report.failures or report.canary_found or report.strangers else 0


if __name__ == "__main__":
    sys.exit(run_all())
