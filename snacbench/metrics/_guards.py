"""Checks that come before every score: each raises `Undefined` and says what was found.

A metric that has no value for a pair has no value, and the row says why. It never gets a number
that stands for "none".
"""

from __future__ import annotations

import math

import numpy as np

from snacbench.errors import Undefined
from snacbench.types import Audio, MetricSpec

REFERENCE = "reference"
DEGRADED = "degraded signal"


def accept_reference(reference: Audio, spec: MetricSpec, *, min_duration_s: float = 0.0) -> None:
    """Check all that a metric asks of its reference before it looks at any other signal.

    Raises
    ------
    Undefined
        If the rate or the number of channels is not the spec's, the signal is too short, or it
        is silent.
    """
    right_rate(reference, spec, which=REFERENCE)
    right_channels(reference, spec, which=REFERENCE)
    min_duration(reference, min_duration_s, which=REFERENCE)
    not_silent(reference, which=REFERENCE)


def accept_degraded(degraded: Audio, reference: Audio, spec: MetricSpec) -> None:
    """Check that a degraded signal can be compared with an accepted reference.

    Silence is not checked: it has no similarity to anything, but it has a distance.

    Raises
    ------
    Undefined
        If the rate, the number of channels or (unless the spec allows any) the length differ.
    """
    right_rate(degraded, spec, which=DEGRADED)
    if degraded.channels != reference.channels:
        raise Undefined(
            f"the degraded signal has {degraded.channels} channels, the reference has "
            f"{reference.channels}; give both the same channels"
        )
    if not spec.any_length:
        equal_length(reference=reference, degraded=degraded)


def right_rate(audio: Audio, spec: MetricSpec, *, which: str) -> None:
    """Check that a signal is at the rate that the metric is defined at."""
    if audio.rate_hz != spec.rate_hz:
        raise Undefined(
            f"the {which} is at {audio.rate_hz} Hz, {spec.name} is defined at {spec.rate_hz} Hz; "
            "resample it first"
        )


def right_channels(audio: Audio, spec: MetricSpec, *, which: str) -> None:
    """Check that a metric defined on mono signals gets one."""
    if spec.mono and audio.channels != 1:
        raise Undefined(
            f"the {which} has {audio.channels} channels, {spec.name} is defined on 1; "
            "downmix it first"
        )


def equal_length(*, reference: Audio, degraded: Audio) -> None:
    """Check that both signals have as many samples."""
    if degraded.num_samples != reference.num_samples:
        raise Undefined(
            f"the degraded signal lasts {degraded.duration_s:.3f} s ({degraded.num_samples} "
            f"samples), the reference {reference.duration_s:.3f} s ({reference.num_samples}); cut "
            "or pad the degraded signal to the reference's length"
        )


def min_duration(audio: Audio, duration_s: float, *, which: str) -> None:
    """Check that a signal is at least `duration_s` long."""
    if audio.duration_s < duration_s:
        raise Undefined(
            f"too short: the {which} lasts {audio.duration_s:.3f} s, {duration_s:.3f} s are needed"
        )


def max_duration(audio: Audio, duration_s: float, *, which: str) -> None:
    """Check that a signal is at most `duration_s` long."""
    if audio.duration_s > duration_s:
        raise Undefined(
            f"too long: the {which} lasts {audio.duration_s:.3f} s, at most {duration_s:.3f} s "
            "are possible; score it in segments"
        )


def not_silent(audio: Audio, *, which: str) -> None:
    """Check that no channel is constant: a constant offset carries as much sound as zeros."""
    for channel, samples in enumerate(audio.samples):
        if np.all(samples == samples[0]):
            where = f" in channel {channel}" if audio.channels > 1 else ""
            raise Undefined(
                f"the {which} is silent{where}: all {audio.num_samples} samples are "
                f"{samples[0]:g}; a signal that varies is needed"
            )


def is_silent(audio: Audio) -> bool:
    """Whether no channel holds any sound."""
    return all(bool(np.all(samples == samples[0])) for samples in audio.samples)


def finite(value: float, spec: MetricSpec) -> float:
    """Return a score, unless it is NaN or infinite."""
    if not math.isfinite(value):
        raise Undefined(f"{spec.name} came out as {value}; a finite value is needed")
    return value
