"""Reading a YAML file into a model; every mistake is named with its file and line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from snacbench.errors import UserError, did_you_mean

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path, model: type[Model], *, noun: str, docs: str) -> Model:
    """Read a file that holds one model.

    For messages, `noun` is what the file is, such as ``recipe``, and `docs` the page that explains
    it. Raises `UserError`, with file and line, if it cannot be read, is not YAML, or a field is
    missing, unknown or wrong.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the {noun} {path} ({error})") from error
    try:
        loader = yaml.SafeLoader(text)  # its nodes know their lines
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise UserError(
                f"{path}, line 1: expected fields and values such as 'data: quick', found "
                f"{' '.join(text.split())!r:.60}; see {docs}"
            )
        _check_keys(node, path)
        told = loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise UserError(f"{path}{line}: not YAML: {problem}") from error
    try:
        return model.model_validate(told)
    except ValidationError as error:
        raise UserError(f"{path}, {_what_is_wrong(error, node, model, docs)}") from error


def _check_keys(node: yaml.Node, path: Path) -> None:
    """Refuse a field that is there twice: YAML would silently take the last."""
    if isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            _check_keys(entry, path)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.value in seen:
            raise UserError(
                f"{path}, line {line}: {key.value} is there twice, first in line {seen[key.value]}"
            )
        seen[key.value] = line
        _check_keys(value, path)


def _what_is_wrong(
    error: ValidationError, node: yaml.MappingNode, model: type[BaseModel], docs: str
) -> str:
    """The first mistake in the file, with its line and field."""
    # What is missing comes last: it may be there, misspelt.
    first = min(error.errors(), key=lambda e: (e["type"] == "missing", _line(node, e["loc"])))
    place = first["loc"]
    fields = (f"entry {p + 1}" if isinstance(p, int) else p for p in place)
    where = ": ".join((f"line {_line(node, place)}", *fields))
    if first["type"] == "missing":
        return f"{where} is missing; see {docs}"
    if first["type"] == "extra_forbidden":
        for part in place[:-1]:  # the model whose fields stand there
            if isinstance(part, str) and part in model.model_fields:
                model = _model_in(model.model_fields[part].annotation) or model
        return f"{where}: no such field; {did_you_mean(str(place[-1]), model.model_fields)}"
    found = "" if first["type"] == "value_error" else f", found {first['input']!r:.60}"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}{found}"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The first model that a field's type names, such as that of ``tuple[Item, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


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
