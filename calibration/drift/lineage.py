"""What has changed between the recipe that made a result and the one in hand."""

from __future__ import annotations

from edge.errors import BundleError, RecipeError
from edge.recipe import CardEngine, Hashes, Recipe, load_recipe

PARTS = tuple(part for part in Hashes.model_fields if part != "camera")


class Lineage:
    """Compares versions of one recipe's folder; each is read once."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._seen: dict[int, Recipe | None] = {recipe.version: recipe}

    def changed(self, name: str, version: int | None, product: str = "") -> frozenset[str] | None:
        """Which of PARTS differ from the recipe in hand, empty if none; None where the version is another recipe's or gone.

        product: that the result says, "" where it says none. `recipes/aspirin/front` and `recipes/tablets/front` have one
        name: their results must not be taken for each other's.
        """
        if name != self._recipe.name or version is None:
            return None
        if version not in self._seen:
            self._seen[version] = self._loaded(version)
        then = self._seen[version]
        if then is None or (product and then.product and product != then.product):
            return None
        return differing(then.hashes, self._recipe.hashes)

    def _loaded(self, version: int) -> Recipe | None:
        try:
            return load_recipe(self._recipe.path, version)
        except (RecipeError, BundleError):
            return None


def differing(then: Hashes, now: Hashes) -> frozenset[str]:
    """Which of PARTS differ."""
    return frozenset(part for part in PARTS if getattr(then, part) != getattr(now, part))


def is_of_engine(text: object, engine: CardEngine) -> bool:
    """Whether a published `engine` (`onnxruntime-1.31.1 cpu float32`) is the card's; versions may differ, as for a stale card.

    Scores of another backend, device or precision are others for the same frame. True where nothing is said.
    """
    if not isinstance(text, str) or not text:
        return True
    named, _, rest = text.partition(" ")
    version = named.removeprefix(f"{engine.backend}-")  # `tensorrt-rtx` is another backend than `tensorrt`
    return version != named and version[:1].isdigit() and rest == f"{engine.device} {engine.precision}"
