"""Counting codes: small rows that add up to a corpus."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snacbench.rows import CodeHistogram
from snacbench.types import CodecSpec, Encoded


def histograms_of(
    parts: Sequence[Encoded], *, clip: str, spec: CodecSpec
) -> tuple[CodeHistogram, ...]:
    """One histogram per stream of a clip; `parts` are its channels where each is coded alone."""
    rows = []
    for index, stream in enumerate(spec.streams):
        codes = np.concatenate([part.codes[index].ravel() for part in parts])
        used, counts = np.unique(codes, return_counts=True)
        size, used, counts = stream.codebook_size, used.astype(np.int32), counts.astype(np.int64)
        rows.append(CodeHistogram(clip, spec.name, index, size, used, counts))
    return tuple(rows)
