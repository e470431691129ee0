"""Populations of clustered clips whose means are known: what the simulations draw from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

SHAPES = ("normal", "gamma", "exponential")  # skewness 0, 1.4, 2


def noise(rng, shape: str, size):
    """Values of mean 0 and variance 1."""
    if shape == "normal":
        return rng.standard_normal(size)
    if shape == "lognormal":  # skewness 6: a stress test
        return (np.exp(rng.standard_normal(size)) - np.exp(0.5)) / np.sqrt(np.e**2 - np.e)
    k = {"gamma": 2, "exponential": 1}[shape]
    return (rng.gamma(k, 1, size) - k) / np.sqrt(k)


@dataclass(frozen=True)
class Design:
    """Speakers of given sizes; an intraclass correlation of 0.3 is 30 % of the variance."""

    clusters: int
    sizes: str
    shape: str
    correlation: float

    def __str__(self) -> str:
        return f"{self.clusters}-{self.sizes}-{self.shape}-{self.correlation:g}"

    @cached_property
    def counts(self):
        """Clips per cluster: ten each, or with a coefficient of variation of about 0.5 or 1."""
        rng = np.random.default_rng(7)
        if self.sizes == "equal":
            return np.full(self.clusters, 10)
        median, spread = {"unequal": (8, 0.6), "very unequal": (6, 1.0)}[self.sizes]
        drawn = rng.lognormal(np.log(median), spread, self.clusters)
        return np.maximum(1, np.round(drawn)).astype(int)

    @property
    def labels(self) -> list[str]:
        return [f"s{g}" for g, count in enumerate(self.counts) for _ in range(count)]

    def tables(self, repetitions: int, *, block: int, seed: int = 0) -> Iterator[np.ndarray]:
        """Tables (clips, block) of mean 0, until there are that many columns."""
        rng = np.random.default_rng(seed)
        clips = int(self.counts.sum())
        for _ in range(repetitions // block):
            effects = noise(rng, self.shape, (self.clusters, block))
            own = noise(rng, self.shape, (clips, block))
            between = np.repeat(effects, self.counts, axis=0)
            yield np.sqrt(self.correlation) * between + np.sqrt(1 - self.correlation) * own
