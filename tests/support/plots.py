"""Runs made of numbers: any codecs, clips and scores, without a folder or a codec; and figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snacbench.conditions.condition import conditions_of
from snacbench.plots.drawing import plot
from snacbench.request import Request
from snacbench.rows import Bits, Coded, Run, Speed
from snacbench.tables.run_rows import CodecColumns, RunRows
from snacbench.types import DOMAINS, Clip, CodecSpec, Domain, MetricSpec, Stream

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SI_SDR = MetricSpec("si_sdr", "dB", "higher", (-1e9, 1e9), 44_100, "nobody")
MEL = replace(SI_SDR, name="mel_dac7", unit="log10", better="lower")
DURATION_S = 4.0
NO_RATES = (0.0, np.nan, np.nan, np.nan, np.nan)  # nor a condition
STATES = ("ok", "undefined", "skipped", "failed")


def spec(model: str, kbps: float | None, family: str, **more: Any) -> CodecSpec:
    """An operating point; `codebooks` of 1024 entries at 75 Hz if given, else packets."""
    codebooks = more.pop("codebooks", 0)
    more |= {} if codebooks else {"packet_s": 0.02}
    name = more.pop("name", model if kbps is None else f"{model}@{kbps:.3g}kbps")
    streams = (Stream(Fraction(75), 1024),) * codebooks
    return CodecSpec(name, model, family, 24_000, (1,), streams, kbps, **more)


OPUS = [spec("opus", rate, "opus") for rate in (8, 14, 24)]
DAC = [spec("dac-44khz", r, "dac", codebooks=n) for n, r in ((2, 1.78), (3, 2.67), (9, 7.75))]
SNAC = [spec("snac-24khz", 0.98, "snac", codebooks=3)]
CUT = [spec("snac-24khz", 0.42, "snac", codebooks=2, truncated=True)]
ANCHOR = [spec("lowpass", None, "toys", name="lowpass@7kHz", anchor=True)]
SEVERAL = [*OPUS, *DAC, *SNAC, *CUT, *ANCHOR]


def under(specs: Sequence[CodecSpec], *texts: str) -> list[CodecSpec]:
    """The points, and each of them under each condition."""
    names = [condition.name for condition in conditions_of(texts)]
    return [point for s in specs for point in (s, *map(s.under, names))]


def many(count: int = 14, name: str = "model-{}") -> list[CodecSpec]:
    """As many models of seven families, three rates each."""
    families = ("snac", "dac", "encodec", "lyra", "mimi", "opus", "new")
    points = ((i, rate * (1 + i / count)) for i in range(count) for rate in (1.0, 3.0, 9.0))
    return [spec(name.format(i), kbps, families[i % 7], codebooks=4) for i, kbps in points]


def quality(of: CodecSpec, clips: int) -> np.ndarray:
    """Scores that rise with the rate and differ by clip, the same every time."""
    offset = np.random.default_rng(sum(map(ord, of.model))).uniform(-2, 2)
    base = 8 * np.log10(of.nominal_kbps or 100) + offset
    rng = np.random.default_rng(sum(map(ord, of.name)))
    shared = np.random.default_rng(0).normal(0, 2, clips)
    return np.asarray(base + shared + rng.normal(0, 1.5, clips))


def run_rows(
    specs: Sequence[CodecSpec] = tuple(SEVERAL),
    *,
    clips: int = 24,
    domains: Sequence[Domain] = ("speech", "music"),
    metrics: Sequence[MetricSpec] = (SI_SDR, MEL),
    without: Iterable[tuple[str, str]] = (),
    set_sha256: str = "ab" * 32,
) -> RunRows:
    """A run whose every codec coded every clip; `without` are pairs of codec and metric.

    Clips come in pairs of one cluster."""
    missing = set(without)
    domain_of = [domains[i % len(domains)] for i in range(clips)]
    columns = []
    for one in specs:
        column = CodecColumns(one, clips)
        values = quality(one, clips)
        for i, domain in enumerate(domain_of):
            bits = coded(i, one, domain).bits.total
            known = True, True, DOMAINS.index(domain), 0, DURATION_S, bits
            column.coded[i] = (*known, 0.0, *NO_RATES)
        column.speed = speed(one)
        for metric in metrics:
            cells = np.zeros(clips, [*((name, "?") for name in STATES), ("value", "f8")])
            cells["ok"] = (one.name, metric.name) not in missing
            cells["undefined"] = ~cells["ok"]
            cells["value"] = np.where(cells["ok"], values, np.nan)
            column.scores[metric.name] = cells
        columns.append(column)
    facts = tuple(
        Clip(f"c{i}", Path(), "", 24_000, 1, 24_000, domain=d, cluster=f"s{i // 2 % 50}")
        for i, d in enumerate(domain_of)
    )
    run = Run(
        "r", "now", "1", 2, Request(), 7, "cpu", "set", set_sha256, tuple(specs), tuple(metrics)
    )  # fmt: skip
    return RunRows(run, tuple(columns), facts)


def coded(clip: int, of: CodecSpec, domain: Domain) -> Coded:
    """A coding at 2 % above the nominal rate."""
    kbps = 1411.0 if of.nominal_kbps is None else 1.02 * of.nominal_kbps
    bits = Bits(codes=round(kbps * 1000 * DURATION_S))
    return Coded(f"c{clip}", of.name, "ok", "", domain, DURATION_S, bits, batch=1)


def speed(of: CodecSpec) -> Speed:
    """Deeper points take longer; the fastest of three repeats half, the slowest twice as long."""
    encode_s = 0.1 + 0.1 * len(of.streams)
    return Speed(
        of.name, "cpu", "fp32", "a machine", DURATION_S,
        tuple(factor * encode_s for factor in (2.0, 1.0, 0.5)), (0.6, 0.3, 0.15),
    )  # fmt: skip


def texts(figure: Figure) -> str:
    """All words of a figure, caption included."""
    from matplotlib.text import Text

    found = [t.get_text().replace("\n", " ") for t in figure.findobj(Text)]
    return " | ".join(text for text in found if text)


def caption_of(figure: Figure) -> str:
    return figure.get_supxlabel().replace("\n", " ")


def draw(name: str, *rows: RunRows, **options: Any) -> Figure:
    """``draw("speed", rows, domain="music")`` draws one plot of one or more runs."""
    return plot(rows, name, **options)
