"""Recipes: runs that have names, written down in YAML so that they can be made again anywhere.

A recipe has codecs, data, metrics, seed, rules, and a table's layout; what belongs to a machine
(device, workers, where corpora lie) is in none. `shipped` holds those that come with snacbench (in
a checkout, the folder ``recipes``). docs/recipes.md explains the fields, `recipe` reads them.
"""

from importlib.resources import files
from pathlib import Path


def shipped_recipes() -> dict[str, Path]:
    """Name -> file of every recipe that comes with snacbench."""
    folder = Path(str(files(__package__))) / "shipped"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
