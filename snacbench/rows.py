"""The rows that a run consists of: one clip through one codec, one metric on the result.

A failure is a row with its reason, never a gap and never a number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from snacbench.forms import FormName
from snacbench.request import Request
from snacbench.types import CodecSpec, Domain, Measures, MetricSpec, WeightsInfo

CodedStatus = Literal["ok", "failed"]
ScoreStatus = Literal["ok", "undefined", "failed", "skipped"]

MISSING = "missing from the test set"  # the fact of a run that says what its set lacks
DECODED_ELSEWHERE = "decoded elsewhere"  # the `channel_mode` of files that have no known bits

Versions = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Bits:
    """Bits spent on one clip, totals over channels."""

    codes: int = 0
    side_info: int = 0
    payload: int = 0

    @property
    def total(self) -> int:
        """All bits a decoder needs, container overhead excluded."""
        return self.codes + self.side_info + self.payload

    def __add__(self, other: "Bits") -> "Bits":
        payload = self.payload + other.payload
        return Bits(self.codes + other.codes, self.side_info + other.side_info, payload)


@dataclass(frozen=True)
class RateOverTime:
    """Rates in kbps (1000 bit/s), over all channels, that a clip keeps to for so much of it."""

    low_kbps: float  # 5 %
    median_kbps: float
    high_kbps: float  # 95 %


@dataclass(frozen=True)
class Calibration:
    """Row: how late a codec's decoded audio comes after its declared delay has been removed."""

    codec: str
    delay_s: float  # positive: late
    correlation: float  # mean height of the excerpts' correlation peaks, 0 to 1
    agreement: float  # share of the excerpts whose own peak lies within 0.25 ms of the delay
    found: bool  # those that agree make up half, with peaks that stand out; else the delay is 0
    inverted: bool = False  # most excerpts came out with inverted polarity
    reason: str = ""  # why the codec fails on the excerpts


@dataclass(frozen=True)
class Delay:
    """Row: how late one decoded clip comes.

    `lag_s` is what aligned metrics take away: a whole number of samples of the decoded file, within
    0.25 ms of the codec's delay. `own_lag_s` is the same, or where the clip matches better at
    another lag within 0.5 s, that one; None if it matches at none. Positive: late.
    """

    clip: str
    codec: str
    lag_s: float
    rate_hz: int  # of the decoded file
    correlation: float  # of the clip and its decode at that lag, -1 to 1
    inverted: bool  # the decode has inverted polarity; False where no lag can be believed
    found: bool  # the lag can be believed; else `reason` says why not
    own_lag_s: float | None
    reason: str = ""


@dataclass(frozen=True)
class Agreement:
    """Row: what a codec's codes and audio owe to device and precision, over a few excerpts."""

    codec: str
    computed: str  # device and precision: ``cuda bf16``
    baseline: str  # what it was compared with: ``cuda fp32``
    tokens: int  # code indices compared
    equal: int  # how many of them are the same
    snr_db: float | None  # decoded audio against the baseline's; higher is closer; None: equal

    @property
    def share(self) -> float | None:
        """Share of equal tokens, 0 to 1; None for codecs without codebooks."""
        return self.equal / self.tokens if self.tokens else None


@dataclass(frozen=True)
class SpotCheck:
    """Row: whether an operating point decodes what it encoded alike, again and elsewhere."""

    codec: str
    excerpts: int  # how many were checked; 0 where its own code fails on all of them
    passed: bool
    reason: str = ""


@dataclass(frozen=True)
class Coded:
    """Row: one clip through one codec.

    `encode_s` and `decode_s` are wall-clock seconds, a record of the run and no speed (`Speed`):
    other workers ran beside, and the first clip of a length pays for what later ones find ready.
    `batch` is how many signals the codec took at once: above 1 they are the clip's share of it. A
    point that shares its encoding with others has all of it; a cascade's are of all its passes.
    Of files decoded elsewhere, `removed_delay_s` is the delay that was taken away, and `fitted_s`
    what was then added at the end (if negative, cut off) to make them as long as the clip.
    `realised` is what the `condition` came to on this clip, in the unit of its strength; None where
    that is infinite. `rate` is None where the rate cannot vary, or nobody can tell when it does.
    """

    clip: str
    codec: str
    status: CodedStatus
    reason: str = ""
    domain: Domain = "unknown"
    duration_s: float | None = None
    bits: Bits | None = None
    decoded: str | None = None
    decoded_sha256: str | None = None
    decoded_rate_hz: int | None = None
    channel_mode: str = ""
    encode_s: float | None = None
    decode_s: float | None = None
    clipped_samples: int | None = None
    seed: int | None = None
    batch: int | None = None
    codes: str | None = None
    codes_sha256: str | None = None
    removed_delay_s: float | None = None
    fitted_s: float | None = None
    condition: str = ""
    realised: float | None = None
    rate: RateOverTime | None = None
    tokens: int | None = None  # code indices, where how many there are varies


