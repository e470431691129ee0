"""Tables as JSON that every parser takes: no NaN, infinities as strings."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from snacbench.tables.table import Cell, Table


def to_json(tables: Sequence[Table]) -> str:
    """A list of tables: columns with units and directions, rows of cells by column, footnotes.

    A number that does not exist is null, an infinite one ``"inf"`` or ``"-inf"``.
    """
    found = {"tables": [_table(table) for table in tables]}
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _table(table: Table) -> dict[str, Any]:
    return {
        "title": table.title,
        "columns": [
            {"key": c.key, "heading": c.heading, "unit": c.unit, "better": c.better}
            for c in table.columns
        ],
        "rows": [
            {
                "codec": row.label,
                **_given(source=row.source, beside=row.beside, notes=row.notes),
                "cells": {c.key: _cell(table.cell(row, c)) for c in table.columns},
            }
            for row in table.rows
        ],
        "footnotes": list(table.footnotes),
    }


def _cell(cell: Cell) -> dict[str, Any]:
    found: dict[str, Any] = {"value": _number(cell.value)}
    if cell.interval:
        i = cell.interval
        found["interval"] = {
            "low": _number(i.low),
            "high": _number(i.high),
            "level": i.level,
            "clusters": i.clusters,
            "method": i.method,
            "independence_assumed": i.independence_assumed,
            "these_clusters_only": i.these_clusters_only,
        }
    if cell.n is not None:
        found["n"] = cell.n
    return found | _given(marks=cell.marks, text=cell.text, notes=cell.notes)


def _given(**values: str | tuple[str, ...]) -> dict[str, Any]:
    """What is not empty."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items() if v}


def _number(value: float | None) -> float | str | None:
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return float(value)
