"""A report of each kind: page, JSON and CSV as one folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from calibration.evaluate.comparing import Comparison
from calibration.evaluate.results import Evaluation, Sweep
from calibration.report import document, pages, tables
from calibration.report.folder import DOCUMENT, PAGE, publish


def write_evaluation(out: Path, evaluation: Evaluation) -> dict[str, Any]:
    """Write the report of an evaluation; its JSON document. ConfigError as `publish`."""
    data = document.evaluation_document(evaluation)
    files = {
        "configurations.csv": tables.configurations_csv((evaluation,)),
        "frames.csv": tables.frames_csv((evaluation,)),
    }
    return _write(out, pages.evaluation_page(evaluation), data, files)


def write_sweep(out: Path, sweep: Sweep) -> dict[str, Any]:
    """Write the report of a sweep; its JSON document. ConfigError as `publish`."""
    data = document.sweep_document(sweep)
    files = {
        "configurations.csv": tables.configurations_csv(sweep.evaluations),
        "frames.csv": tables.frames_csv(sweep.evaluations),
    }
    return _write(out, pages.sweep_page(sweep), data, files)


def write_comparison(out: Path, comparison: Comparison) -> dict[str, Any]:
    """Write the report of a comparison; its JSON document. ConfigError as `publish`."""
    files = {"frames.csv": tables.pairs_csv(comparison)}
    return _write(out, pages.comparison_page(comparison), document.comparison_document(comparison), files)


def _write(out: Path, page: bytes, data: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:
    written = (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()
    publish(out, {PAGE: page, DOCUMENT: written, **files})
    return data
