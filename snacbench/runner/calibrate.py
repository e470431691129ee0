"""What is measured of a codec before its clips: its residual delay, and what precision costs it.

What delay is left once a codec's declared one is removed (8 samples in some of DAC's models, 3 to 5
in Opus' SILK modes) ruins SI-SDR. It is measured over several broadband excerpts, because the
correlation of one clip may lock onto the pitch of its voice. Codes owe something to the device and
number format: where two codebook entries are almost equally near, the rounding of a sum decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from snacbench.audio.align import (
    MAX_DELAY_S,
    PLAINLY_ALIKE,
    WINDOW_S,
    best_lag,
    cross_correlation,
    strongest,
)
from snacbench.audio.channels import downmix, upmix
from snacbench.audio.io import read
from snacbench.audio.levels import limited
from snacbench.audio.resample import resample
from snacbench.errors import UserError
from snacbench.rows import Agreement, Calibration
from snacbench.runner.coding import reason_of
from snacbench.runner.loading import load
from snacbench.runner.plan import CPU, Plan, PlannedCodec
from snacbench.runner.pool import Job, Rows
from snacbench.testsets import NAMED_SETS
from snacbench.types import Audio, CodecSpec, Encoded

_EXCERPT_S = 1.0
_EXCERPTS_PER_DOMAIN = 3
_BELIEVED_SHARE = 0.5
_MATERIAL_RATE_HZ = 48_000


@dataclass(frozen=True)
class CalibrationJob(Job):
    """A codec whose delay is to be measured, and the operating points that share it."""

    codec: PlannedCodec
    points: tuple[str, ...]

    def run(self) -> Rows:
        """The delay as a row per point; one that was not found where the codec's own code fails."""
        try:
            found = calibrate(self.codec)
        except Exception as error:  # noqa: BLE001 - each clip's row will say what is wrong
            return self.lost(reason_of(error))
        return [replace(found, codec=point) for point in self.points]

    def lost(self, reason: str) -> Rows:
        """Rows that say that there was nothing to measure."""
        return [Calibration(point, 0.0, 0.0, 0.0, found=False) for point in self.points]


@dataclass(frozen=True)
class AgreementJob(Job):
    """A codec in reduced precision, to be compared with itself in full precision."""

    codec: PlannedCodec

    def run(self) -> Rows:
        """The row; none where the codec's own code fails."""
        try:
            return [agreement(self.codec)]
        except Exception as error:  # noqa: BLE001 - as above
            return self.lost(reason_of(error))

    def lost(self, reason: str) -> Rows:
        """Nothing: what the clips' rows say is enough."""
        return []


@dataclass(frozen=True)
class TrialJob(Job):
    """A codec that fails on clip after clip, to be tried once on all excerpts in one signal.

    What comes of it is no row but the reason why it fails there too, or an empty text. So it is for
    the codec alone, and not for the clips that came first, whether it is stopped.
    """

    codec: PlannedCodec

    def run(self) -> Rows:
        """Why it fails; empty if it does not."""
        excerpts = list(excerpts_for(self.codec.spec))
        samples = np.concatenate([audio.samples for audio in excerpts], axis=1)
        try:
            loaded = load(self.codec)
            loaded.decode(loaded.encode([Audio(samples, excerpts[0].rate_hz)]), seed=0)
        except Exception as error:  # noqa: BLE001 - whatever a codec's own code raises
            return [reason_of(error)]
        return [""]

    def lost(self, reason: str) -> Rows:
        """Ending its worker is failing, too."""
        return [reason]


def calibrate(codec: PlannedCodec) -> Calibration:
    """How late a codec's decoded audio comes; a UserError if its weights do not fit."""
    pairs = [(downmix(excerpt), downmix(decoded)) for excerpt, _, decoded in _coded(codec)]
    return residual_delay(codec.spec.name, pairs)


def _coded(codec: PlannedCodec) -> list[tuple[Audio, Encoded, Audio]]:
    """Excerpts, what they are encoded to, and what that is decoded to."""
    loaded, coded = load(codec), []
    for excerpt in excerpts_for(codec.spec):
        (encoded,) = loaded.encode([excerpt])
        (decoded,) = loaded.decode([encoded], seed=0)
        coded.append((excerpt, encoded, decoded))
    return coded


