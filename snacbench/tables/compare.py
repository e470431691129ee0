"""Marks of significance: every codec against the best, or against a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from snacbench.errors import UnknownName, did_you_mean
from snacbench.stats.pairs import PairedDifference, paired_differences
from snacbench.tables.means import Block
from snacbench.tables.options import Options
from snacbench.tables.table import SIGNIFICANT, Cell, Column

LEVEL = 0.05


@dataclass(frozen=True)
class Compared:
    """What a table's comparisons came to.

    Attributes
    ----------
    significant : set of (str, str)
        Label and metric of the codecs that differ.
    pairs : tuple of PairedDifference
        Those against the best or the baseline, of all metrics.
    family : int
        Largest number of comparisons that one correction ran over.
    """

    significant: frozenset[tuple[str, str]]
    pairs: tuple[PairedDifference, ...]
    family: int


def compare(block: Block, columns: Mapping[str, Column], options: Options) -> Compared:
    """Paired comparisons within one domain, corrected by Holm within each metric.

    Against the best, the family is all pairs of codecs: which one is best was seen in the same
    scores. Against a baseline that was named beforehand, it is the pairs with it.

    Parameters
    ----------
    columns : mapping of str to Column
        Of each metric, for the direction.

    Raises
    ------
    UnknownName
        If no codec has the baseline's name.
    """
    competing = [e.label for e in block.entries if not e.anchor or e.label == options.baseline]
    if options.baseline and options.baseline not in competing:
        raise UnknownName(
            f"no codec named {options.baseline!r} to compare with; "
            f"{did_you_mean(options.baseline, competing)}"
        )
    significant: set[tuple[str, str]] = set()
    kept: list[PairedDifference] = []
    family = 0
    for metric, column in columns.items():
        scores = {k: v for k, v in block.scores[metric].items() if k in competing}
        pairs, anchor = _pairs(scores, block, column, metric, options)
        family = max(family, len(pairs))
        for pair in pairs:
            if anchor not in (pair.first, pair.second):
                continue
            kept.append(pair)
            if pair.p_holm is not None and pair.p_holm <= LEVEL:
                significant.add((pair.second if pair.first == anchor else pair.first, metric))
    return Compared(frozenset(significant), tuple(kept), family)


def _pairs(
    scores: Mapping[str, Mapping[str, float]],
    block: Block,
    column: Column,
    metric: str,
    options: Options,
) -> tuple[list[PairedDifference], str]:
    """The family of one metric, and the codec whose pairs count."""
    if options.baseline:
        if options.baseline not in scores:
            return [], ""
        others = [label for label in scores if label != options.baseline]
        chosen = [(label, options.baseline) for label in others]
        return paired_differences(scores, chosen, block.clusters), options.baseline
    if len(scores) < 2 or column.better is None:
        return [], ""
    most = max(map(len, scores.values()))  # as in `table.ranked`
    complete = [label for label in scores if len(scores[label]) == most]
    means = {label: block.cells[label, metric].value or 0.0 for label in complete}
    best = (max if column.better == "higher" else min)(means, key=means.__getitem__)
    return paired_differences(scores, None, block.clusters), best


def with_marks(cells: Mapping[str, Cell], label: str, compared: Compared) -> dict[str, Cell]:
    """A row's cells, by metric, with their marks of significance."""
    return {
        key: replace(cell, marks=(*cell.marks, "significant"))
        if (label, key) in compared.significant
        else cell
        for key, cell in cells.items()
    }


def comparison_note(compared: Compared, options: Options) -> str:
    """Test, correction, n, clusters, and what was lost, in one footnote; empty without pairs."""
    pairs = [pair for pair in compared.pairs if pair.difference]
    if not pairs:
        return ""
    tests = "; ".join(dict.fromkeys(pair.test for pair in pairs))
    against = options.baseline or "the best of the column"
    family = "all pairs" if not options.baseline else "its pairs"
    n = spanned([pair.difference.n for pair in pairs if pair.difference])
    clusters = spanned([pair.difference.clusters for pair in pairs if pair.difference])
    return (
        f"{SIGNIFICANT} differs from {against} (paired, p ≤ {LEVEL:g}): {tests}; Holm's "
        f"correction over {family} within one metric and domain ({compared.family} comparisons); "
        f"n = {n} shared clips, {clusters} clusters; {_lost(pairs)}."
    )


def _lost(pairs: Sequence[PairedDifference]) -> str:
    most: dict[str, int] = {}
    for pair in pairs:
        for label, lost in ((pair.first, pair.lost_by_first), (pair.second, pair.lost_by_second)):
            if lost:
                most[label] = max(most.get(label, 0), len(lost))
    if not most:
        return "no clip lost on either side"
    return "clips lost to a pair, at most: " + ", ".join(f"{k} lacks {v}" for k, v in most.items())


def spanned(values: Sequence[int]) -> str:
    """``12``, or ``10 to 12`` where they differ."""
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"
