"""The recipes of the views: thresholds, their age, the reference, the known frames, parity."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from edge.doctor.check import Case, Check, fail, ok, skip, warn
from edge.doctor.limits import CARD_AGE, CHALLENGE_AGE
from edge.doctor.versions import versions_of
from edge.errors import LineclearError, RecipeError
from edge.pipeline import check_score
from edge.recipe import Recipe, Trust, load_recipe, stale
from edge.recipe.challenge import FOLDER, read_challenge
from edge.settings.engines import needs_parity

_THRESHOLDS = "take thresholds: lineclear-calibrate thresholds"
BOOK = "clearances.sqlite3"
"""As edge.clearance names it."""


def recipes(case: Case) -> Iterator[Check]:
    """Each view's recipe. What is wrong with the files themselves is the config's check."""
    config = case.config
    assert config is not None  # noqa: S101
    trust = Trust.of(config.trust)
    for name, view in config.views.items():
        try:
            recipe = load_recipe(Path(view.recipe.replace("{product}", config.product or "")), view=name, trust=trust)
        except LineclearError:
            yield skip(f"recipe {name}", "cannot be loaded: the line `config` says why")
            continue
        yield _recipe(name, recipe)
        yield _reference(case, name, recipe)
        yield _calibration(case, name, recipe)
        yield from _challenge(case, name, recipe)
        yield _parity(case, name, recipe)


def _recipe(view: str, recipe: Recipe) -> Check:
    """Sound files whose every verdict would be UNDECIDED all the same."""
    name = f"recipe {view}"
    what = f"version {recipe.version} of {recipe.path}"
    try:
        check_score(recipe, not any(mask.enabled for mask in recipe.masks))
    except RecipeError as error:
        return fail(name, f"{what}: {error.message}", error.remedy)
    changed = stale(recipe.card, recipe) if recipe.card else ("it has no threshold card",)
    return fail(name, f"{what}: {'; '.join(changed)}", _THRESHOLDS) if changed else ok(name, what)


def _reference(case: Case, view: str, recipe: Recipe) -> Check:
    """Since which version the reference is the same image, by the versions that are kept."""
    name, since, first = f"reference {view}", recipe.document.created_at, recipe.version
    for number, document in versions_of(recipe.path, before=recipe.version):
        if document.reference_sha256 != recipe.document.reference_sha256:
            break
        since, first = document.created_at, number
    age = _days(case.now, since)
    height, width = recipe.reference.shape[:2]
    return ok(name, f"{width} x {height}, taken {age:.0f} days ago (version {first})")


def _calibration(case: Case, view: str, recipe: Recipe) -> Check:
    name = f"calibration {view}"
    if recipe.card is None:
        return skip(name, "no threshold card yet")
    age = _days(case.now, recipe.card.when)
    frames = recipe.card.frames
    detail = f"{age:.0f} days old, from {frames} good frames, by {recipe.card.who}"
    if age < -1:
        return warn(name, f"of {recipe.card.when:%Y-%m-%d}, which is still to come", "set the clock of this machine right")
    if age > CARD_AGE.value:
        remedy = "look at drift (lineclear-calibrate drift), then take thresholds again or confirm them in your records"
        return warn(name, detail, remedy)
    return ok(name, detail)


def _challenge(case: Case, view: str, recipe: Recipe) -> Iterator[Check]:
    """The known frames that there are, and what they gave last."""
    name = f"challenge {view}"
    config, state = case.config, case.state_dir
    assert config is not None and state is not None  # noqa: S101, PT018
    required = config.clearance.challenge.required
    try:
        known = read_challenge(recipe.folder / FOLDER)
    except RecipeError as error:
        yield fail(name, error.message, error.remedy)
        return
    make = "lineclear-calibrate challenge: one frame that must pass and one that must fail"
    if known is None or not known.is_complete:
        detail = "no known frames" if known is None else "not both a frame that must pass and one that must fail"
        made = warn if required == "never" else fail
        yield made(name, detail if required == "never" else f"{detail}, and the config requires a challenge", make)
        return
    last = last_challenge(state / BOOK, view)
    detail = f"{len(known.frames)} known frames"
    if last is None:
        yield warn(name, f"{detail}, never run here", "lineclear challenge CONFIG, or cmd/challenge to the running station")
        return
    when, passed = last
    age = _days(case.now, when)
    detail += f", {'as expected' if passed else 'NOT as expected'} on {when:%Y-%m-%d %H:%M}"
    if not passed:
        yield fail(
            name, detail, "the view no longer tells good from bad: look at light, focus and camera, then challenge again"
        )
    elif age > CHALLENGE_AGE.value:
        yield warn(name, detail, "run it again: lineclear challenge CONFIG")
    else:
        yield ok(name, detail)


def last_challenge(book: Path, view: str) -> tuple[datetime, bool] | None:
    """When the view's known frames last ran, and whether they gave what they must; None: never, or nobody can tell."""
    if not book.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{book.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)) as connection:
            row = connection.execute("SELECT body FROM challenges WHERE view = ?", (view,)).fetchone()
        body: Any = json.loads(row[0]) if row else None
        when = datetime.fromisoformat(str(body["time"]).replace("Z", "+00:00"))
        return (when, bool(body["passed"])) if when.tzinfo is not None else None
    except (sqlite3.Error, ValueError, LookupError, TypeError, RecursionError):
        return None


def _parity(case: Case, view: str, recipe: Recipe) -> Check:
    """The comparison of engines that is kept with the recipe. What it means for the engine at hand the station says."""
    assert case.config is not None  # noqa: S101
    name, engine, report = f"parity {view}", case.config.engine, recipe.parity
    exact = engine.kind in ("onnxruntime", "simulated") and getattr(engine, "precision", "float32") == "float32"
    if report is None:
        if exact:
            return skip(name, "the engine runs the float32 model itself")
        made = fail if needs_parity(engine) else warn
        return made(name, "nobody compared the engine with the float32 model", _compare(recipe))
    if report.bundle_hash != recipe.hashes.bundle:
        return warn(name, "the report is of another bundle", _compare(recipe))
    broken = [each for each in report.comparisons if not each.passed]
    if broken:
        return fail(name, f"{broken[0].candidate}: {broken[0].why}", _compare(recipe))
    old = recipe.card is not None and any(each.card not in (None, recipe.card.sha256) for each in report.comparisons)
    engines = ", ".join(dict.fromkeys(str(each.candidate) for each in report.comparisons))
    if old:
        return warn(name, f"{engines}: compared with other thresholds", _compare(recipe))
    return ok(name, f"{engines}: as the float32 model, {_days(case.now, report.when):.0f} days ago")


def _compare(recipe: Recipe) -> str:
    return f"lineclear-export parity BUNDLE --recipe {recipe.path} --keep"


def _days(now: datetime, then: datetime) -> float:
    return (now - then).total_seconds() / 86_400