def excerpts_for(spec: CodecSpec) -> Iterator[Audio]:
    """Broadband excerpts of three domains at a codec's rate and channels."""
    channels = 1 if 1 in (spec.channels or (1,)) else min(spec.channels)
    for excerpt in _material():
        yield upmix(resample(excerpt, spec.rate_hz or _MATERIAL_RATE_HZ), channels)


@cache
def _material() -> tuple[Audio, ...]:
    """Excerpts of the embedded set, a few per domain, mono."""
    clips, found = NAMED_SETS["quick"].build().clips, []
    for domain in sorted({clip.domain for clip in clips}):
        of_domain = [clip for clip in clips if clip.domain == domain]
        for clip in sorted(of_domain, key=lambda c: -c.rate_hz)[:_EXCERPTS_PER_DOMAIN]:
            length = min(clip.num_samples, round(_EXCERPT_S * clip.rate_hz))
            start = (clip.num_samples - length) // 2
            found.append(downmix(limited(read(clip.path, start=start, num_samples=length))))
    return tuple(found)


def residual_delay(codec: str, pairs: Iterable[tuple[Audio, Audio]]) -> Calibration:
    """The weighted median of the lags at which each (reference, degraded) pair correlates best.

    Each pair has one rate, and pairs may differ in it. A median, because some excerpts lock onto a
    pitch, and because Opus' delay depends on the mode that it chooses for each.
    """
    lags_s, heights, believed = [], [], []
    for reference, degraded in pairs:
        max_lag = round(MAX_DELAY_S * degraded.rate_hz)
        curve = cross_correlation(reference=reference, degraded=degraded, max_lag=max_lag)
        match = strongest(curve)
        lags_s.append(match.lag / degraded.rate_hz)
        heights.append(match.correlation)
        plain = best_lag(reference=reference, degraded=degraded, around=match.lag, reach=0)
        believed.append(match.stands_out or abs(plain.correlation) >= PLAINLY_ALIKE)
    weights = np.abs(heights)
    if not weights.sum():
        return Calibration(codec, 0.0, 0.0, 0.0, found=False)
    order = np.argsort(lags_s, kind="stable")
    cumulated = np.cumsum(weights[order])
    delay_s = lags_s[order[np.searchsorted(cumulated, cumulated[-1] / 2)]]
    close = np.abs(np.subtract(lags_s, delay_s)) <= WINDOW_S
    correlation, share = float(weights.mean()), float(weights[close].sum() / weights.sum())
    found = bool(weights[close & believed].sum() >= _BELIEVED_SHARE * weights.sum())
    inverted = found and float(np.sum(heights)) < 0
    return Calibration(codec, delay_s if found else 0.0, correlation, share, found, inverted)


def agreement(codec: PlannedCodec, baseline: PlannedCodec | None = None) -> Agreement:
    """Compare a codec with itself in 32-bit floats on its device, or with `baseline`.

    On the excerpts on which delay is calibrated: codes one by one, audio by its signal-to-noise
    ratio in dB.
    """
    other = baseline or replace(codec, precision="fp32")
    # One after the other: two models may not fit into the device's memory.
    expected, found = _coded(other), _coded(codec)
    tokens = equal = 0
    signal = noise = 0.0
    for (_, ours, decoded), (_, theirs, wanted) in zip(found, expected, strict=True):
        for a, b in zip(ours.codes, theirs.codes, strict=True):
            tokens += b.size
            equal += int(np.count_nonzero(a == b)) if a.shape == b.shape else 0
        error = decoded.samples - wanted.samples
        signal += float(np.square(wanted.samples, dtype=np.float64).sum())
        noise += float(np.square(error, dtype=np.float64).sum())
    return Agreement(
        codec=codec.spec.name,
        computed=f"{codec.device} {codec.precision}",
        baseline=f"{other.device} {other.precision}",
        tokens=tokens,
        equal=equal,
        snr_db=float(10 * np.log10(signal / noise)) if noise and signal else None,
    )


def agreements(plan: Plan) -> Iterator[Agreement]:
    """Compare each codec of a plan, as it would run, with the CPU in 32-bit floats.

    Raises UserError if that is how it would run, or its weights are damaged or do not fit.
    """
    if (plan.request.device, plan.request.precision) == (CPU, "fp32"):
        raise UserError(
            "what is compared runs on the CPU in fp32, as does what it is compared with; name "
            "--device cuda or --precision bf16"
        )
    for codec in plan.codecs:
        yield agreement(codec, replace(codec, device=CPU, precision="fp32"))
