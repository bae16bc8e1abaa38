"""`lineclear recipe export` and `import`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edge.audit import Action, AuditLog
from edge.cameras.adjustments import in_force
from edge.cli.terminal import say
from edge.config import StationConfig, load_config
from edge.errors import ConfigError
from edge.recipe import Trust, export_recipe, import_recipe, load_recipe, stale
from edge.recipe.transfer import ImportTrace
from edge.settings.cameras import hash_of_camera


def export(recipe: Path, out: Path, version: int | None) -> int:
    """Write the file; 0."""
    listing = export_recipe(recipe, out, version)
    say(f"{out}: version {listing.version:04d} of {recipe} (view {listing.view}), {len(listing.files)} files\n")
    return 0


def take_in(file: Path, out: Path, view: str | None, config: Path | None, who: str, why: str) -> int:
    """Import the file, and say whether its card holds here; 0. config: of the station, whose audit log gets an entry."""
    camera_hash, trace, trust = None, None, None
    if config is not None:
        station = in_force(load_config(config))
        views = station.views
        if view is None or view not in views:
            remedy = f"name one of its views with --view: {', '.join(views)}"
            raise ConfigError(f"has no view {view!r}", where=str(config), remedy=remedy)
        camera_hash = hash_of_camera(views[view].camera)
        trace, trust = _audited(station), Trust.of(station.trust)
    done = import_recipe(file, out, who=who, why=why, view=view, trace=trace, trust=trust)
    say(f"{out}: version {done.version:04d} of the recipe for view {done.view}, from {file}\n")
    recipe = load_recipe(out)
    changed = stale(recipe.card, recipe, camera_settings_hash=camera_hash) if recipe.card is not None else ()
    if recipe.card is None:
        say("it has no thresholds: lineclear-calibrate thresholds\n")
    elif changed:
        say(f"its thresholds are stale here ({'; '.join(changed)}): lineclear-calibrate thresholds\n")
    elif recipe.card.hashes.camera is None or camera_hash is None:
        say("nothing says whether its thresholds hold for the camera here: check them, or take them again\n")
    return 0


def _audited(station: StationConfig) -> ImportTrace:
    log = AuditLog(station.audit.folder(Path(station.state_dir)), station.audit)

    def trace(recipe: str, who: str, why: str, before: Mapping[str, object] | None, after: Mapping[str, object]) -> None:
        log.append(Action.RECIPE, who=who, subject=recipe, why=f"import: {why}", before=before, after=dict(after))

    return trace