@dataclass(frozen=True)
class Speed:
    """Row: how long an operating point computes, measured apart from coding; the last one counts.

    `encode_s` and `decode_s` are the wall-clock seconds of every repeat, all signals of a batch
    together; lower is better. They are empty where nothing could be measured, and `reason` says
    why; `unstable` says why figures are not to be relied on.
    """

    codec: str
    device: str  # ``cpu``, or ``cuda`` and the GPU's name
    precision: str
    machine: str  # processor and cores
    duration_s: float = 0.0  # of audio in one signal, the same in every repeat
    encode_s: tuple[float, ...] = ()
    decode_s: tuple[float, ...] = ()
    batch: int = 1  # signals that went through at once
    threads: int = 1  # numerical threads of the process
    load: float | None = None  # processors that others kept busy, on average; None: not known
    starts_process: bool = False  # every call starts a program, which is part of its seconds
    unstable: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Cost:
    """Row: what an operating point takes to run, counted and measured; the last one counts.

    `encode_macs_per_s` and `decode_macs_per_s` are multiply-accumulates per second of audio by
    part: ``encoder``, ``quantiser``, ``decoder``, or ``codec`` where it does not tell its parts;
    empty where none can be counted. `delay_samples` are the inputs at `rate_hz` that an output
    sample waits for at most, itself counted. `reason` says why nothing could be measured.
    """

    codec: str
    device: str
    rate_hz: int = 0
    channels: int = 1
    duration_s: float = 0.0  # of the signal that was counted and weighed on
    encode_macs_per_s: Mapping[str, float] = field(default_factory=dict)
    decode_macs_per_s: Mapping[str, float] = field(default_factory=dict)
    params_m: Mapping[str, float] = field(default_factory=dict)  # by part, weight norm fused
    peak_mb: float | None = None  # 10^6 bytes: weights, and what coding takes beside
    delay_samples: int | None = None
    whole_file: bool = False  # an output sample waits for the end, or for more than 4 s
    block_samples: int | None = None  # of a frame, or of what is coded at once
    positions: int = 0  # within a block at which the delay was looked for
    reason: str = ""

    @property
    def macs_per_s(self) -> float | None:
        """Multiply-accumulates of both sides per second of audio; None: not counted."""
        sides = (*self.encode_macs_per_s.values(), *self.decode_macs_per_s.values())
        return sum(sides) if sides else None

    @property
    def delay_s(self) -> float | None:
        """The delay in seconds; None: the whole file, or not measured."""
        return None if self.delay_samples is None else self.delay_samples / self.rate_hz


@dataclass(frozen=True)
class Score:
    """Row: one metric on one coded clip. A failure is a row, never a gap, never a number."""

    clip: str
    codec: str
    metric: str
    version: str
    status: ScoreStatus
    value: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Embedded(Score):
    """Row: what a set-level metric needs of one coded clip, which has no `value` by itself.

    `reference` and `degraded` are the digests by which `store.embeddings` finds the embeddings;
    empty unless the status is ``ok``.
    """

    reference: str = ""
    degraded: str = ""


@dataclass(frozen=True)
class ClipMeasures:
    """Row: what was measured on a clip whose test set does not state it."""

    clip: str
    measures: Measures


@dataclass(frozen=True)
class CodeHistogram:
    """Row: how often each code occurred in one stream of one coded clip."""

    clip: str
    codec: str
    stream: int
    codebook_size: int
    codes: NDArray[np.int32]  # shape (used,): the codes that occur, ascending
    counts: NDArray[np.int64]  # shape (used,)


