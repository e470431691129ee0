"""What entropy coders wrote, per codec and coder: bytes of every clip and stream."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snacbench.rows import CodedBytes
from snacbench.units import BITS_PER_BYTE

PACKED, STATIC, ADAPTIVE = "packed", "static", "adaptive"
NOT_CONDITIONAL = (PACKED, STATIC, ADAPTIVE)
"""Coders that know nothing of a token's neighbours."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Coder:
    """A coder as a column has it; `shuffled` is its control, in which no context can help."""

    name: str
    shuffled: bool = False

    @property
    def conditional(self) -> bool:
        """Whether it is a context model: its code length is a conditional entropy's bound."""
        return self.name not in NOT_CONDITIONAL


class WrittenBytes:
    """Bytes that coders wrote for one codec's clips; of two rows of a clip the last counts."""

    def __init__(self, streams: int) -> None:
        self._streams = streams
        self._bytes: dict[Coder, dict[int, tuple[int, ...]]] = {}

    def take(self, clip: int, row: CodedBytes) -> None:
        """Enter what a coder wrote for a clip."""
        coder = Coder(row.coder, row.shuffled)
        self._bytes.setdefault(coder, {})[clip] = row.stream_bytes

    @property
    def coders(self) -> list[Coder]:
        """In the order of their first rows."""
        return list(self._bytes)

    def clips(self, coder: Coder, clips: NDArray[np.intp]) -> NDArray[np.intp]:
        """Those among some clips that a coder wrote."""
        written = self._bytes.get(coder, {})
        return np.array([clip for clip in clips.tolist() if clip in written], np.intp)

    def stream_bits(self, coder: Coder, clips: NDArray[np.intp]) -> Floats:
        """Bits of each stream over clips that the coder wrote, shape (streams,)."""
        written = self._bytes[coder]
        total = np.zeros(self._streams)
        for clip in clips.tolist():
            total += written[clip]
        return total * BITS_PER_BYTE

    def bits(self, coder: Coder, clips: NDArray[np.intp]) -> float | None:
        """Bits over some clips; None unless the coder wrote all of them."""
        if not len(clips) or len(self.clips(coder, clips)) < len(clips):
            return None
        return math.fsum(self.stream_bits(coder, clips))

    def best_conditional(self, clips: NDArray[np.intp]) -> Coder | None:
        """The context model that wrote the fewest bits, among those that wrote all of the clips."""
        models = [c for c in self._bytes if c.conditional and not c.shuffled]
        bits = {model: self.bits(model, clips) for model in models}
        complete = {model: found for model, found in bits.items() if found is not None}
        return min(complete, key=complete.__getitem__) if complete else None
