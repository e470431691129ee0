"""Entropy of codebooks over a corpus, corrected for the bias of small samples.

The plug-in entropy of N tokens reads low when N is not much larger than the codebook, so tokens are
pooled over the corpus, corrected, and every estimate says how many tokens it rests on. Below one
token per entry no estimator is to be trusted: there is only a range, from the plug-in estimate to
log2 of the codebook's size. docs/rates.md has measurements.

Estimates take pooled counts, shape ``(codebook_size,)``, treat tokens as independent draws, answer
in bits per token, and never more than log2 of the codebook's size, which is known.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from snacbench.types import CodecSpec, Floats
from snacbench.units import bits_per_code, kbps

Counts = NDArray[np.integer]

# From here on the estimate is on average within 2 % on real codes; below, it is flagged. Tokens
# alone do not tell: those of one clip are alike, and say little of other clips.
RELIABLE_TOKENS_PER_ENTRY = 3
RELIABLE_CLIPS = 30
# Below this many, only a range is given.
FEWEST_TOKENS_PER_ENTRY = 1

Value = Literal["plug_in", "corrected", "lowest", "highest"]

# ln u at which the integral of `corrected_entropy_bits` is cut off: beyond, it is below 1e-16 of
# the whole.
_LOG_U = np.arange(-64.0, 5.0, 0.1)
# Candidates for what is added to every count; the largest make nearly flat tables.
_ADDED = 2.0 ** np.arange(-8, 15)


def plug_in_entropy_bits(counts: Counts) -> float:
    """``-sum p log2 p`` with ``p = n_k / N``; ValueError where no token was counted."""
    total, n = _seen(counts)
    return max(0.0, -float((n / total * np.log2(n / total)).sum()))


def corrected_entropy_bits(counts: Counts) -> float:
    """Entropy in bits per token from the rate at which new codes turn up.

    What the codes seen say without bias, ``sum n_k / N (psi(N) - psi(n_k))``, plus an estimate of
    what the unseen ones would add, from the numbers f1 and f2 of codes seen once and twice (Chao,
    Wang and Jost, "Entropy and the species accumulation curve", Methods in Ecology and Evolution 4,
    2013, eq. 7): ``f1 / N (1 - A)^(1 - N) (-ln A - sum)``. ValueError where no token was counted.
    """
    total, n = _seen(counts)
    nats = float((n * (digamma(total) - digamma(n))).sum()) / total
    singles, doubles = int((n == 1).sum()), int((n == 2).sum())
    pairs = 2 * doubles if doubles else 2
    others = singles if doubles else singles - 1
    if singles and total > 1 and others:
        # The difference in brackets is the tail of a series, sum_{r >= N} (1 - A)^r / r; taken by
        # itself it cancels for large N. Here it is an integral over u = N (-ln t) of the series'
        # generating function, by the trapezoid rule over ln u, which converges geometrically.
        log_q = math.log1p(-pairs / ((total - 1) * others + pairs))
        u = np.exp(_LOG_U)
        heights = u * np.exp(-u) / -np.expm1(log_q - u / total)
        tail = math.exp(log_q) / total * float(heights.sum()) * float(_LOG_U[1] - _LOG_U[0])
        nats += singles / total * tail
    return min(max(0.0, nats / math.log(2)), math.log2(len(counts)))


def _seen(counts: Counts) -> tuple[int, Floats]:
    """Number of tokens, and the counts of codes that occur."""
    total = int(counts.sum())
    if total == 0:
        raise ValueError("entropy needs at least one token, found none")
    return total, counts[counts > 0].astype(float)


@dataclass(frozen=True)
class CodebookEntropy:
    """Entropy of one stream's codes over a corpus, in bits per token, by both estimators.

    They rest on `tokens` tokens of `clips` clips, in which `used` entries of the codebook occur.
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
    def dead(self) -> int:
        """Entries that never occur; with few tokens many are only rare."""
        return self.codebook_size - self.used

    def bits(self, value: Value) -> float:
        """One of its entropies, in bits per token."""
        return float(getattr(self, f"{value}_bits"))


def codebook_entropy(counts: Counts, *, clips: int) -> CodebookEntropy:
    """Entropy of a stream from the pooled counts of some clips, shape (codebook_size,)."""
    return CodebookEntropy(
        plug_in_bits=plug_in_entropy_bits(counts), corrected_bits=corrected_entropy_bits(counts),
        tokens=int(counts.sum()), used=int(np.count_nonzero(counts)), codebook_size=len(counts),
        clips=clips,
    )  # fmt: skip


def entropy_kbps(
    books: Sequence[CodebookEntropy],
    *,
    duration_s: float,
    other_bits: int = 0,
    value: Value = "corrected",
) -> float:
    """Rate in kbps (1000 bit/s) of an ideal order-0 coder with known statistics.

    Entropy times the tokens sent, padding included, plus `other_bits` (side information).
    """
    code_bits = sum(book.bits(value) * book.tokens for book in books)
    return kbps(code_bits + other_bits, duration_s)


def bitrate_efficiency(
    books: Sequence[CodebookEntropy], spec: CodecSpec, *, value: Value = "plug_in"
) -> float:
    """Share of the code bits that carry information, 0 to 1; higher is better.

    Sum of the codebooks' entropies over the sum of their bits, as the DAC paper defines it
    (Kumar et al. 2023, section 4.6 and table 2, by plug-in entropies over a large set), each
    codebook weighted by its frame rate.
    """
    weights = [float(stream.frame_rate_hz) for stream in spec.streams]
    entropy = sum(w * b.bits(value) for w, b in zip(weights, books, strict=True))
    bits = sum(w * bits_per_code(b.codebook_size) for w, b in zip(weights, books, strict=True))
    return entropy / bits


def trained_shares(counts: Counts) -> Floats:
    """Shares, (codebook_size,), of a table trained on counts, (units, codebook_size).

    They are ``(n_k + a) / (N + a K)``. `a` is the candidate with which every unit (speaker, track)
    is coded best by the others: where they share few codes, the table comes out nearly flat. A unit
    alone is taken apart into its tokens.
    """
    size = counts.shape[1]
    units = counts[counts.any(axis=1)].astype(float)
    pooled = units.sum(axis=0)
    total = pooled.sum()
    if total < 2:
        return np.full(size, 1 / size)
    fits = []  # log-likelihoods
    for a in _ADDED:
        if len(units) == 1:  # of every token given all others
            seen = pooled[pooled > 0]
            fit = (seen * np.log(seen - 1 + a)).sum() - total * np.log(total - 1 + a * size)
        else:  # of every unit's tokens given the others' counts
            others = pooled - units
            shares = (others + a) / (others.sum(axis=1, keepdims=True) + a * size)
            fit = (units * np.log(shares)).sum()
        fits.append(float(fit))
    a = float(_ADDED[int(np.argmax(fits))])
    return np.asarray((pooled + a) / (total + a * size))


def held_out_bits(parts: Sequence[Counts]) -> float | None:
    """Code length of a corpus, each part by a table of all the others: a bound from above.

    In bits, lower is better. A part has counts of one stream by unit, shape (units, codebook_size);
    what is of one speaker or track belongs into the same part. None where fewer than two parts have
    tokens.
    """
    filled = [part for part in parts if part.any()]
    if len(filled) < 2:
        return None
    bits = 0.0
    for index, part in enumerate(filled):
        trained = np.concatenate([other for i, other in enumerate(filled) if i != index])
        bits -= float((part.sum(axis=0) * np.log2(trained_shares(trained))).sum())
    return bits