@dataclass(frozen=True)
class CodedBytes:
    """Row: one clip's codes written by an entropy coder; of several alike, the last one counts.

    `stream_bytes` are written for each stream, coarse to fine, over all channels, and `ideal_bits`
    are the code length of the same model without rounding to bytes and words: lower is better.
    """

    clip: str
    codec: str
    coder: str  # ``packed``, ``static``, ``adaptive``, ``previous``, ``coarser``, ...
    tables_sha256: str  # of the trained tables; empty where the coder needs none
    stream_bytes: tuple[int, ...]
    ideal_bits: tuple[float, ...]
    shuffled: bool = False  # a control: tokens were permuted first, so no context can help
    trained_on_clips: int = 0  # neither this clip nor any of its cluster is among them


@dataclass(frozen=True)
class ListenerScore:
    """Row: one rating of one listener in a listening test, on the scale of its form."""

    test: str
    listener: str  # a random id, which tells nobody who it was
    item: str
    clip: str  # of the run, that the item was cut from; empty where it is not known
    condition: str  # a codec, ``reference``, ``anchor35`` or ``anchor70``
    score: float
    kept: bool = True  # by screening: only then the rating is in the summary


@dataclass(frozen=True)
class ConditionSummary:
    """The score of a condition in a domain (``all`` for all) on its form's scale, higher is better.

    `low` and `high` end its interval over listeners, `low_both` and `high_both` that over listeners
    and items; None where there are too few. Median and quartiles are of all ratings.
    """

    condition: str
    domain: str
    mean: float
    low: float | None
    high: float | None
    low_both: float | None
    high_both: float | None
    median: float
    first_quartile: float
    third_quartile: float
    n: int
    listeners: int
    items: int
    kbps: float | None = None


@dataclass(frozen=True)
class ComparisonSummary:
    """Two conditions compared within each listener.

    `value` is, with its interval over listeners: where conditions are rated the difference of the
    means on the scale, first minus second; in ``ab`` the preference for the first, 0 to 1; in
    ``abx``, where the second is the reference, the share of right answers, 0 to 1. `p_holm` is
    corrected by Holm's method. `answers` are, in ``ab``, those for the first, for neither, and for
    the second; in ``abx`` the right and the wrong ones.
    """

    first: str
    second: str
    value: float
    low: float | None
    high: float | None
    p_value: float | None
    p_holm: float | None
    listeners: int
    answers: tuple[int, ...] = ()


@dataclass(frozen=True)
class ListeningSummary:
    """Row: what came of a listening test; of several with one `test`, the last one counts."""

    test: str
    title: str
    form: FormName
    simulated: bool  # nobody listened
    listeners_before: int  # with answers
    listeners: int  # whose answers count
    items: int
    level: float  # of the intervals
    conditions: tuple[ConditionSummary, ...] = ()
    comparisons: tuple[ComparisonSummary, ...] = ()
    text: str = ""  # a paragraph on the test and its results
    notes: tuple[str, ...] = ()  # what a reader must know, in sentences


@dataclass(frozen=True)
class Run:
    """How a run was made; the first thing written into its folder.

    `codec_versions` and `metric_versions` tell for each model and metric what computes it: packages
    and their versions, what its programs say of themselves, the digest of a plug-in's file.
    `metric_weights` tells of each model that metrics run where its files came from. Of a shard,
    `set_sha256` is that of its own clips, and `whole_set_sha256` that of the set.
    `lacking` says of metrics that were asked for and could not be had what was not there.
    `recordings` has the sha256 of those that conditions name, by path.
    """

    id: str
    started_utc: str
    snacbench_version: str
    schema_version: int
    request: Request
    seed: int
    device: str
    test_set: str
    set_sha256: str
    codecs: tuple[CodecSpec, ...]
    metrics: tuple[MetricSpec, ...]
    whole_set_sha256: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    codec_versions: Versions = field(default_factory=dict)
    metric_versions: Versions = field(default_factory=dict)
    metric_weights: Mapping[str, WeightsInfo] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    lacking: Mapping[str, str] = field(default_factory=dict)
    recordings: Mapping[str, str] = field(default_factory=dict)
