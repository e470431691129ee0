"""The tidy summary of runs: one row per codec and domain, every mean beside its n.

Rates are totals over the clips' total duration, so that short clips with much padding do not
weigh more than they cost. A mean is taken over ``ok`` scores only and says how many those are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snacbench.rate.entropy import (
    CodebookEntropy,
    bitrate_efficiency,
    codebook_entropies,
    entropy_kbps,
)
from snacbench.rows import Coded, CodeHistogram, Run, Score
from snacbench.store.folder import RunFolder
from snacbench.types import DOMAINS, CodecSpec
from snacbench.units import kbps

if TYPE_CHECKING:
    import pandas as pd

ALL_DOMAINS = "all"
FIXED_COLUMNS = (
    "codec", "domain", "n", "nominal_kbps", "actual_kbps", "entropy_kbps", "efficiency",
    "tokens_per_s", "rtf_encode", "rtf_decode", "params_m",
)  # fmt: skip


@dataclass(frozen=True)
class RunRows:
    """The rows of one run, indexed for summing up."""

    run: Run
    coded: Mapping[tuple[str, str], Coded]
    scores: Mapping[tuple[str, str, str], Score]
    histograms: Mapping[tuple[str, str], tuple[CodeHistogram, ...]]

    @classmethod
    def load(cls, folder: RunFolder) -> RunRows:
        """Read a run; where a row was written twice, by a killed process, the last one counts."""
        histograms: dict[tuple[str, str], dict[int, CodeHistogram]] = {}
        for row in folder.read(CodeHistogram):
            histograms.setdefault((row.codec, row.clip), {})[row.stream] = row
        return cls(
            folder.run,
            {(row.codec, row.clip): row for row in folder.read(Coded)},
            {(row.codec, row.clip, row.metric): row for row in folder.read(Score)},
            {key: tuple(streams.values()) for key, streams in histograms.items()},
        )

    @property
    def metrics(self) -> list[str]:
        """Metrics that were scored, those the run was planned with first."""
        planned = [metric.name for metric in self.run.metrics]
        scored = {metric for _, _, metric in self.scores}
        return [m for m in planned if m in scored] + sorted(scored - set(planned))

    @property
    def domains(self) -> list[str]:
        """Domains of the clips, in a fixed order, then all of them together."""
        present = {row.domain for row in self.coded.values()}
        return [*(d for d in DOMAINS if d in present), ALL_DOMAINS]


def summary(runs: Sequence[RunRows]) -> pd.DataFrame:
    """The tidy summary of runs, one row per codec and domain, and ``all`` domains together.

    Returns
    -------
    DataFrame
        Columns `FIXED_COLUMNS`, then for each metric its mean and ``n_`` of it; what does not
        apply is missing. Rates in kbps (1000 bit/s), ``rtf_*`` in seconds of computing per
        second of audio (lower is faster).
    """
    import pandas as pd

    metrics = list(dict.fromkeys(name for rows in runs for name in rows.metrics))
    columns = [*FIXED_COLUMNS, *(c for name in metrics for c in (name, f"n_{name}"))]
    records = [
        record
        for rows in runs
        for spec in rows.run.codecs
        for domain in rows.domains
        if (record := _record(rows, spec, domain, metrics)) is not None
    ]
    return pd.DataFrame.from_records(records, columns=columns)


def _record(
    rows: RunRows, spec: CodecSpec, domain: str, metrics: Sequence[str]
) -> dict[str, Any] | None:
    ok = [
        row
        for (codec, _), row in rows.coded.items()
        if codec == spec.name and row.status == "ok" and domain in (row.domain, ALL_DOMAINS)
    ]
    attempted = any(
        codec == spec.name and domain in (row.domain, ALL_DOMAINS)
        for (codec, _), row in rows.coded.items()
    )
    if not attempted:
        return None
    record: dict[str, Any] = {
        "codec": spec.name,
        "domain": domain,
        "n": len(ok),
        "nominal_kbps": spec.nominal_kbps,
        "tokens_per_s": spec.tokens_per_s,
        "params_m": spec.params_m,
    }
    record.update(_rates(rows, spec, ok))
    for name in metrics:
        values = list(_values(rows, spec.name, name, [row.clip for row in ok]))
        record[f"n_{name}"] = len(values)
        record[name] = math.fsum(values) / len(values) if values else None
    return record


def _rates(rows: RunRows, spec: CodecSpec, ok: Sequence[Coded]) -> dict[str, float]:
    duration_s = sum(row.duration_s or 0.0 for row in ok)
    if not duration_s:
        return {}
    found: dict[str, float] = {}
    timed = [row for row in ok if row.encode_s is not None and row.decode_s is not None]
    if timed:
        timed_s = sum(row.duration_s or 0.0 for row in timed)
        found["rtf_encode"] = sum(row.encode_s or 0.0 for row in timed) / timed_s
        found["rtf_decode"] = sum(row.decode_s or 0.0 for row in timed) / timed_s
    bits = [row.bits for row in ok if row.bits is not None]
    if len(bits) == len(ok):
        found["actual_kbps"] = kbps(sum(b.total for b in bits), duration_s)
    books = entropies(rows, spec, (row.clip for row in ok))
    counted = all((spec.name, row.clip) in rows.histograms for row in ok)
    if books and counted and len(bits) == len(ok):
        side_bits = sum(b.side_info for b in bits)
        found["entropy_kbps"] = entropy_kbps(books, duration_s=duration_s, other_bits=side_bits)
        found["efficiency"] = bitrate_efficiency(books, spec)
    return found


def entropies(rows: RunRows, spec: CodecSpec, clips: Iterable[str]) -> tuple[CodebookEntropy, ...]:
    """Entropy per codebook of a codec over some of a run's clips; empty without codebooks."""
    found = (h for clip in clips for h in rows.histograms.get((spec.name, clip), ()))
    return codebook_entropies(found, spec) if spec.streams else ()


def _values(rows: RunRows, codec: str, metric: str, clips: Sequence[str]) -> Iterator[float]:
    for clip in clips:
        score = rows.scores.get((codec, clip, metric))
        if score is not None and score.status == "ok" and score.value is not None:
            yield score.value
