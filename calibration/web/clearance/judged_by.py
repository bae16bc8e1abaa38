"""The recipe version that a result was judged by: its reference, and how its map was smoothed."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge.bundle.image import decode_png
from edge.changeover import PATTERN, product_name
from edge.config import StationConfig
from edge.errors import RecipeError
from edge.recipe import load_recipe
from edge.recipe.reading import MAX_REFERENCE_BYTES
from edge.schema import read_bounded
from edge.settings.judging import ScoreRule
from edge.types import ImageU8

_KEPT: Final = 32


@dataclass(frozen=True)
class JudgedBy:
    """What of a recipe version the viewer needs; the reference itself is read when it is shown."""

    reference_path: Path
    reference_sha256: str
    size_wh: tuple[int, int]
    rule: ScoreRule

    def reference(self) -> ImageU8:
        """The reference, proven to be the one of this version. RecipeError: it is gone or was changed since."""
        where = str(self.reference_path)
        try:
            with self.reference_path.open("rb") as file:
                data = read_bounded(file, MAX_REFERENCE_BYTES)
        except OSError as error:
            raise RecipeError(f"cannot be read ({error.strerror})", where=where) from None
        if data is None or hashlib.sha256(data).hexdigest() != self.reference_sha256:
            raise RecipeError("is not the image that this version was saved with", where=where)
        return decode_png(data, where)


class Versions:
    """Recipe versions by path and number. A saved version never changes, so it is proven once; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Path, int], JudgedBy] = OrderedDict()

    def of(self, config: StationConfig, result: Mapping[str, Any], product: str = "") -> JudgedBy:
        """What judged this result (a `lineclear/result/1` body). product: of its clearance, where the result names none.

        RecipeError: the result names no version, or the version is not there any more. BundleError: its bundle is damaged.
        """
        path, version = recipe_of(config, result, product), result.get("recipeVersion")
        if not isinstance(version, int) or isinstance(version, bool):
            raise RecipeError("the result names no recipe version", where=str(result.get("resultId")))
        with self._lock:
            known = self._known.get((path, version))
        if known is None:
            recipe = load_recipe(path, version)
            height, width = recipe.reference.shape[:2]
            file = recipe.folder / "reference.png"
            known = JudgedBy(file, recipe.document.reference_sha256, (width, height), recipe.score_rule)
            with self._lock:
                self._known[path, version] = known
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
        return known


def recipe_of(config: StationConfig, result: Mapping[str, Any], product: str = "") -> Path:
    """The recipe's folder: from the config, with the product that the result was judged for. RecipeError: it cannot be named.

    The name of the folder must be the one in the result: another recipe's reference would be a wrong picture.
    """
    where = str(result.get("resultId"))
    view = config.views.get(str(result.get("view")))
    if view is None:
        raise RecipeError(f"the config has no view {str(result.get('view'))[:80]!r}", where=where)
    chosen = str(result.get("product") or product or config.product or "")
    if PATTERN in view.recipe:
        try:
            product_name(chosen)
        except ValueError as error:
            raise RecipeError(str(error), where=where) from None
    path = Path(view.recipe.replace(PATTERN, chosen))
    if path.name != result.get("recipe"):
        raise RecipeError(f"was judged by recipe {str(result.get('recipe'))[:80]!r}, the view has {path.name!r}", where=where)
    return path
