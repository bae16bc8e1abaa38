"""What a measurement is of: everything that its scores depend on, as one hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from calibration.web.wizard.bench import Bench
from calibration.web.wizard.collecting import tally
from calibration.web.wizard.known_bad import bad_frames
from calibration.web.wizard.state import WizardState


def fingerprint(bench: Bench, state: WizardState) -> str:
    """Of everything that scores depend on: frames by name and content, recipe, bundle. Another one: measure again."""
    parts: list[Any] = [state.recipe, state.recipe_version, state.bundle, bench.camera_hash]
    for folder, names in ((bench.desk.good, tally(bench.desk.good).frames), (bench.desk.bad, bad_frames(bench.desk.bad))):
        parts += [[name, _stamp(folder / name)] for name in names]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _stamp(path: Path) -> list[int]:
    try:
        status = path.stat()
    except OSError:
        return [0, 0]
    return [status.st_size, status.st_mtime_ns]
