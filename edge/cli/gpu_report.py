"""`lineclear doctor --gpu`: finds, builds, proves and times what a GPU can do here, into one file to send back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from edge.bundle import Bundle, open_bundle
from edge.cli.gpu_machine import Found, GpuTools, find
from edge.cli.gpu_trial import Document, Pace, reference_of, trials_of
from edge.cli.progress import Meter
from edge.cli.terminal import complain, one_line, say
from edge.config import StationConfig, load_config
from edge.durable import replace_file
from edge.engines.preparing import BuildProgress
from edge.errors import ConfigError
from edge.recipe import load_recipe
from edge.settings.engines import AutoSettings, GpuSettings, TensorRtRtxSettings, TensorRtSettings

__all__ = ["REPORT", "gpu_report"]

REPORT: Final = Path("lineclear-gpu-report.json")
PROVEN, FAILED, INCOMPLETE = 0, 1, 2


def gpu_report(paths: Sequence[Path], out: Path = REPORT, tools: GpuTools | None = None, pace: Pace | None = None) -> int:
    """Try every bundle that is named, or that a recipe or a config names; a line each, and the whole in `out`.

    0: all that was tried is proven. 1: something failed, or scores are others than the model's. 2: there is no GPU here, or
    nothing to try; the file says what is missing. ConfigError, RecipeError, BundleError: a path that is none of these.
    """
    tools, pace = tools or GpuTools(), pace or Pace()
    subjects = list(_subjects(paths))
    found = find(tools)
    for line in _machine_lines(found):
        say(one_line(line) + "\n")
    document: Document = {"schema": 1, "made_at": _now(), "machine": found.document(), "bundles": []}
    trials: list[Document] = []
    for bundle, settings in subjects:
        tried = [reference_of(bundle, tools, pace)]
        _tell(bundle, tried[0])
        if not found.why_not:
            with Meter(f"build {bundle.name}") as meter:
                for trial in trials_of(bundle, settings, found, tools, pace, _progress(meter)):
                    tried.append(trial)
                    _tell(bundle, trial)
        trials += tried
        sizes = {"family": bundle.manifest.family, "size_wh": list(bundle.manifest.size_wh)}
        document["bundles"].append({"name": bundle.name, **sizes, "trials": tried})
    _write(out, document)
    say(f"written: {out}: send it as docs/first-gpu.md says\n")
    return _status(found, trials)


def _progress(meter: Meter) -> BuildProgress:
    return lambda phase, done, total: meter(done, total, phase)


def _status(found: Found, trials: Sequence[Document]) -> int:
    failed = [trial for trial in trials if "problem" in trial]
    if failed:
        complain("lineclear", f"{len(failed)} of {len(trials)} trials failed; the first: {failed[0]['problem']}")
        return FAILED
    if found.why_not:
        complain("lineclear", f"no engine was tried on a GPU: {found.why_not}")
        return INCOMPLETE
    if not trials:
        complain("lineclear", "nothing was tried: name a bundle, a recipe or a config")
        return INCOMPLETE
    return PROVEN


def _subjects(paths: Sequence[Path]) -> Iterator[tuple[Bundle, GpuSettings | None]]:
    """Every bundle once, with the GPU settings of the config that it is from."""
    seen: set[str] = set()
    for path in paths:
        for bundle, settings in _named_by(path):
            if bundle.content_hash not in seen:
                seen.add(bundle.content_hash)
                yield bundle, settings


def _named_by(path: Path) -> Iterator[tuple[Bundle, GpuSettings | None]]:
    if (path / "current").is_file():
        yield load_recipe(path).bundle, None
    elif path.is_dir() or path.suffix == ".zip":
        yield open_bundle(path), None
    else:
        config = load_config(path)
        for view in config.views.values():
            recipe = load_recipe(Path(view.recipe.replace("{product}", config.product or "")))
            yield recipe.bundle, _gpu_settings(config)


def _gpu_settings(config: StationConfig) -> GpuSettings | None:
    engine = config.engine
    if isinstance(engine, AutoSettings):
        engine = next((getattr(engine, kind) for kind in engine.order if kind != "onnxruntime"), engine)
    return engine if isinstance(engine, TensorRtSettings | TensorRtRtxSettings) else None


def _machine_lines(found: Found) -> Iterator[str]:
    for gpu in found.gpus:
        yield f"gpu {gpu.index}: {gpu}, {gpu.memory_bytes >> 20} MB{', shares the CPU memory' if gpu.integrated else ''}"
    for name, version in found.versions.items():
        yield f"{name}: {version}"
    for backend in found.backends:
        yield f"memory: {backend}"
    for name, why in found.missing.items():
        yield f"missing {name}: {why}"


def _tell(bundle: Bundle, trial: Document) -> None:
    how = " ".join(str(trial[key]) for key in ("engine", "precision", "memory", "memory_backend") if trial.get(key))
    ms = trial.get("ms")
    times = "  ".join(f"{name} {value:.2f}" for name, value in ms.items()) + " ms" if ms else ""
    proof = f"{trial.get('parity', '')}" if "problem" not in trial else f"FAIL {trial['problem']}"
    say(one_line("  ".join(part for part in (bundle.name, how, proof, times) if part)) + "\n")


def _write(out: Path, document: dict[str, Any]) -> None:
    try:
        replace_file(out, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
    except OSError as error:
        remedy = "run it in a folder that you may write to, or name another file with --out"
        raise ConfigError(f"cannot be written ({error.strerror})", where=str(out), remedy=remedy) from None


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
