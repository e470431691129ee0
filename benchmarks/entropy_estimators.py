"""How far estimates of a codebook's entropy are off, by source, codebook and number of tokens.

    python benchmarks/entropy_estimators.py            # the table of docs/rates.md, some minutes
    python benchmarks/entropy_estimators.py --quick    # fewer samples, up to 10 tokens per entry

Sources whose entropy is known:

- `uniform`, `zipf` (probability 1 / rank) and `zipf 1.5` draw every token anew;
- `markov` follows one of 8 successors of the last token, drawn once and weighed 1 / rank, or, 2 %
  of the time, jumps anywhere: 3 bit per token given the last one, nearly 10 or 12 without;
- `sticky` repeats the last token 30 % of the time and else draws from `zipf`. Repeats tell nothing
  new, so a token is worth (1 - 0.3) / (1 + 0.3) = 0.54 tokens here, and no estimator that sees
  counts alone can know it. It shows what is not promised.

Entropy is that of single tokens. All N of a sample are beginnings of one sequence.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from snacbench.rate.entropy import corrected_entropy_bits, plug_in_entropy_bits

SIZES = (1024, 4096)
SUCCESSORS, JUMPS, REPEATS = 8, 0.02, 0.3
SAMPLES, MOST_TOKENS = 40, 1_000_000
PROMISES = ((3, 2.0), (10, 1.0))  # tokens per entry, percent

Draw = Callable[[np.random.Generator, int, int], NDArray[np.intp]]


def miller_madow_entropy_bits(counts: NDArray[np.integer]) -> float:
    """Entropy in bits per token with the first-order bias correction.

    Adds ``(used - 1) / (2 N ln 2)`` to the plug-in estimate (Miller 1955, "Note on the bias of
    information estimates"; Paninski 2003, eq. 4). Low where many codes are rare.

    Parameters
    ----------
    counts : array, shape (codebook_size,)
    """
    nats = plug_in_entropy_bits(counts) * math.log(2)
    used = int(np.count_nonzero(counts))
    return _bits(nats + (used - 1) / (2 * int(counts.sum())), counts)


def grassberger_entropy_bits(counts: NDArray[np.integer]) -> float:
    """Entropy in bits per token after Grassberger, "Entropy estimates from insufficient samplings".

    ``ln N - sum n_k G(n_k) / N`` with ``G(n) = psi(n) + (-1)^n (psi((n + 1) / 2) - psi(n / 2)) /
    2`` (2003, arXiv physics/0307138, eqs. 27 and 35).

    Parameters
    ----------
    counts : array, shape (codebook_size,)
    """
    total, n = int(counts.sum()), counts[counts > 0].astype(float)
    sign = np.where(n % 2, -1.0, 1.0)
    g = digamma(n) + sign * (digamma((n + 1) / 2) - digamma(n / 2)) / 2
    return _bits(math.log(total) - float((n * g).sum()) / total, counts)


def chao_shen_entropy_bits(counts: NDArray[np.integer]) -> float:
    """Entropy in bits per token from coverage and the chance that a code was seen at all.

    ``-sum c ln c / (1 - (1 - c)^N)`` with ``c = C n_k / N`` and Good and Turing's coverage ``C = 1
    - f1 / N`` (Chao and Shen, "Nonparametric estimation of Shannon's index of diversity when there
    are unseen species in sample", 2003, eq. 7). Where every token is its own code, f1 is taken as
    N - 1.

    Parameters
    ----------
    counts : array, shape (codebook_size,)
    """
    total, n = int(counts.sum()), counts[counts > 0].astype(float)
    singles = min(int((n == 1).sum()), total - 1)
    c = (1 - singles / total) * n / total
    with np.errstate(divide="ignore", invalid="ignore"):
        missed = np.exp(total * np.log1p(-c))
        terms = np.where(c > 0, c * np.log(c) / (1 - missed), 0.0)
    return _bits(-float(terms.sum()), counts)


def _bits(nats: float, counts: NDArray[np.integer]) -> float:
    return min(max(0.0, nats / math.log(2)), math.log2(len(counts)))


DEFAULT = "Chao-Wang-Jost"
ESTIMATORS: dict[str, Callable[[NDArray[np.integer]], float]] = {
    "plug-in": plug_in_entropy_bits,
    "Miller-Madow": miller_madow_entropy_bits,
    "Grassberger": grassberger_entropy_bits,
    "Chao-Shen": chao_shen_entropy_bits,
    DEFAULT: corrected_entropy_bits,
}


@dataclass(frozen=True)
class Source:
    """Where tokens come from: its name, the shares of its tokens, and some sequences of them.

    `draw(rng, sequences, tokens)` gives shape (sequences, tokens).
    """

    name: str
    shares: NDArray[np.float64]
    draw: Draw

    @property
    def entropy_bits(self) -> float:
        """The truth, in bits per token."""
        p = self.shares[self.shares > 0]
        return float(-(p * np.log2(p)).sum())


def zipf(size: int, exponent: float) -> NDArray[np.float64]:
    """Shares that fall with a power of the rank; exponent 0 is uniform."""
    weights = np.arange(1, size + 1) ** -exponent
    return np.asarray(weights / weights.sum())


def independent(name: str, shares: NDArray[np.float64], repeats: float = 0.0) -> Source:
    """Tokens drawn anew, or with some probability the last one again."""
    cumulated = np.cumsum(shares)

    def draw(rng: np.random.Generator, sequences: int, tokens: int) -> NDArray[np.intp]:
        points = rng.random((sequences, tokens))
        drawn = np.minimum(np.searchsorted(cumulated, points, "right"), len(shares) - 1)
        if not repeats:
            return drawn
        fresh = rng.random((sequences, tokens)) >= repeats
        fresh[:, 0] = True
        last = np.maximum.accumulate(np.where(fresh, np.arange(tokens), 0), axis=1)
        return np.take_along_axis(drawn, last, axis=1)

    return Source(name, shares, draw)


def markov(size: int, seed: int) -> Source:
    """A chain over a sparse graph drawn once; it starts in its stationary distribution."""
    successors = np.random.default_rng(seed).integers(0, size, (size, SUCCESSORS))
    weights = zipf(SUCCESSORS, 1.0)
    shares = np.full(size, 1 / size)
    for _ in range(2000):
        onward = np.zeros(size)
        np.add.at(onward, successors, shares[:, None] * weights)
        shares = (1 - JUMPS) * onward + JUMPS / size

    def draw(rng: np.random.Generator, sequences: int, tokens: int) -> NDArray[np.intp]:
        walk = np.empty((tokens, sequences), np.intp)
        walk[0] = rng.choice(size, sequences, p=shares / shares.sum())
        for step in range(1, tokens):
            branch = np.searchsorted(np.cumsum(weights[:-1]), rng.random(sequences))
            jump = rng.random(sequences) < JUMPS
            walk[step] = np.where(
                jump, rng.integers(0, size, sequences), successors[walk[step - 1], branch]
            )
        return walk.T

    return Source("markov", shares, draw)


def sources(size: int) -> Iterator[Source]:
    """The sources of the study over a codebook."""
    yield independent("uniform", zipf(size, 0.0))
    yield independent("zipf", zipf(size, 1.0))
    yield independent("zipf 1.5", zipf(size, 1.5))
    yield markov(size, seed=0)
    yield independent("sticky", zipf(size, 1.0), REPEATS)


def errors_percent(
    source: Source, lengths: Sequence[int], *, samples: int, seed: int = 0
) -> dict[str, NDArray[np.float64]]:
    """Error of every estimator in percent of the truth, shape (samples, lengths)."""
    rng = np.random.default_rng(seed)
    size, at_once = len(source.shares), 8
    found: dict[str, list[list[float]]] = {name: [] for name in ESTIMATORS}
    for start in range(0, samples, at_once):
        for tokens in source.draw(rng, min(at_once, samples - start), max(lengths)):
            counts = [np.bincount(tokens[:n], minlength=size) for n in lengths]
            for name, estimate in ESTIMATORS.items():
                readings = [100 * (estimate(c) / source.entropy_bits - 1) for c in counts]
                found[name].append(readings)
    return {name: np.array(rows) for name, rows in found.items()}


def lengths_for(size: int, *, quick: bool) -> list[int]:
    """Numbers of tokens: from 100 to a million, and some per entry of the codebook."""
    per_entry = [size // 2, size, 3 * size, 10 * size]
    return [100, *per_entry] if quick else [100, *per_entry, 100_000, MOST_TOKENS]


def main() -> None:
    """Print one Markdown table: bias and root-mean-square error in percent."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    samples = 8 if quick else SAMPLES
    print("| source | K | bit | N | N / K |", " | ".join(ESTIMATORS), "|")
    print("|---|---:|---:|---:|---:|" + "---:|" * len(ESTIMATORS))
    for size in SIZES:
        for source in sources(size):
            lengths = lengths_for(size, quick=quick)
            errors = errors_percent(source, lengths, samples=samples)
            for i, n in enumerate(lengths):
                cells = [_cell(errors[name][:, i]) for name in ESTIMATORS]
                head = (
                    f"{source.name} | {size} | {source.entropy_bits:.2f} | {n:,} | {n / size:.3g}"
                )
                print(f"| {head} | {' | '.join(cells)} |", flush=True)
                _judge(source, n / size, float(errors[DEFAULT][:, i].mean()))


def _cell(errors: NDArray[np.float64]) -> str:
    """Mean error, then its root mean square."""
    return f"{errors.mean():+.2f} ({np.sqrt((errors**2).mean()):.2f})"


def _judge(source: Source, per_entry: float, bias: float) -> None:
    for least, most in PROMISES:
        if per_entry >= least and abs(bias) > most:
            print(f"<!-- {source.name}: the default is off by {bias:+.2f} %, above {most} % -->")


if __name__ == "__main__":
    main()
