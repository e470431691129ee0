"""Set-level metrics: one distance between the decodes of a codec and their references, as sets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snacbench.errors import StoreError
from snacbench.stats.clusters import cluster_clips
from snacbench.stats.intervals import jackknife_interval
from snacbench.stats.sets import DISTANCES, FEWEST, EmbeddingSet
from snacbench.store.embeddings import kept
from snacbench.tables.run_rows import MOST_UNITS, CodecColumns, RunRows, few_clusters
from snacbench.tables.table_model import Cell
from snacbench.types import Distance, MetricSpec

_WORDS: Mapping[Distance, str] = {
    "frechet": "squared Fréchet distance",
    "kernel": "100 times the unbiased squared maximum mean discrepancy",
}


def set_cell(
    rows: RunRows, codec: CodecColumns, metric: str, clips: Collection[str], *, ci: bool
) -> Cell:
    """A codec's distance over some of its clips, each with its own reference; `ci`: its interval.

    It depends on these clips of this codec alone. The interval is the jackknife's, over their
    clusters (at most `MOST_UNITS` groups of them), decodes and references left out together. A cell
    without a value says why.
    """
    spec = next((m for m in rows.run.metrics if m.name == metric), None)
    numbers = sorted(rows.numbers_of(clips), key=rows.ids.__getitem__)
    if not numbers or spec is None or spec.distance is None or rows.path is None:
        return Cell(n=len(numbers))
    key = (metric, tuple(numbers), ci)
    if key not in codec.distances:
        codec.distances[key] = _measured(rows, codec, spec, numbers, rows.path, ci=ci)
    return codec.distances[key]


def _measured(  # noqa: PLR0913 - what a distance is measured of
    rows: RunRows,
    codec: CodecColumns,
    spec: MetricSpec,
    numbers: Sequence[int],
    folder: Path,
    *,
    ci: bool,
) -> Cell:
    assert spec.distance is not None
    clips = [rows.clips[number] for number in numbers]
    labels = [clip.cluster for clip in clips]
    clustering, few = cluster_clips(labels, clips=len(clips)), few_clusters(labels)
    index = np.arange(len(clips)) if few else clustering.index
    units = min(int(index.max()) + 1, MOST_UNITS) if ci else 1
    unit = index % units
    digests = [codec.embedded[spec.name][number] for number in numbers]
    try:
        reference, degraded = (
            _pooled(folder, of_clips, unit) for of_clips in zip(*digests, strict=True)
        )
    except StoreError as error:
        return Cell(n=len(clips), notes=(f"{spec.name}: {error}",))
    n, dimensions = reference.values.shape
    if min(n, len(degraded.values)) < FEWEST:
        return Cell(n=len(clips), notes=(f"{n} embedding, {FEWEST} are needed for a distance",))
    found, interval = DISTANCES[spec.distance](reference, degraded, units), None
    if units > 1 and not np.isnan(found.left_out).any():
        interval = jackknife_interval(
            found.value,
            found.left_out,
            reference.sizes(units),
            n=len(clips),
            clusters=clustering.count,
            independence_assumed=clustering.independence_assumed,
            these_clusters_only=few,
        )
        if interval.low is not None:
            interval = replace(interval, low=max(interval.low, spec.range[0]))
    poor = f"{n} embeddings of {dimensions} dimensions, too few to know how they spread: reads high"
    notes = (poor,) if spec.distance == "frechet" and n <= 2 * dimensions else ()
    return Cell(found.value, interval, len(clips), notes=notes)


def _pooled(folder: Path, digests: Sequence[str], unit: NDArray[np.intp]) -> EmbeddingSet:
    """The embeddings of all clips, and the unit of each; StoreError if a file is not there."""
    values = [kept(folder, digest).astype(float) for digest in digests]
    return EmbeddingSet(np.concatenate(values), np.repeat(unit, [len(of) for of in values]))


def set_level_notes(
    found: Mapping[str, Sequence[Cell]], specs: Mapping[str, MetricSpec]
) -> list[str]:
    """What set-level metrics are, and whose intervals; `found` are their cells."""
    notes = []
    for metric, cells in found.items():
        spec = specs.get(metric)
        intervals = [cell.interval for cell in cells if cell.interval]
        methods = "; ".join(dict.fromkeys(i.method for i in intervals if i.low is not None))
        if spec and spec.distance:
            notes.append(
                f"{metric}: {_WORDS[spec.distance]} of the embeddings of all decodes from those of "
                "all their references; not comparable over sets of other sizes"
                + (f"; in brackets its 95 % interval: {methods}." if methods else ".")
            )
    return notes
