"""Do the intervals cover, do the tests hold their level? Figures are in docs/statistics.md.

First in short, with bounds that a wrong formula breaks: seeds are fixed, so the shares are the same
in every run. Then in earnest: ``pytest -m slow tests/stats -o junit_family=xunit1
--junitxml=figures.xml``; the figures are the properties in that file."""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pytest

from snacbench.stats.clusters import cluster_clips, moments_of
from snacbench.stats.curves import RateCurve, RatePoint, bd_rate, matched_rate
from snacbench.stats.intervals import mean_intervals
from snacbench.stats.pairs import holm, zero_mean_tests

SIZES = ("equal", "unequal", "very unequal")


def noise(rng, shape, size):
    """Values of mean 0 and variance 1, of skewness 0, 1.4, 2 and 6."""
    if shape == "normal":
        return rng.standard_normal(size)
    if shape == "lognormal":  # a stress test
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

    @cached_property
    def counts(self):
        """Clips per cluster: ten each, or with a coefficient of variation of about 0.5 or 1."""
        if self.sizes == "equal":
            return np.full(self.clusters, 10)
        median, spread = {"unequal": (8, 0.6), "very unequal": (6, 1.0)}[self.sizes]
        drawn = np.random.default_rng(7).lognormal(np.log(median), spread, self.clusters)
        return np.maximum(1, np.round(drawn)).astype(int)

    @property
    def labels(self):
        return [f"s{g}" for g, count in enumerate(self.counts) for _ in range(count)]

    def tables(self, repetitions, *, block):
        """Tables (clips, block) of mean 0, until there are that many columns."""
        rng = np.random.default_rng(0)
        for _ in range(repetitions // block):
            effects = noise(rng, self.shape, (self.clusters, block))
            own = noise(rng, self.shape, (int(self.counts.sum()), block))
            between = np.repeat(effects, self.counts, axis=0)
            yield np.sqrt(self.correlation) * between + np.sqrt(1 - self.correlation) * own


def earnest(designs, *bounds, repetitions=4000):
    """Parameters of the slow form."""
    return [
        pytest.param(Design(*d), repetitions, *bounds, id=str(d), marks=pytest.mark.slow)
        for d in designs
    ]


@pytest.mark.parametrize(("design", "repetitions", "low", "high"), [
    (Design(5, "equal", "normal", 0.6), 1000, 0.93, 0.97),
    (Design(8, "very unequal", "normal", 0.6), 1000, 0.92, 0.995),
    (Design(19, "unequal", "normal", 0.6), 1000, 0.93, 0.97),
    (Design(20, "equal", "exponential", 0.6), 1000, 0.92, 0.98),
    *earnest(product((20, 50), SIZES, ("normal", "gamma", "exponential"), (0.0, 0.3, 0.6)),
             0.93, 0.97),
    *earnest(product((5, 8, 12, 19), SIZES, ("normal", "gamma"), (0.0, 0.6)), 0.91, 0.985),
    # Extreme skewness is beyond the promise.
    *earnest(product((20, 50, 200), ("equal",), ("lognormal",), (0.6,)), 0.88, 0.95,
             repetitions=2000),
])  # fmt: skip
def test_95_percent_intervals_cover(design, repetitions, low, high, record_property):
    held = 0
    for seed, table in enumerate(design.tables(repetitions, block=200)):
        for found in mean_intervals(table, design.labels, draws=1999, seed=seed):
            held += found.low <= 0 <= found.high
    record_property("coverage", float(held) / repetitions)
    assert low <= held / repetitions <= high


def test_below_5_clusters_they_cover_the_mean_of_these_clusters():
    rng = np.random.default_rng(0)
    effects = rng.standard_normal((3, 4000))
    table = np.tile(effects, (12, 1)) + rng.standard_normal((36, 4000))
    found = mean_intervals(table, [f"s{i % 3}" for i in range(36)])
    held = [i.low <= effects[:, k].mean() <= i.high for k, i in enumerate(found)]
    assert 0.94 <= np.mean(held) <= 0.96


@pytest.mark.parametrize(("design", "repetitions", "most"), [
    (Design(12, "equal", "normal", 0.3), 400, 0.08),
    (Design(20, "equal", "normal", 0.3), 400, 0.08),
    *earnest(product((6, 12, 20, 30), SIZES[:2], ("normal", "exponential"), (0.3,)), 0.055),
])  # fmt: skip
def test_few_families_of_equal_codecs_raise_an_alarm(design, repetitions, most, record_property):
    """Families of 15 pairs of equally good codecs, with any Holm p value up to 0.05."""
    codecs, block, false_alarms = 6, 50, 0
    left, right = np.triu_indices(codecs, 1)
    clustering = cluster_clips(design.labels)
    for seed, own in enumerate(design.tables(repetitions * codecs, block=block * codecs)):
        scores = own.reshape(len(own), block, codecs)
        differences = (scores[..., left] - scores[..., right]).reshape(len(own), -1)
        p = [value for value, _ in zero_mean_tests(moments_of(differences, clustering), seed=seed)]
        families = [p[i : i + len(left)] for i in range(0, len(p), len(left))]
        false_alarms += sum(min(holm(family)) <= 0.05 for family in families)
    record_property("family-wise error", false_alarms / repetitions)
    assert 0.01 <= false_alarms / repetitions <= most


KBPS = (6.0, 12.0, 24.0, 48.0)
QUALITY = {"a": (2.0, 2.8, 3.5, 4.0), "b": (2.3, 3.2, 3.7, 4.1)}


@pytest.mark.parametrize(("repetitions", "draws", "low", "high"), [
    (120, 199, 0.87, 0.985), pytest.param(1000, 999, 0.92, 0.98, marks=pytest.mark.slow),
])  # fmt: skip
@pytest.mark.parametrize("speakers", [20, 10])
def test_intervals_of_rates_cover(speakers, repetitions, draws, low, high, record_property):
    """Two codecs over four rates and one of a single rate; scores correlate within clips."""
    names = [f"clip{i}" for i in range(100)]
    speaker = np.arange(100) % speakers
    clusters = {name: f"s{g}" for name, g in zip(names, speaker, strict=True)}
    points = (map(RatePoint, KBPS, ({"x": q} for q in quality)) for quality in QUALITY.values())
    exact_a, exact_b = (RateCurve("exact", tuple(of)) for of in points)
    true_delta = bd_rate(exact_a, exact_b).value
    true_match = matched_rate(RateCurve("single", (RatePoint(1.0, {"x": 3.0}),)), exact_a).kbps
    deltas, matches = 0, 0
    for seed in range(repetitions):
        rng = np.random.default_rng(seed)
        common = rng.standard_normal(100) + rng.standard_normal(speakers)[speaker]

        def point(kbps, mean, rng=rng, common=common):
            own = 0.15 * rng.standard_normal(speakers)[speaker] + 0.3 * rng.standard_normal(100)
            return RatePoint(kbps, dict(zip(names, mean + 0.3 * common + own, strict=True)))

        a, b = (RateCurve(name, tuple(map(point, KBPS, q))) for name, q in QUALITY.items())
        delta = bd_rate(a, b, clusters, draws=draws, seed=seed)
        single = RateCurve("single", (point(1.0, 3.0),))
        match = matched_rate(single, a, clusters, draws=draws, seed=seed)
        deltas += delta.low <= true_delta <= delta.high
        matches += match.low_kbps <= true_match <= match.high_kbps
    record_property("coverage of delta rate", deltas / repetitions)
    record_property("coverage of matched rate", matches / repetitions)
    assert low <= deltas / repetitions <= high
    assert low <= matches / repetitions <= high
