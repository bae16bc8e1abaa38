"""The earlier versions of a recipe, as far as their documents can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge.errors import ConfigError
from edge.recipe import RecipeFile, versions
from edge.recipe.reading import DOCUMENT, version_folder
from edge.schema import load_yaml


def versions_of(recipe: Path, before: int) -> Iterator[tuple[int, RecipeFile]]:
    """Number and document of each version before one, the newest first; ends at one that cannot be read."""
    for number in reversed([each for each in versions(recipe) if each < before]):
        try:
            yield number, load_yaml(RecipeFile, version_folder(recipe, number) / DOCUMENT)
        except ConfigError:
            return
