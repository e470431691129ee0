"""Every score of a run as the page's table takes it: columns of numbers, a few bytes each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snacbench.tables.run_rows import ALL_DOMAINS, Cells, CodecColumns, RunRows, actual_kbps_of

_DIGITS = 5
_POWERS = np.array([float(f"1e{power}") for power in range(23)])  # exact up to here


def score_data(rows: RunRows, media: Mapping[str, int]) -> dict[str, Any]:
    """Clips, codecs, metrics, and a row per clip and codec.

    Parameters
    ----------
    rows : RunRows
    media : mapping
        Clip id -> number of the files of its players.

    Returns
    -------
    dict
        ``rows`` holds columns of one length: ``clip`` and ``codec`` are indices, ``kbps`` is the
        clip's actual rate, ``scores`` one column per metric. A cell without a number is
        "undefined", or None where the metric failed or is not meant for the clip.
    """
    columns: dict[str, list[Any]] = {"clip": [], "codec": [], "kbps": [], "ok": []}
    scores: list[list[Any]] = [[] for _ in rows.metrics]
    for index, codec in enumerate(rows.codecs):
        tried = codec.tried(ALL_DOMAINS)
        columns["clip"] += tried.tolist()
        columns["codec"] += [index] * len(tried)
        columns["kbps"] += _rounded(_kbps(codec.coded[tried]))
        columns["ok"] += codec.coded["ok"][tried].astype(int).tolist()
        for column, metric in zip(scores, rows.metrics, strict=True):
            column.extend(_cells(codec, metric, tried))
    return {
        "metrics": [_metric(rows, name) for name in rows.metrics],
        "codecs": [_codec(codec) for codec in rows.codecs],
        "clips": [_clip(c.id, c.domain, c.cluster, media.get(c.id)) for c in rows.clips],
        "rows": {**columns, "scores": scores},
    }


def _metric(rows: RunRows, name: str) -> dict[str, Any]:
    spec = next((m for m in rows.run.metrics if m.name == name), None)
    return {
        "name": name,
        "unit": spec.unit if spec else "",
        "better": spec.better if spec else "higher",
    }


def _codec(codec: CodecColumns) -> dict[str, Any]:
    spec = codec.spec
    kbps = actual_kbps_of(codec, ALL_DOMAINS)
    return {
        "name": spec.name,
        "model": spec.model,
        "kbps": None if kbps is None else round(kbps, 3),
        "nominal": spec.nominal_kbps,
        "tokens": spec.tokens_per_s,
        "anchor": spec.anchor,
        "demonstration": spec.demonstration,
    }


def _clip(id_: str, domain: str, cluster: str | None, media: int | None) -> dict[str, Any]:
    return {"id": id_, "domain": domain, "cluster": cluster, "media": media}


def _kbps(coded: Cells) -> Cells:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(coded["bits"] / coded["duration_s"] / 1000)


def _cells(codec: CodecColumns, metric: str, tried: Cells) -> list[Any]:
    """A codec's scores on some clips; see `score_data` for those without a number."""
    cells = codec.scores.get(metric)
    if cells is None:
        return [None] * len(tried)
    known = tried < len(cells)
    found = cells[np.where(known, tried, 0)]
    values: list[Any] = list(_rounded(np.where(known & found["ok"], found["value"], np.nan)))
    for place in np.flatnonzero(known & found["undefined"]).tolist():
        values[place] = "undefined"
    return values


def _rounded(values: Cells) -> list[float | None]:
    """Numbers to five digits; what is no finite number becomes None."""
    finite = np.isfinite(values)
    size = np.abs(np.where(finite & (values != 0), values, 1.0))
    places = _DIGITS - 1 - np.floor(np.log10(size)).astype(int)
    exact = np.abs(places) < len(_POWERS)
    power = _POWERS[np.where(exact, np.abs(places), 0)]
    scaled = np.rint(np.where(places < 0, values / power, values * power))
    # Whole numbers over exact powers give the same number as its five digits do when read.
    rounded = np.where(exact, np.where(places < 0, scaled * power, scaled / power), values)
    found: list[float | None] = rounded.tolist()
    for place in np.flatnonzero(~finite).tolist():
        found[place] = None
    return found
