"""From mappings of scores to arrays."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

import numpy as np

from snacbench.stats.moments import Floats

Scores = Mapping[str, float]
"""Clip -> value; a clip on which a codec or metric failed is simply not there."""


def score_table(scores: Mapping[str, Scores]) -> tuple[list[str], Floats]:
    """Clips of any column, in order of first appearance, and their values.

    Parameters
    ----------
    scores : mapping of str to mapping of str to float
        Column (codec, operating point) -> clip -> value.

    Returns
    -------
    list of str, length (clips,)
    array, shape (clips, columns)
        NaN where a column lacks a clip.

    Raises
    ------
    ValueError
        If a value is not finite: what is undefined must be left out.
    """
    clips = list(dict.fromkeys(chain.from_iterable(scores.values())))
    table = np.full((len(clips), len(scores)), np.nan)
    row = {clip: i for i, clip in enumerate(clips)}
    for j, (name, column) in enumerate(scores.items()):
        values = np.fromiter(column.values(), float, len(column))
        wrong = np.flatnonzero(~np.isfinite(values))
        if wrong.size:
            clip = list(column)[int(wrong[0])]
            raise ValueError(
                f"{name}: the value of clip {clip!r} is {values[wrong[0]]}; leave out clips "
                "without a value"
            )
        rows = np.fromiter(map(row.__getitem__, column), np.intp, len(column))
        table[rows, j] = values
    return clips, table
