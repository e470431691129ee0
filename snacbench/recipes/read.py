"""Reading a recipe; every mistake is named with its file and line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snacbench.recipes.recipe import Recipe
from snacbench.yamlfile import read_yaml


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe, the name that it goes by, and the digest of its file."""

    name: str
    path: Path
    sha256: str
    recipe: Recipe

    def options(self) -> dict[str, Any]:
        """As `Recipe.options`, paths of data from wherever the run is started."""
        told = self.recipe.options()
        if "/" in told["data"] or told["data"].endswith(".csv"):
            told["data"] = str(self.path.parent / Path(told["data"]).expanduser())
        return told


def read_recipe(path: Path) -> NamedRecipe:
    """Read a recipe; it goes by the name of its file.

    Raises
    ------
    UserError
        If it cannot be read, is not YAML, or a field is missing, unknown or wrong; the message
        begins with file and line.
    """
    file = read_yaml(path, Recipe, noun="recipe", docs="docs/recipes.md")
    return NamedRecipe(path.stem, path, file.sha256, file.content)
