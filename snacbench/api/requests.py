"""From what a person names, and a recipe, to a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from snacbench.errors import UserError, did_you_mean
from snacbench.recipes import find_recipe
from snacbench.request import FromRecipe, Request
from snacbench.runner.plan import missing
from snacbench.selectors import select
from snacbench.weights.policy import absolute_weights

_LISTS = ("metrics", "weights", "root")
_NOT_OF_A_RECIPE = ("offline", "jobs", "out")  # how a run is carried out, not what it is


def request_of(recipe: str | None, given: Mapping[str, Any]) -> Request:
    """What is asked for: the fields of a recipe, by name or path, and over them those `given`."""
    told = normal(given)
    if recipe is None:
        if not told.get("codecs"):
            raise UserError(
                "name codecs with --codecs, for example --codecs snac,dac,encodec,opus, or a "
                "recipe: snacbench run quick; 'snacbench list recipes' shows them"
            )
        return Request(**told)
    found = find_recipe(recipe)
    written = found.options()
    if "codecs" not in written and not told.get("codecs"):
        raise UserError(
            f"the recipe {found.name} takes its codecs from the command line, for example "
            f"{found.recipe.hint or '--codecs snac,dac'}"
        )
    if "auto" in told.get("weights", ()):
        raise UserError(
            f"--weights auto: the recipe {found.name} never falls back to other weights; give "
            "published, embedded, DIR or MODEL=DIR, or leave it out"
        )
    changed = {
        name: written.get(name)
        for name, value in told.items()
        if name not in _NOT_OF_A_RECIPE and value != written.get(name)
    }
    expect = tuple(
        replace(one, codec=_point(one.codec)) if one.codec else one
        for figures in found.recipe.expect
        for one in figures.each()
    )
    limits = {str(name): limit for name, limit in found.recipe.limits.items()}
    table = found.recipe.table
    record = FromRecipe(found.name, found.sha256, table, changed, expect, limits)
    request = Request(**{**written, **told}, from_recipe=record)
    if absent := missing(request):
        lines = "".join(f"\n  - {text}" for text in absent)
        raise UserError(f"the recipe {found.name} needs what is not on this machine:{lines}")
    return request


def _point(selector: str) -> str:
    """The one operating point that figures of a recipe are of."""
    points = [spec.name for _, spec in select(selector)]
    if len(points) > 1:
        raise UserError(
            f"a recipe's figures are of one operating point each; found {selector!r} under "
            f"expect, which is {', '.join(points)}: write one of these"
        )
    return points[0]


def normal(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a `Request` from what a person may write for them: lists as text, paths as text."""
    known = [field.name for field in fields(Request)]
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise UserError(f"a run cannot be asked for {name!r}; {did_you_mean(name, known)}")
        if name in _LISTS:
            parts = value.split(",") if isinstance(value, str) else map(str, value)
            found[name] = tuple(part.strip() for part in parts if part.strip())
            if name == "weights":
                found[name] = absolute_weights(found[name])
        elif name == "asr" and value and ":" in value:  # a folder, looked for from elsewhere, too
            kind, _, folder = value.partition(":")
            found[name] = f"{kind}:{Path(folder).expanduser().absolute()}" if folder else value
        elif name == "codecs":
            found[name] = value if isinstance(value, str) else ",".join(value)
        else:
            found[name] = {"data": str, "out": Path}.get(name, lambda same: same)(value)
    return found
