"""The recipes that come with snacbench, and those in files of one's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from snacbench.errors import UnknownName, did_you_mean
from snacbench.recipes.read import NamedRecipe, read_recipe

SUFFIXES = (".yaml", ".yml")


def shipped_folder() -> Path:
    """Where the recipes lie that come with snacbench."""
    return Path(str(files(__package__))) / "shipped"


def shipped_recipes() -> dict[str, Path]:
    """Name -> file of every recipe that comes with snacbench."""
    return {path.stem: path for path in sorted(shipped_folder().glob("*.yaml"))}


def find_recipe(text: str) -> NamedRecipe:
    """The recipe of a name, or in a YAML file of one's own.

    Raises
    ------
    UnknownName
        If there is none of that name.
    UserError
        If there is something wrong in it.
    """
    shipped = shipped_recipes()
    if text in shipped:
        return read_recipe(shipped[text])
    path = Path(text).expanduser()
    if path.suffix.lower() in SUFFIXES:
        return read_recipe(path)
    raise UnknownName(
        f"no recipe named {text!r} (one of your own is named by its path, ending in .yaml); "
        f"{did_you_mean(text, shipped)}"
    )
