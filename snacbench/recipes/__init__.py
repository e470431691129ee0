"""Recipes: a run that has a name, written down in YAML so that it can be made again anywhere.

`shipped` holds those that come with snacbench (in a checkout, the folder ``recipes``).
docs/recipes.md explains the fields.
"""

from snacbench.recipes.recipe import NamedRecipe, Recipe, find_recipe, read_recipe, shipped_recipes

__all__ = ["NamedRecipe", "Recipe", "find_recipe", "read_recipe", "shipped_recipes"]
