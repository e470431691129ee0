"""Figures of publications beside ours: they are quoted, never ranked or compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

from snacbench.tables.layouts._parts import Fact, Part
from snacbench.tables.table import Cell, Column, Row

_FACTS = {"actual_kbps": "kbps", "bandwidth_khz": "bandwidth_khz"}


@dataclass(frozen=True)
class Publication:
    """A file of published figures.

    Attributes
    ----------
    source, citation : str
        The publication and the place there, in short and in full.
    clips : str
        What its means are over.
    unverified : tuple of str
        Columns of metrics whose variant the source does not settle.
    known : str
        What it settles, and where.
    remarks : mapping of str to str
        By codec: what a reader must know of its figures alone.
    lines : tuple of mappings
        Figures by column; None where the source has none. ``codec`` is the source's name, ``ours``
        our operating point of the same codec and setting.
    """

    source: str
    citation: str
    clips: str
    unverified: tuple[str, ...]
    known: str
    remarks: Mapping[str, str]
    lines: tuple[Mapping[str, Any], ...]


def publication(name: str) -> Publication:
    """A publication whose figures come with snacbench."""
    import yaml

    file = resources.files("snacbench.tables").joinpath("published", name)
    told = yaml.safe_load(file.read_text("utf-8"))
    columns, rows = told.pop("columns"), told.pop("rows")
    lines = tuple(dict(zip(columns, row, strict=True)) for row in rows)
    return Publication(**{**told, "unverified": tuple(told["unverified"])}, lines=lines)


def with_published(
    rows: Sequence[Row], codecs: Sequence[str], name: str, parts: Sequence[tuple[Part, Column]]
) -> list[Row]:
    """Our rows, each followed by the published one of its operating point; then the others.

    Parameters
    ----------
    codecs : sequence of str
        The operating point of each row. Of several rows of one operating point, the published
        one follows the first.
    name : str
        File of published figures.
    """
    found = publication(name)
    quoted = {line["ours"]: _quoted(found, line, parts) for line in found.lines}
    together: list[Row] = []
    for row, codec in zip(rows, codecs, strict=True):
        together.append(row)
        if partner := quoted.pop(codec, None):
            together.append(replace(partner, beside=row.label))
    return [*together, *quoted.values()]


def _quoted(
    found: Publication, line: Mapping[str, Any], parts: Sequence[tuple[Part, Column]]
) -> Row:
    remark = found.remarks.get(line["codec"])
    return Row(
        label=line["codec"],
        cells={column.key: _cell(line, part, column) for part, column in parts},
        ranked=False,
        source=found.source,
        notes=(_note(found, parts), *([remark] if remark else [])),
    )


def _cell(line: Mapping[str, Any], part: Part, column: Column) -> Cell:
    figure = line.get(_FACTS.get(column.key, "") if isinstance(part, Fact) else part.published)
    return Cell(None if figure is None else float(figure))


def _note(found: Publication, parts: Sequence[tuple[Part, Column]]) -> str:
    """Where the figures are from, and why they must not be compared with ours digit by digit."""
    unverified = [
        column.heading
        for part, column in parts
        if not isinstance(part, Fact) and part.published in found.unverified
    ]
    variants = f"; variant unverified of {', '.join(unverified)}" if unverified else ""
    return (
        f"As printed in {found.citation}: nominal rate; clips other than ours ({found.clips})"
        f"; {found.known}{variants}. Neither ranked nor compared."
    )
