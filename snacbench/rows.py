"""The rows that a run consists of: one clip through one codec, one metric on the result.

A failure is a row with its reason, never a gap and never a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from snacbench.types import CodecSpec, Domain, Measures, MetricSpec

CodedStatus = Literal["ok", "failed"]
ScoreStatus = Literal["ok", "undefined", "failed", "skipped"]


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

    def __add__(self, other: Bits) -> Bits:
        return Bits(
            self.codes + other.codes,
            self.side_info + other.side_info,
            self.payload + other.payload,
        )


@dataclass(frozen=True)
class Calibration:
    """Row: how late a codec's decoded audio comes after its declared delay has been removed.

    Attributes
    ----------
    delay_samples : int
        At `rate_hz`; positive: late.
    correlation : float
        Mean height of the excerpts' correlation peaks, 0 to 1.
    agreement : float
        Share of the excerpts, 0 to 1, whose own peak lies within 2 samples of the delay.
    found : bool
        Whether both were high enough to be believed; else the delay is 0.
    """

    codec: str
    delay_samples: int
    rate_hz: int
    correlation: float
    agreement: float
    found: bool


@dataclass(frozen=True)
class Agreement:
    """Row: what a codec's codes and audio owe to device and precision, over a few excerpts.

    Attributes
    ----------
    computed, baseline : str
        What was compared with what, each as device and precision: ``cuda bf16``, ``cuda fp32``.
    tokens, equal : int
        Code indices compared, and how many of them are the same.
    snr_db : float or None
        Decoded audio against the baseline's, in dB, higher is closer; None if they are equal.
    """

    codec: str
    computed: str
    baseline: str
    tokens: int
    equal: int
    snr_db: float | None

    @property
    def share(self) -> float | None:
        """Share of equal tokens, 0 to 1; None for codecs without codebooks."""
        return self.equal / self.tokens if self.tokens else None


@dataclass(frozen=True)
class Coded:
    """Row: one clip through one codec.

    `encode_s` and `decode_s` are wall-clock seconds. `batch` is how many signals the codec took
    at once: above 1 they are the clip's share of its batch, not what it would take alone.
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
class ClipMeasures:
    """Row: what was measured on a clip whose test set does not state it."""

    clip: str
    measures: Measures


@dataclass(frozen=True)
class CodeHistogram:
    """Row: how often each code occurred in one stream of one coded clip.

    Attributes
    ----------
    codes : array, shape (used,), int32
        The codes that occur, ascending.
    counts : array, shape (used,), int64
    """

    clip: str
    codec: str
    stream: int
    codebook_size: int
    codes: NDArray[np.int32]
    counts: NDArray[np.int64]


@dataclass(frozen=True)
class Run:
    """How a run was made; the first thing written into its folder."""

    id: str
    started_utc: str
    snacbench_version: str
    schema_version: int
    recipe: Mapping[str, Any]
    seed: int
    device: str
    test_set: str
    set_sha256: str
    codecs: tuple[CodecSpec, ...]
    metrics: tuple[MetricSpec, ...]
    packages: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
