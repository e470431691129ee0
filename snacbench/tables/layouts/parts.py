"""What layouts are made of: facts of a codec, means of a metric, and columns of both."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snacbench.rate.entropy import RELIABLE_CLIPS, RELIABLE_TOKENS_PER_ENTRY
from snacbench.stats.intervals import Interval
from snacbench.tables.run_rows import RunRows
from snacbench.tables.side_by_side import By, Entry, Span
from snacbench.tables.table_model import Cell, Column
from snacbench.types import DOMAINS

MEASURED_BANDWIDTH = "bandwidth_khz"
FEW_TOKENS = (
    f"Fewer than {RELIABLE_TOKENS_PER_ENTRY} tokens per codebook entry, or fewer than "
    f"{RELIABLE_CLIPS} clips: may read low by more than 2 %."
)
_RANGE = (
    "Fewer tokens than codebook entries: no interval but a range, from the plug-in estimate to "
    "log2 of the codebook's size."
)


@dataclass(frozen=True)
class Fact:
    """A column of something that is no mean of scores: a rate, a number of tokens.

    `cell` takes the codec and its record, see `Entry.record`; without it the column has what the
    record has under its key. `note` says what it is.
    """

    column: Column
    cell: Callable[[Entry, Mapping[str, Any]], Cell] | None = None
    note: str = ""

    def of(self, entry: Entry, record: Mapping[str, Any]) -> Cell:
        """The cell of a codec."""
        if self.cell:
            return self.cell(entry, record)
        found = record.get(self.column.key)
        if isinstance(found, str):
            return Cell(text=found)
        if not isinstance(found, Span):
            return Cell(None if found is None else float(found))
        if found.value is None:
            return range_cell(found.low, found.high)
        ends = Interval(found.value, found.low, found.high, 1.0, 0, 0, self.note)
        unstable = self in SPEEDS and record["rtf_unstable"]
        return Cell(found.value, ends, marks=("unstable",) if unstable else ())


@dataclass(frozen=True)
class Measure:
    """A column of means of a metric: of the first of `metrics` that the runs have."""

    heading: str
    metrics: tuple[str, ...]
    digits: int = 2


Part = Fact | Measure


@dataclass(frozen=True)
class Layout:
    """A kind of table: ``parts(runs)`` are its columns.

    `by` is what it does where nobody asks for something else; `histograms`: whether it needs the
    entropies of codes; `conditions`: whether points under conditions have rows. Where clips are of
    one of its `domains`, others get no table.
    """

    name: str
    title: str
    parts: Callable[[Sequence[RunRows]], Sequence[Part]]
    by: By
    histograms: bool = False
    domains: tuple[str, ...] = DOMAINS
    conditions: bool = False


def range_cell(low: float, high: float) -> Cell:
    """A cell that has a range only, because tokens are fewer than codebook entries."""
    ends = Interval((low + high) / 2, low, high, 1.0, 0, 0, "range")
    return Cell(interval=ends, text="unreliable", notes=(_RANGE,))


def _bandwidth(entry: Entry, record: Mapping[str, Any]) -> Cell:
    """Bandwidth in kHz, measured on the decodes, or what the codec could keep at most."""
    # That is half the rate at which it works, or the cut-off of a low-pass. Codecs that keep the
    # clip's own rate have no bandwidth of their own.
    spec = entry.columns.spec
    if measured := entry.scores(MEASURED_BANDWIDTH, record["domain"]):
        return Cell(math.fsum(measured.values()) / len(measured), n=len(measured))
    if (cutoff_hz := spec.settings.get("cutoff_hz")) is not None:
        return Cell(float(cutoff_hz) / 1000)
    return Cell(text="the clip's") if spec.rate_hz is None else Cell(spec.rate_hz / 2000)


CONDITION = (
    Fact(Column("condition", "condition", kind="text", show="never")),
    Fact(Column("realised", "realised", show="never")),
)
N = Fact(Column("n", "n", digits=0))
NOMINAL = Fact(Column("nominal_kbps", "nominal", "kbps"))
KBPS = Fact(
    Column("actual_kbps", "rate", "kbps"),
    note="Rate: bits actually spent, padding and side information included, over the clips' "
    "duration.",
)
ENTROPY = Fact(
    Column("entropy_kbps", "entropy", "kbps", kind="estimate", show="filled"),
    note="Entropy: what an ideal coder with the codes' own statistics would spend.",
)
CLIPS_KBPS = Fact(
    Column("clips_kbps", "of clips", "kbps", kind="estimate"),
    note="Of clips: median of their actual rates, and in brackets 5 to 95 % of them.",
)
OVER_TIME = Fact(
    Column("over_time_kbps", "over time", "kbps", kind="estimate"),
    note="Over time: the rate within clips, packet by packet or segment by segment, weighed by "
    "duration: median and 5 to 95 %, as the median clip has each; – where constant or not known. "
    "Tokens per second, where they vary, are those of these clips.",
)
TOKENS = Fact(Column("tokens_per_s", "tokens/s", digits=1))
BANDWIDTH = Fact(
    Column("bandwidth_khz", "bandwidth", "kHz"),
    _bandwidth,
    "Bandwidth: mean of what was measured on the decodes, which hold no more than their sources. "
    f"Where {MEASURED_BANDWIDTH} was not scored: half the codec's sampling rate, of which it may "
    f"keep less; measure with: snacbench score RUN --metrics {MEASURED_BANDWIDTH}.",
)
EFFICIENCY = Fact(
    Column("efficiency_percent", "efficiency", "%", "higher", digits=1, kind="estimate"),
    note="Efficiency: entropy of the codes over their bits, corrected for the number of tokens.",
)
PLUG_IN_EFFICIENCY = Fact(
    Column("bitrate_efficiency_percent", "bitrate efficiency", "%", "higher", digits=1),
    note="Bitrate efficiency: as Kumar et al. define it, of plug-in entropies, low with few "
    "tokens.",
)
_RTF: Mapping[str, Any] = {"digits": 3, "kind": "estimate", "show": "filled"}
SPEEDS = (
    Fact(Column("rtf_encode", "RTF encode", **_RTF)),
    Fact(Column("rtf_decode", "RTF decode", **_RTF)),
    Fact(Column("rtf_batch", "batch", digits=0, show="filled")),
    Fact(Column("rtf_unstable", "RTF unstable", kind="text", show="never")),
)
PARAMS = Fact(Column("params_m", "params", "M", digits=1, show="filled"))
COSTS = (
    Fact(Column("encode_gmacs_per_s", "encode MACs", "G/s", digits=3, show="filled")),
    Fact(Column("decode_gmacs_per_s", "decode MACs", "G/s", digits=3, show="filled")),
    Fact(Column("peak_mb", "memory", "MB", digits=0, show="filled")),
    Fact(Column("delay_ms", "delay", "ms", digits=1, show="filled")),
)
MEL = Measure("mel distance", ("mel_dac7",))
STFT = Measure("STFT distance", ("stft_dac",))
VISQOL = Measure("ViSQOL", ("visqol_audio", "visqol_speech", "visqol_speech_exponential"))
SI_SDR = Measure("SI-SDR", ("si_sdr", "si_sdr_aligned"))
