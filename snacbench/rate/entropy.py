"""Entropy of codebooks over a corpus, corrected for the bias of small samples.

The plug-in entropy of N tokens reads low when N is not much larger than the codebook: uniform
codes from 4,096 entries read 10.5 bit after 2,000 tokens, where the truth is 12. So tokens are
pooled over the corpus, corrected (`estimators`), and every estimate says how many tokens it rests
on. Below one token per entry no estimator is to be trusted: there is only a range, from the
plug-in estimate, which is low, to log2 of the codebook's size. The corrected one would not do as
its lower end: it is about as often above the truth as below.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from snacbench.rate.estimators import corrected_entropy_bits, plug_in_entropy_bits
from snacbench.rate.histogram import pooled_counts
from snacbench.rows import CodeHistogram
from snacbench.types import CodecSpec
from snacbench.units import bits_per_code, kbps

# From this many tokens per codebook entry and this many clips on, the estimate is on average
# within 2 % on real codes (benchmarks/entropy_real_codes.py); below, it is flagged. Tokens alone
# do not tell: those of one clip are alike, and say little of other clips.
RELIABLE_TOKENS_PER_ENTRY = 3
RELIABLE_CLIPS = 30
# Below this many, only a range is given.
FEWEST_TOKENS_PER_ENTRY = 1

Value = Literal["plug_in", "corrected", "lowest", "highest"]


@dataclass(frozen=True)
class CodebookEntropy:
    """Entropy of one stream's codes over a corpus.

    Attributes
    ----------
    plug_in_bits, corrected_bits : float
        Bits per token: maximum likelihood, and by the default estimator.
    tokens : int
        Number of tokens that the estimate rests on.
    used : int
        Codebook entries that occur at all.
    codebook_size : int
    clips : int
        Number of clips that the tokens are of.
    """

    plug_in_bits: float
    corrected_bits: float
    tokens: int
    used: int
    codebook_size: int
    clips: int

    @property
    def reliable(self) -> bool:
        """Whether the sample is so large that the estimate is on average within 2 %."""
        enough = self.tokens >= RELIABLE_TOKENS_PER_ENTRY * self.codebook_size
        return enough and self.clips >= RELIABLE_CLIPS

    @property
    def range_only(self) -> bool:
        """Whether there are too few tokens for more than `lowest_bits` to `highest_bits`."""
        return self.tokens < FEWEST_TOKENS_PER_ENTRY * self.codebook_size

    @property
    def lowest_bits(self) -> float:
        """Where the entropy may begin: the estimate, or the plug-in one where there is a range."""
        return self.plug_in_bits if self.range_only else self.corrected_bits

    @property
    def highest_bits(self) -> float:
        """Where the entropy may end: the estimate, or log2 K where there is a range only."""
        return math.log2(self.codebook_size) if self.range_only else self.corrected_bits

    @property
    def efficiency(self) -> float:
        """Corrected entropy over the bits that a packed index takes; 1 wastes nothing."""
        return self.corrected_bits / bits_per_code(self.codebook_size)

    @property
    def perplexity(self) -> float:
        """Entries of a codebook with equal shares and this entropy: ``2 ** corrected_bits``."""
        return float(2.0**self.corrected_bits)

    @property
    def dead(self) -> int:
        """Entries that never occur; with few tokens many are only rare."""
        return self.codebook_size - self.used

    @property
    def usage(self) -> float:
        """Share of the entries that occur, 0 to 1."""
        return self.used / self.codebook_size

    def bits(self, value: Value) -> float:
        """One of its entropies, in bits per token."""
        return float(getattr(self, f"{value}_bits"))


def codebook_entropy(counts: NDArray[np.integer], *, clips: int) -> CodebookEntropy:
    """Entropy of a stream from the pooled counts of some clips, shape (codebook_size,).

    Raises
    ------
    ValueError
        If no token was counted.
    """
    return CodebookEntropy(
        plug_in_bits=plug_in_entropy_bits(counts),
        corrected_bits=corrected_entropy_bits(counts),
        tokens=int(counts.sum()),
        used=int(np.count_nonzero(counts)),
        codebook_size=len(counts),
        clips=clips,
    )


def codebook_entropies(
    rows: Iterable[CodeHistogram], spec: CodecSpec
) -> tuple[CodebookEntropy, ...]:
    """Entropy of every stream of a codec over the clips whose histograms are given.

    Returns an empty tuple for codecs without streams, and where no clip was coded.
    """
    by_stream: dict[int, list[CodeHistogram]] = {}
    for row in rows:
        by_stream.setdefault(row.stream, []).append(row)
    if len(by_stream) < len(spec.streams):
        return ()
    return tuple(
        codebook_entropy(
            pooled_counts(of_stream := by_stream[index], stream.codebook_size),
            clips=len({row.clip for row in of_stream}),
        )
        for index, stream in enumerate(spec.streams)
    )


def entropy_kbps(
    books: Sequence[CodebookEntropy],
    *,
    duration_s: float,
    other_bits: int = 0,
    value: Value = "corrected",
) -> float:
    """Rate in kbps (1000 bit/s) of an ideal order-0 coder with known statistics.

    Entropy times the tokens really sent, padding included, plus `other_bits` (side information)
    that are not entropy-coded, over the source duration.
    """
    code_bits = sum(book.bits(value) * book.tokens for book in books)
    return kbps(code_bits + other_bits, duration_s)


def bitrate_efficiency(
    books: Sequence[CodebookEntropy], spec: CodecSpec, *, value: Value = "plug_in"
) -> float:
    """Share of the code bits that carry information, 0 to 1; higher is better.

    Sum of the codebooks' entropies over the sum of their bits, as the DAC paper defines it
    (Kumar et al. 2023, section 4.6 and table 2), each codebook weighted by its frame rate, which
    for DAC is the same for all of them. The paper takes plug-in entropies over a large set; few
    tokens make them low, so ask for the ``corrected`` ones too.

    Raises
    ------
    ValueError
        If there is no codebook.
    """
    if not books:
        raise ValueError("bitrate efficiency needs at least one codebook, found none")
    weights = [float(stream.frame_rate_hz) for stream in spec.streams]
    entropy = sum(w * b.bits(value) for w, b in zip(weights, books, strict=True))
    bits = sum(w * bits_per_code(b.codebook_size) for w, b in zip(weights, books, strict=True))
    return entropy / bits
