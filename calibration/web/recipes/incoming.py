"""A recipe that somebody sends, in two steps: proven and shown first, taken when a person says so.

What was sent lies below the page's folder until then, unpacked by the same code that imports it, and touches no recipe.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from calibration.web.recipes.listing import Standing, camera_hash, standing_of, trust_of
from calibration.web.recipes.places import Place, place_for
from calibration.web.site import Site
from edge.audit import Action
from edge.durable import replace_file
from edge.errors import BundleError, LineclearError, RecipeError
from edge.recipe import Imported, Recipe, import_recipe, load_recipe
from edge.recipe.reading import CURRENT
from edge.schema import read_json

FOLDER: Final = "incoming"
KEPT_S: Final = 24 * 3600.0
MOST: Final = 10
_TOKEN: Final = re.compile(r"[0-9a-f]{32}")
_ZIP, _RECIPE, _NOTE = "recipe.zip", "recipe", "note.json"


@dataclass(frozen=True, eq=False)
class Incoming:
    """What was sent. place: where it would go. stands: the version that it would follow, None where there is none.

    obstacle: why it cannot be taken, "" if nothing speaks against it.
    """

    token: str
    recipe: Recipe
    place: Place
    standing: Standing
    stands: int | None
    obstacle: str = ""


def receive(site: Site, file: Path, view: str, *, user: str) -> str:
    """Prove an uploaded file, and keep it; its token. RecipeError: it is no recipe, damaged, or for another view."""
    _sweep(site, user)
    token = secrets.token_hex(16)
    folder = site.folder / FOLDER / token
    folder.mkdir(parents=True, mode=0o700)
    try:
        shutil.move(file, folder / _ZIP)
        import_recipe(folder / _ZIP, folder / _RECIPE, who="page", why="to look at it", view=view, trust=trust_of(site))
        note = {"view": view, "user": user}
        replace_file(folder / _NOTE, json.dumps(note).encode(), mode=0o600)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return token


def look(site: Site, token: str, *, user: str, product: str | None = None) -> Incoming:
    """What a person must know before they take it. product: where it is to go, if not to its own."""
    folder, note = _find(site, token, user)
    recipe = load_recipe(folder / _RECIPE)
    view = str(note["view"])
    place = place_for(site, view, product or recipe.product or site.config.product or "")
    stands, obstacle = None, ""
    if (place.path / CURRENT).exists():
        try:
            standing = load_recipe(place.path)
            stands = standing.version
            if standing.reference.shape != recipe.reference.shape:
                obstacle = "geometry"
        except (RecipeError, BundleError):
            obstacle = ""  # damaged: the import is how it is mended
    if place.product and recipe.product not in ("", place.product):
        obstacle = "product"
    return Incoming(token, recipe, place, standing_of(recipe, camera_hash(site, view)), stands, obstacle)


def take(site: Site, token: str, *, user: str, who: str, why: str, product: str | None = None) -> Imported:
    """Import it as a new version. The audit log is told before anything is written."""
    folder, note = _find(site, token, user)
    seen = look(site, token, user=user, product=product)
    if seen.obstacle == "product":
        remedy = "choose that product, or export the recipe of the right one"
        raise RecipeError(f"is for product {seen.recipe.product!r}", where=seen.place.view, remedy=remedy)

    def trace(recipe: str, who_: str, why_: str, before: Any, after: Any) -> None:
        site.audit.append(Action.RECIPE, who=who_, subject=recipe, why=f"import: {why_}", before=before, after=dict(after))

    done = import_recipe(
        folder / _ZIP, seen.place.path, who=who, why=why, view=str(note["view"]), trace=trace, trust=trust_of(site)
    )
    shutil.rmtree(folder, ignore_errors=True)
    return done


def forget(site: Site, token: str, *, user: str) -> None:
    """It is not wanted."""
    folder, _ = _find(site, token, user)
    shutil.rmtree(folder, ignore_errors=True)


def _find(site: Site, token: str, user: str) -> tuple[Path, dict[str, Any]]:
    """Only whoever sent it sees it. RecipeError: it is not there, in the same words whatever the reason."""
    folder = site.folder / FOLDER / token
    gone = RecipeError("is not there any more", where="upload", remedy="send the file again")
    if not _TOKEN.fullmatch(token) or not folder.is_dir():
        raise gone
    try:
        note = read_json(folder / _NOTE)
    except LineclearError:
        raise gone from None
    if not isinstance(note, dict) or note.get("user") != user or note.get("view") not in site.config.views:
        raise gone
    return folder, note


def _sweep(site: Site, user: str) -> None:
    """What was forgotten, and what this user sent before, goes; the oldest where there are too many."""
    root = site.folder / FOLDER
    kept = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        age_s = time.time() - folder.stat().st_mtime
        try:
            mine = read_json(folder / _NOTE)["user"] == user
        except (LineclearError, KeyError, TypeError):
            mine = age_s > 3600
        if mine or age_s > KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            kept.append((age_s, folder))
    for _, folder in sorted(kept, reverse=True)[: max(0, len(kept) - MOST + 1)]:
        shutil.rmtree(folder, ignore_errors=True)
