"""The algorithmic delay of a codec, measured: how much input an output sample waits for.

A signal is coded twice, the second time with every sample from one on turned into its opposite at
full strength. The first decoded sample that differs, in any bit, is the first that had to wait for
that one. Positions of a whole frame are tried, and several signals: a change at a frame's end may
be too small to alter a code.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from snacbench.types import Audio, Codec, Encoded

LONGEST_S = 4.0  # a codec that waits for more counts as one that wants the whole file
MOST_POSITIONS = 150
# Of full scale: drowns whatever weight a network gives to the farthest sample that it looks at.
_NETWORK_STRENGTH = 1e15


@runtime_checkable
class Network(Protocol):
    """What a codec on PyTorch may offer beyond `Codec`, so that it can be looked into.

    It takes samples beyond full scale as they are.
    """

    @property
    def block_samples(self) -> int:
        """Samples after which its way of looking ahead begins anew: those of a frame, mostly."""

    def parts(self) -> Mapping[str, Sequence[Any]]:
        """Modules of the ``encoder``, called while encoding, of ``decoder`` and ``quantiser``."""

    def params_m(self) -> Mapping[str, float]:
        """Parameters of each part in millions."""

    def fine_decoder(self) -> Callable[[Encoded], NDArray[Any]]:
        """A decoder to (channels, time) in 64-bit floats, its random numbers always alike.

        In 32 bits the rounding of sums hides what the outermost taps of many layers contribute.
        """


def block_of(codec: Codec, rate_hz: int) -> int | None:
    """Samples of a frame, or of what a codec codes at once; None where nobody knows."""
    if isinstance(codec, Network):
        return codec.block_samples
    rates = [stream.frame_rate_hz for stream in codec.spec.streams]
    return math.ceil(rate_hz / min(rates)) if rates else None


def measure(codec: Codec, rate_hz: int) -> tuple[int | None, bool, int]:
    """How many input samples an output sample waits for, itself counted; None: it is not known.

    Whether that is more than `LONGEST_S`, or all of the signal; and how many positions were tried.
    """
    span = block_of(codec, rate_hz) or 0
    if not isinstance(codec, Network):
        span = max(span, round(0.1 * rate_hz))  # holds several frames of any codec for transmission
    start, tried = round(0.5 * rate_hz), 0
    while start <= LONGEST_S * rate_hz:
        probe = _Probe(codec, rate_hz, start + 2 * span)
        found = probe.search(start, start + span - 1)
        tried += len(probe.first)
        if min(probe.first.values()) == probe.length:
            break  # nothing makes a difference
        if found is not None:
            return found, False, tried
        start *= 2
    return None, start > LONGEST_S * rate_hz, tried


class _Probe:
    """Signals of one length through one codec, changed from one position on after another.

    `first` has of each position the first output sample that any signal's change reaches.
    """

    def __init__(self, codec: Codec, rate_hz: int, length: int) -> None:
        self.codec, self.rate_hz, self.length = codec, rate_hz, length
        # Codes of segments are not codes of a place.
        self.network = isinstance(codec, Network) and codec.spec.max_segment_frames == 1
        self.decode: Callable[[Encoded], NDArray[Any]] = (
            codec.fine_decoder()
            if isinstance(codec, Network)
            else lambda encoded: codec.decode(encoded, seed=0).samples
        )
        shape = min(codec.spec.channels or (1,)), length
        noise = np.random.default_rng(1).standard_normal(shape)
        tone = np.sin(2 * np.pi * 440 * np.arange(length) / rate_hz)
        signals = (0.5 * tone + 0.003 * noise, 0.1 * noise, 0.001 * noise)
        self.signals = [signal.astype(np.float32) for signal in signals]
        self.encoded = [codec.encode(Audio(signal, rate_hz)) for signal in self.signals]
        self.decoded = [self.decode(encoded) for encoded in self.encoded]
        self.known = dict[tuple[int, ...], int]()
        self.first: dict[int, int] = {}

    def search(self, low: int, high: int) -> int | None:
        """The longest wait of an output sample for positions of a span; None if sample 0 waits.

        What a later position changes cannot begin before what an earlier one changes. So between
        two none waits longer than from the earlier one's first change to the later one; where that
        is longest the span is halved, until it is not longer than what was found.
        """
        first, spans = self.first, [(low, high)]
        self._try(low, 0)
        self._try(high, first[low])
        while first[low]:
            found = max(at - first[at] for at in first) + 1
            left, right = max(spans, key=lambda span: span[1] - first[span[0]])
            if right - first[left] <= found or len(first) >= MOST_POSITIONS:
                return found
            self._try(middle := (left + right) // 2, first[left])
            spans.remove((left, right))
            spans += [(left, middle), (middle, right)]
        return None

    def _try(self, position: int, least: int) -> None:
        """Find what a position changes first; once that is `least`, no other signal is tried."""
        first = self.length
        for number, signal in enumerate(self.signals):
            changed = signal.copy()
            strength = _NETWORK_STRENGTH if self.network else 1.0
            changed[:, position:] = -strength * np.copysign(1, signal[:, position:])
            other = self.codec.encode(Audio(changed, self.rate_hz))
            before = self.encoded[number]
            key: tuple[int, ...] = (number, len(self.known))
            if self.network:  # of its codes it is where the first ones differ that decides
                sides = [[*e.codes, np.frombuffer(e.side_info, np.uint8)] for e in (before, other)]
                key = (number, *(_first_of(a != b) for a, b in zip(*sides, strict=True)))
            if key not in self.known:
                self.known[key] = _first_of(self.decode(other) != self.decoded[number])
            first = min(first, self.known[key])
            if first <= least:
                break
        self.first[position] = first
        for earlier in self.first:  # what it changes, they could
            if earlier < position:
                self.first[earlier] = min(self.first[earlier], first)


def _first_of(differ: NDArray[np.bool_]) -> int:
    """The first place along the last axis at which anything differs; its length if nothing does."""
    places = np.flatnonzero(differ.any(axis=tuple(range(differ.ndim - 1))))
    return int(places[0]) if len(places) else differ.shape[-1]
