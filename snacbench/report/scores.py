"""Every score of a run as the page's table takes it: columns of numbers, a few bytes each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from snacbench.tables.run_rows import ALL_DOMAINS, Cells, RunRows, actual_kbps_of


def score_data(rows: RunRows, media: Mapping[str, int]) -> dict[str, Any]:
    """Clips, with the numbers of their players' files in `media`, codecs, metrics, and scores.

    ``rows`` holds columns of one length: ``clip`` and ``codec`` are indices, ``kbps`` is the clip's
    actual rate, ``scores`` one column per metric. A cell without a number is "undefined", or None
    where the metric failed or is not meant for the clip.
    """
    columns: dict[str, list[Any]] = {"clip": [], "codec": [], "kbps": [], "ok": []}
    scores: list[list[Any]] = [[] for _ in rows.clip_metrics]
    codecs = []
    for index, codec in enumerate(rows.codecs):
        spec, kbps, tried = codec.spec, actual_kbps_of(codec, ALL_DOMAINS), codec.tried(ALL_DOMAINS)
        coded = codec.coded[tried]
        with np.errstate(divide="ignore", invalid="ignore"):
            rates = coded["bits"] / coded["duration_s"] / 1000
        columns["clip"] += tried.tolist()
        columns["codec"] += [index] * len(tried)
        columns["kbps"] += _rounded(rates)
        columns["ok"] += coded["ok"].astype(int).tolist()
        for column, metric in zip(scores, rows.clip_metrics, strict=True):
            cells = codec.scores.get(metric)
            if cells is None:
                column.extend([None] * len(tried))
                continue
            found = cells[tried]
            values = _rounded(np.where(found["ok"], found["value"], np.nan))
            for place in np.flatnonzero(found["undefined"]).tolist():
                values[place] = "undefined"
            column.extend(values)
        codecs.append(
            {
                "name": spec.name,
                "model": spec.model,
                "kbps": None if kbps is None else round(kbps, 3),
                "anchor": spec.anchor,
                "demonstration": spec.demonstration,
            }
        )
    specs = {metric.name: metric for metric in rows.run.metrics}
    known_specs = [(name, specs.get(name)) for name in rows.clip_metrics]
    return {
        "metrics": [
            {"name": name, "unit": m.unit if m else "", "better": m.better if m else "higher"}
            for name, m in known_specs
        ],
        "codecs": codecs,
        "clips": [{"id": c.id, "domain": c.domain, "media": media.get(c.id)} for c in rows.clips],
        "rows": {**columns, "scores": scores},
    }


def _rounded(values: Cells) -> list[Any]:
    """Numbers to five digits; what is no finite number becomes None."""
    return [float(f"{v:.5g}") if math.isfinite(v) else None for v in values.tolist()]
