"""From the options of ``snacbench run``, and a recipe, to a request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from snacbench.errors import UserError
from snacbench.recipes import NamedRecipe, find_recipe
from snacbench.request import FromRecipe, Request
from snacbench.runner.plan import missing


def request_of(recipe: str | None, options: Mapping[str, Any], given: Collection[str]) -> Request:
    """What is asked for: the recipe's fields, and over them the options that were given.

    Parameters
    ----------
    recipe : str or None
        Name or path of a recipe; None: the options alone.
    options : mapping
        Values of all options, by name, defaults included.
    given : collection of str
        Options that stand on the command line.

    Raises
    ------
    UserError
        If no codecs are named, the recipe is wrong, or what it needs is not on this machine.
    """
    told = {**options, "metrics": _names(options["metrics"])}
    if recipe is None:
        if not told["codecs"]:
            raise UserError(
                "name codecs with --codecs, for example --codecs snac,dac,encodec,opus, or a "
                "recipe: snacbench run quick; 'snacbench list recipes' shows them"
            )
        return Request(**told)
    found = find_recipe(recipe)
    request = _with_recipe(found, told, given)
    if absent := missing(request):
        lines = "".join(f"\n  - {text}" for text in absent)
        raise UserError(f"the recipe {found.name} needs what is not on this machine:{lines}")
    return request


def _with_recipe(found: NamedRecipe, told: dict[str, Any], given: Collection[str]) -> Request:
    """The recipe's request with what was given in its place, and the record of both.

    Raises
    ------
    UserError
        If the recipe leaves its codecs to the command line and none are there, or the weights that
        were given could fall back.
    """
    written = found.options()
    if "codecs" not in written and not told["codecs"]:
        raise UserError(
            f"the recipe {found.name} takes its codecs from the command line, for example "
            f"{found.recipe.hint or '--codecs snac,dac'}"
        )
    if "weights" in given and "auto" in told["weights"]:
        raise UserError(
            f"--weights auto: the recipe {found.name} never falls back to other weights; give "
            "published, embedded, DIR or MODEL=DIR, or leave it out"
        )
    taken = {name: value for name, value in written.items() if name not in given}
    changed = {
        name: written.get(name)
        for name, value in told.items()
        if name in given and name != "offline" and value != written.get(name)
    }
    record = FromRecipe(found.name, found.sha256, found.recipe.table, changed)
    return Request(**{**told, **taken}, from_recipe=record)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
