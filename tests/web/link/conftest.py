"""The recipes of the command tests: two products on two views."""

from tests.commands.conftest import made_recipes, recipes

__all__ = ["made_recipes", "recipes"]
