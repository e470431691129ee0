"""Checkpoints of one training under different seeds as one row: their mean and spread.

The spread is the standard deviation over checkpoints (n - 1). It tells how much a seed matters and
is no confidence interval: it knows nothing of other clips, and two or three seeds say little.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

from snacbench.errors import UserError
from snacbench.selectors import among
from snacbench.tables.side_by_side import Entry
from snacbench.tables.table_model import Cell, Column, Mark, Row


def seeds_of(entries: Sequence[Entry], asked: Mapping[str, str]) -> dict[str, list[str]]:
    """What belongs together, as labels, from selectors of models or points, as in ``--codecs``.

    Models of several operating points become a row for each. Raises `UserError` if a selector names
    nothing, something twice, a single checkpoint, or models of different points or test sets.
    """
    found: dict[str, list[str]] = {}
    specs = [entry.columns.spec for entry in entries]
    for name, text in asked.items():
        chosen = {spec.name for spec in among(specs, text)}
        members = [entry for entry in entries if entry.columns.spec.name in chosen]
        by_point: dict[str, list[str]] = {}
        for entry in members:
            point = entry.columns.spec.name.partition("@")[2]
            by_point.setdefault(point, []).append(entry.label)
        sizes = {len(labels) for labels in by_point.values()}
        if len(sizes) > 1 or 1 in sizes:
            listed = "; ".join(f"@{p}: {', '.join(labels)}" for p, labels in by_point.items())
            raise UserError(
                f"--group-seeds {name}: expected two checkpoints or more, all of them with the "
                f"same operating points; found {listed}"
            )
        if len({entry.rows.run.set_sha256 for entry in members}) > 1:
            raise UserError(
                f"--group-seeds {name}: its checkpoints were run on different test sets; run them "
                "on the same clips"
            )
        found |= {f"{name}@{point}" if point else name: of for point, of in by_point.items()}
    taken = [label for members in found.values() for label in members]
    taken += [entry.label for entry in entries if entry.label not in taken]
    taken += found
    if twice := [name for name in dict.fromkeys(taken) if taken.count(name) > 1]:
        raise UserError(
            f"--group-seeds: {', '.join(twice)} would be there twice; name every checkpoint in one "
            "group, and the group like no codec"
        )
    return found


def seeds_note(name: str, members: Sequence[str]) -> str:
    """What a reader must know of the row of some checkpoints."""
    return (
        f"{name}: mean over {len(members)} checkpoints ({', '.join(members)}); behind ± is the "
        "standard deviation over them, which tells how much the seed of a training matters. It is "
        "no confidence interval, and says nothing of other clips."
    )


def grouped(
    rows: Sequence[Row], seeds: Mapping[str, Sequence[str]], columns: Sequence[Column]
) -> list[Row]:
    """The same rows with one for each group, in the place of its first member."""
    group_of = {label: name for name, members in seeds.items() for label in members}
    by_label = {row.label: row.cells for row in rows}
    found: dict[str, Row] = {}
    for row in rows:
        name = group_of.get(row.label, row.label)
        if name not in seeds:
            found[name] = row
        elif name not in found:
            of = [by_label.get(label, {}) for label in seeds[name]]
            cells = {c.key: _over([m.get(c.key, Cell()) for m in of], c) for c in columns}
            found[name] = replace(row, label=name, cells=cells, checkpoints=len(of))
    return list(found.values())


def _over(cells: Sequence[Cell], column: Column) -> Cell:
    """Mean and standard deviation of a figure over checkpoints; neither where one lacks it."""
    notes = tuple(dict.fromkeys(note for cell in cells for note in cell.notes))
    values = [cell.value for cell in cells if cell.value is not None]
    if column.kind == "text" or len(values) < len(cells):
        texts = dict.fromkeys(cell.text for cell in cells if cell.text)
        return Cell(text="; ".join(texts), notes=notes)
    n = min((cell.n for cell in cells if cell.n is not None), default=None)
    marks: tuple[Mark, ...] = ("unstable",) if any("unstable" in c.marks for c in cells) else ()
    varied = len(values) > 1 and all(map(math.isfinite, values))
    spread = statistics.stdev(values) if varied else None
    return Cell(statistics.fmean(values), None, n, marks, notes=notes, spread=spread)
