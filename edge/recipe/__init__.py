"""A recipe: reference, masks, threshold card and bundle of one view and one product. A folder of versions, never half-written.

docs/recipe.md describes the folder; `load_recipe` reads it, `save` and `rollback` write new versions, `stale` says what a
threshold card no longer matches.
"""

from edge.recipe.card import CardEngine, FalseAlarms, Figures, Hashes, Histogram, Parameters, ThresholdCard, stale
from edge.recipe.document import RecipeFile, hash_of
from edge.recipe.parity import ParityComparison, ParityLine, ParityReport, Standing, standing
from edge.recipe.reading import Recipe, load_recipe, versions
from edge.recipe.signing import Trust
from edge.recipe.transfer import Imported, Transfer, export_recipe, import_recipe
from edge.recipe.writing import Content, rollback, save

__all__ = [
    "CardEngine",
    "Content",
    "FalseAlarms",
    "Figures",
    "Hashes",
    "Histogram",
    "Imported",
    "Parameters",
    "ParityComparison",
    "ParityLine",
    "ParityReport",
    "Recipe",
    "RecipeFile",
    "Standing",
    "ThresholdCard",
    "Transfer",
    "Trust",
    "export_recipe",
    "hash_of",
    "import_recipe",
    "load_recipe",
    "rollback",
    "save",
    "stale",
    "standing",
    "versions",
]
