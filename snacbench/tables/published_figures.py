"""Figures of publications beside ours: they are quoted, never ranked or compared."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from importlib import resources

from snacbench.tables.layouts._parts import Fact, Part
from snacbench.tables.table import Cell, Column, Row

_FACTS = {"actual_kbps": "kbps", "bandwidth_khz": "bandwidth_khz"}
_DATA = "published"


def figures(name: str) -> list[dict[str, str]]:
    """Lines of a file of published figures.

    Every line names its source and the place there; what the source does not say is empty.
    """
    file = resources.files("snacbench.tables").joinpath(_DATA, name)
    return list(csv.DictReader(file.read_text("utf-8").splitlines()))


def published_rows(name: str, parts: Sequence[tuple[Part, Column]]) -> list[Row]:
    """A row per published line, in a group named after its source."""
    return [
        Row(
            label=line["codec"],
            cells={column.key: _cell(line, part, column) for part, column in parts},
            group=f"published: {line['source']}, {line['place']}",
            ranked=False,
        )
        for line in figures(name)
    ]


def _cell(line: dict[str, str], part: Part, column: Column) -> Cell:
    key = _FACTS.get(column.key, "") if isinstance(part, Fact) else part.published
    text = line.get(key, "")
    return Cell(float(text)) if text else Cell()


def published_note(name: str) -> str:
    """Why published figures must not be compared with ours digit by digit."""
    sources = dict.fromkeys(f"{line['citation']}, {line['place']}" for line in figures(name))
    return (
        f"Published figures as printed in {'; '.join(sources)}: rates are nominal, the clips are "
        "others than ours, and the variants of the metrics are unverified; neither ranked nor "
        "compared."
    )
