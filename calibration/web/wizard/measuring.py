"""What the frames give on the page's own engine."""

from __future__ import annotations

from calibration.progress import Progress
from calibration.provenance import camera_of
from calibration.thresholds import measure_recipe
from calibration.web.wizard.bench import Bench
from calibration.web.wizard.fingerprint import fingerprint
from calibration.web.wizard.kept import KeptMeasurement, read_kept, write_kept
from calibration.web.wizard.known_bad import bad_frames
from calibration.web.wizard.state import WizardState


def measure_frames(bench: Bench, state: WizardState, progress: Progress) -> int:
    """Measure good and bad frames on the page's own engine and keep the outcome; how many good ones counted.

    Raises ConfigError (frames that can carry no threshold, a full disk), RecipeError, BundleError, EngineFault.
    """
    of = fingerprint(bench, state)
    recipe = bench.recipe(state)
    camera = camera_of(bench.desk.good, recipe.view, bench.camera_hash)
    bad = bench.desk.bad if bad_frames(bench.desk.bad) else None
    found = measure_recipe(recipe, bench.desk.good, open_engine=bench.setting.open_engine, progress=progress, bad_folder=bad)
    write_kept(bench.measured, found, of, camera)
    return len(found.good.scores)


def measurement(bench: Bench, state: WizardState) -> KeptMeasurement | None:
    """What was measured of just these frames; None: nothing, or something has changed since. ConfigError: damaged."""
    kept = read_kept(bench.measured)
    return kept if kept is not None and kept.of == fingerprint(bench, state) else None
