"""What has changed between the recipe that made a result and the one in hand."""

from __future__ import annotations

from edge.errors import BundleError, RecipeError
from edge.recipe import Hashes, Recipe, load_recipe

PARTS = tuple(part for part in Hashes.model_fields if part != "camera")


class Lineage:
    """Compares versions of one recipe's folder; each is read once."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._seen: dict[int, frozenset[str] | None] = {recipe.version: None}
        self._seen[recipe.version] = self._compared(recipe.version)

    def changed(self, name: str, version: int | None) -> frozenset[str] | None:
        """Which of PARTS differ from the recipe in hand, empty if none; None where the version is another recipe's or gone."""
        if name != self._recipe.name or version is None:
            return None
        if version not in self._seen:
            self._seen[version] = self._compared(version)
        return self._seen[version]

    def _compared(self, version: int) -> frozenset[str] | None:
        try:
            then = load_recipe(self._recipe.path, version).hashes
        except (RecipeError, BundleError):
            return None
        return differing(then, self._recipe.hashes)


def differing(then: Hashes, now: Hashes) -> frozenset[str]:
    """Which of PARTS differ."""
    return frozenset(part for part in PARTS if getattr(then, part) != getattr(now, part))
