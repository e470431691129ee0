"""Reading a recipe; every mistake is named with its file and line."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from snacbench.errors import UserError, did_you_mean
from snacbench.recipes.recipe import Recipe


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
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the recipe {path} ({error})") from error
    node, told = _parsed(text, path)
    try:
        recipe = Recipe.model_validate(told)
    except ValidationError as error:
        raise UserError(_what_is_wrong(error, node, path)) from error
    return NamedRecipe(path.stem, path, hashlib.sha256(content).hexdigest(), recipe)


def _parsed(text: str, path: Path) -> tuple[yaml.MappingNode, Any]:
    """The recipe as YAML nodes, which know their lines, and as plain values."""
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise UserError(
                f"{path}, line 1: expected fields and values such as 'data: quick', found "
                f"{' '.join(text.split())!r:.60}; see docs/recipes.md"
            )
        _check_keys(node, path)
        return node, loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise UserError(f"{path}{line}: not YAML: {problem}") from error


def _check_keys(node: yaml.MappingNode, path: Path) -> None:
    """Refuse a field that is there twice: YAML would silently take the last."""
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if key.value in seen:
            raise UserError(
                f"{path}, line {line}: {key.value} is there twice, first in line {seen[key.value]}"
            )
        seen[key.value] = line


def _what_is_wrong(error: ValidationError, node: yaml.MappingNode, path: Path) -> str:
    """The first mistake in the file, with its line and field."""
    # What is missing comes last: it may be there, misspelt.
    first = min(error.errors(), key=lambda e: (e["type"] == "missing", _line(node, e["loc"])))
    field = str(first["loc"][0]) if first["loc"] else ""
    where = f"{path}, line {_line(node, first['loc'])}"
    if first["type"] == "extra_forbidden":
        return f"{where}: {field}: no such field; {did_you_mean(field, Recipe.model_fields)}"
    if first["type"] == "missing":
        return f"{where}: {field} is missing; see docs/recipes.md"
    text = first["msg"].removeprefix("Value error, ")
    found = "" if first["type"] == "value_error" else f", found {first['input']!r:.60}"
    return f"{where}: {field}: {text}{found}"


def _line(node: yaml.MappingNode, place: Sequence[int | str]) -> int:
    """The line of a field, or of an entry of its list; of the whole, where it is not there."""
    found: yaml.Node = node
    line = node.start_mark.line
    for part in place:
        if isinstance(found, yaml.MappingNode):
            pair = next((p for p in found.value if p[0].value == part), None)
            if pair is None:
                break
            line, found = pair[0].start_mark.line, pair[1]
        elif isinstance(found, yaml.SequenceNode) and isinstance(part, int):
            found = found.value[part]
            line = found.start_mark.line
    return int(line) + 1
