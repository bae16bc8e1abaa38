"""The golden proof: does this machine compute what was exported? In a process of its own, at low priority."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from edge.doctor.check import Case, Check, fail, ok, skip, warn

LIMIT_S: Final = 45.0
_SCRIPT: Final = "import sys; from edge.doctor.golden_child import main; main(sys.argv[1])"


def golden(case: Case) -> Iterator[Check]:
    """Each view's bundle on the configured engine. An engine that would have to be built is not built for the doctor."""
    config = case.config
    assert config is not None and case.config_path is not None  # noqa: S101, PT018
    if config.engine.kind != "onnxruntime":
        named = str(case.config_path)
        yield skip(
            "golden", f"engine {config.engine.kind}: lineclear doctor --gpu {named} proves it, while the station is stopped"
        )
        return
    asked = {
        "engine": config.engine.model_dump(mode="json"),
        "views": {name: view.recipe.replace("{product}", config.product or "") for name, view in config.views.items()},
    }
    command = [sys.executable, "-c", _SCRIPT, json.dumps(asked)]
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired as late:
        yield from said(late.stdout or b"")
        yield warn("golden", f"not done in {LIMIT_S:g} s", "a busy or slow box: run the doctor while the station is stopped")
        return
    yield from said(done.stdout)
    if done.returncode != 0:
        last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or [""])[-1][:300]
        yield fail(
            "golden",
            f"the engine's process ended with {done.returncode} {last}".rstrip(),
            "pip install --force-reinstall onnxruntime",
        )


def said(out: bytes) -> Iterator[Check]:
    """The child's lines: view, detail, remedy; a remedy where it failed."""
    for line in out.decode("utf-8", "replace").splitlines():
        try:
            view, detail, remedy = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            continue
        name = f"golden {view}"
        yield fail(name, str(detail), str(remedy)) if remedy else ok(name, str(detail))
