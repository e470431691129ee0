"""The ladder of a codec's rates: nominal, actual, entropy, held out, coded, conditional.

What each rung means is said in docs/rates.md. Everything here is over the clips of one domain, and
intervals are over their speakers or tracks, with every estimate made anew without each of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snacbench.rate.entropy import HeldOut
from snacbench.stats.intervals import Interval
from snacbench.tables.code_entropy import Book, entropies_of
from snacbench.tables.coders import Coder
from snacbench.tables.columns import CodecColumns
from snacbench.tables.entries import Entry
from snacbench.tables.run import RunRows
from snacbench.tables.summary import record_of
from snacbench.types import CodecSpec
from snacbench.units import kbps


@dataclass(frozen=True)
class Coded:
    """What a coder wrote: kbps (1000 bit/s) with side information, and bits per token by stream.

    `clips` were written; `plain_kbps` is what they cost in whole bits per index. Bits per token are
    known where these are all of the codec's clips.
    """

    coder: Coder
    kbps: float
    plain_kbps: float
    bits_per_token: tuple[float, ...]
    clips: int


@dataclass(frozen=True)
class Ladder:
    """The rates of one operating point over one domain, in kbps (1000 bit/s); None: not known.

    Attributes
    ----------
    record : mapping
        Of the summary, see `tables.summary`: nominal and actual rate, entropy, efficiencies.
    entropy, efficiency : Interval or None
        With intervals over clusters.
    held_out_kbps : float or None
        Order-0 code length of each half of the clusters under tables trained on the other.
    books : tuple of Book
    coded : tuple of Coded
    n : int
    """

    spec: CodecSpec
    record: Mapping[str, float | None]
    entropy: Interval | None
    efficiency: Interval | None
    held_out_kbps: float | None
    books: tuple[Book, ...]
    coded: tuple[Coded, ...]
    n: int

    def of(self, name: str, *, shuffled: bool = False) -> Coded | None:
        """What the coder of a name wrote, or its control."""
        return next((c for c in self.coded if c.coder == Coder(name, shuffled)), None)

    @property
    def conditional(self) -> Coded | None:
        """The context model with the lowest rate over all clips."""
        models = [c for c in self.coded if c.coder.conditional and not c.coder.shuffled]
        complete = [model for model in models if model.clips == self.n]
        return min(complete, key=lambda model: model.kbps, default=None)


def ladder_of(rows: RunRows, codec: CodecColumns, domain: str) -> Ladder:
    """All rates of a codec over the clips of a domain."""
    clips, entry = codec.ok(domain), Entry(codec.spec.name, rows, codec)
    entropy = efficiency = None
    books: tuple[Book, ...] = ()
    if codec.counted(domain):
        entropy, efficiency, books = entropies_of(rows, codec, domain)
    return Ladder(
        spec=codec.spec,
        record=record_of(entry, domain, entry.coded(domain)),
        entropy=entropy,
        efficiency=efficiency,
        held_out_kbps=_held_out_kbps(codec, domain, [book.held_out for book in books]),
        books=books,
        coded=tuple(_coded(codec, coder, clips, books) for coder in _coders(codec, clips)),
        n=len(clips),
    )


def _held_out_kbps(
    codec: CodecColumns, domain: str, books: Sequence[HeldOut | None]
) -> float | None:
    bits = [book.bits for book in books if book is not None]
    if not bits or len(bits) < len(books):
        return None
    coded = codec.coded[codec.ok(domain)]
    return kbps(math.fsum([*bits, *coded["side_info_bits"]]), math.fsum(coded["duration_s"]))


def _coders(codec: CodecColumns, clips: NDArray[np.intp]) -> list[Coder]:
    return [coder for coder in codec.written.coders if len(codec.written.clips(coder, clips))]


def _coded(
    codec: CodecColumns, coder: Coder, clips: NDArray[np.intp], books: Sequence[Book]
) -> Coded:
    written = codec.written.clips(coder, clips)
    cells = codec.coded[written]
    duration_s = math.fsum(cells["duration_s"])
    streams = codec.written.stream_bits(coder, written)
    tokens = [book.entropy.tokens for book in books] if len(written) == len(clips) else []
    return Coded(
        coder=coder,
        kbps=kbps(math.fsum([*streams, *cells["side_info_bits"]]), duration_s),
        plain_kbps=kbps(math.fsum(cells["bits"]), duration_s),
        bits_per_token=tuple((streams / tokens).tolist()) if tokens else (),
        clips=len(written),
    )
