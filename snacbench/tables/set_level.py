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
from snacbench.stats.sets import DISTANCES, FEWEST, EmbeddingSet, kernel_step
from snacbench.store.embeddings import kept
from snacbench.tables.run_rows import MOST_UNITS, CodecColumns, RunRows, few_clusters
from snacbench.tables.table_model import Cell
from snacbench.types import MetricSpec


def set_cell(
    rows: RunRows, codec: CodecColumns, metric: str, clips: Collection[str], *, ci: bool
) -> Cell:
    """A codec's distance over some of its clips, each with its own reference; `ci`: its interval.

    It depends on these clips of this codec alone. The interval is the jackknife's, over their
    clusters (at most `MOST_UNITS` groups of them), decodes and references left out together. A cell
    without a value says why.
    """
    numbers = sorted(rows.numbers_of(clips), key=rows.ids.__getitem__)
    key = metric, tuple(numbers), ci
    if key not in codec.distances:
        spec = next(m for m in rows.run.metrics if m.name == metric)
        codec.distances[key] = _measured(rows, codec, spec, numbers, ci=ci)
    return codec.distances[key]


def _measured(
    rows: RunRows, codec: CodecColumns, spec: MetricSpec, numbers: Sequence[int], *, ci: bool
) -> Cell:
    clips = [rows.clips[number] for number in numbers]
    empty = Cell(n=len(clips))
    if not clips or spec.distance is None or rows.path is None:
        return empty
    labels = [clip.cluster for clip in clips]
    clustering, few = cluster_clips(labels), few_clusters(labels)
    index = np.arange(len(clips)) if few else clustering.index
    units = min(int(index.max()) + 1, MOST_UNITS) if ci else 1
    digests = zip(*(codec.embedded[spec.name][number] for number in numbers), strict=True)
    try:
        reference, degraded = (_pooled(rows.path, of, index % units) for of in digests)
    except StoreError as error:
        return replace(empty, notes=(f"{spec.name}: {error}",))
    n, dimensions = reference.values.shape
    if min(n, len(degraded.values)) < FEWEST:
        return replace(empty, notes=(f"{n} embedding, {FEWEST} are needed for a distance",))
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
    if spec.distance == "kernel" and (step := kernel_step(n)) > 1:
        notes = (f"{n} embeddings, of which one in {step} counts",)
    return Cell(found.value, interval, len(clips), notes=notes)


def _pooled(folder: Path, digests: Sequence[str], unit: NDArray[np.intp]) -> EmbeddingSet:
    """The embeddings of all clips, and the unit of each; StoreError if a file is not there."""
    values = [kept(folder, digest).astype(float) for digest in digests]
    return EmbeddingSet(np.concatenate(values), np.repeat(unit, [len(of) for of in values]))


def set_level_note(found: Mapping[str, Sequence[Cell]]) -> str:
    """What figures of set-level metrics are, and how their intervals were made; empty for none."""
    intervals = (cell.interval for cells in found.values() for cell in cells if cell.interval)
    methods = "; ".join(dict.fromkeys(interval.method for interval in intervals))
    if not found:
        return ""
    return (
        f"{', '.join(found)}: one distance of all decodes from all their references, as sets; not "
        "comparable over sets of other sizes"
        + (f"; in brackets its 95 % interval: {methods}." if methods else ".")
    )
