"""What a codec's codes owe to the device and the number format that they were computed in.

A residual quantiser takes the nearest entry of a codebook: where two are almost equally near, the
rounding of a sum decides, and every later stage codes what that choice left over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from snacbench.errors import UserError
from snacbench.rows import Agreement
from snacbench.runner.calibrate import excerpts_for
from snacbench.runner.loading import CPU, CodecHandle, handle_of, load
from snacbench.runner.plan import Plan
from snacbench.types import Audio, Encoded


def agreement(handle: CodecHandle, baseline: CodecHandle | None = None) -> Agreement:
    """Compare a codec with itself on another device or in another precision.

    Without a baseline: on the same device in 32-bit floats. The excerpts are those on which
    delay is calibrated; codes are compared one by one, audio by its signal-to-noise ratio.

    Raises
    ------
    UserError
        If its weights are damaged or do not fit.
    """
    other = baseline or replace(handle, precision="fp32")
    # One after the other: two models may not fit into the device's memory.
    expected, found = _coded(other), _coded(handle)
    tokens = equal = 0
    for ours, theirs in zip(found, expected, strict=True):
        for a, b in zip(ours.encoded.codes, theirs.encoded.codes, strict=True):
            tokens += b.size
            equal += int(np.count_nonzero(a == b)) if a.shape == b.shape else 0
    signal = sum(_power(coded.decoded) for coded in expected)
    noise = sum(
        float(np.square(ours.decoded.samples - theirs.decoded.samples, dtype=np.float64).sum())
        for ours, theirs in zip(found, expected, strict=True)
    )
    return Agreement(
        codec=handle.spec.name,
        computed=_where(handle),
        baseline=_where(other),
        tokens=tokens,
        equal=equal,
        snr_db=float(10 * np.log10(signal / noise)) if noise and signal else None,
    )


def agreements(plan: Plan) -> Iterator[Agreement]:
    """Compare each codec of a plan, as it would run, with the CPU in 32-bit floats.

    Raises
    ------
    UserError
        If that is how it would run, or its weights are damaged or do not fit.
    """
    if (plan.request.device, plan.request.precision) == (CPU, "fp32"):
        raise UserError(
            "what is compared runs on the CPU in fp32, as does what it is compared with; name "
            "--device cuda or --precision bf16"
        )
    for codec in plan.codecs:
        handle = handle_of(codec, plan.request)
        yield agreement(handle, replace(handle, device=CPU, precision="fp32"))


@dataclass(frozen=True)
class _Coded:
    encoded: Encoded
    decoded: Audio


def _coded(handle: CodecHandle) -> list[_Coded]:
    loaded = load(handle)
    coded = []
    for excerpt in excerpts_for(handle.spec):
        with loaded.computing():
            encoded = loaded.codec.encode(excerpt)
            coded.append(_Coded(encoded, loaded.codec.decode(encoded, seed=0)))
    return coded


def _power(audio: Audio) -> float:
    return float(np.square(audio.samples, dtype=np.float64).sum())


def _where(handle: CodecHandle) -> str:
    return f"{handle.device} {handle.precision}"
