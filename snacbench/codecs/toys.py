"""Codecs that cost no weights: the metrics' yardstick, anchors, and tests of everything else.

They send the samples themselves, as 32-bit floats, and impair at the decoder: `identity` not at
all, `lowpass` by a linear-phase filter without delay, `noise` by white noise at a stated ratio.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from snacbench.errors import UnknownPoint
from snacbench.models import CodecFamily, CodecModel, LocatedWeights
from snacbench.types import Audio, CodecSpec, Encoded, FloatSamples

_BASE = CodecSpec(
    name="identity",
    model="identity",
    family="toys",
    rate_hz=None,
    channels=(),
    latency_s=0.0,
    anchor=True,
    licence="MIT",
    citation="snacbench",
)

Impairment = Callable[[FloatSamples, CodecSpec, int, int], FloatSamples]


@dataclass(frozen=True)
class ToyCodec:
    """Sends plain samples and applies an impairment when decoding."""

    spec: CodecSpec
    impair: Impairment

    def encode(self, audio: Audio) -> Encoded:
        """Pack the samples as little-endian 32-bit floats."""
        return Encoded(
            num_samples=audio.num_samples,
            channels=audio.channels,
            rate_hz=audio.rate_hz,
            packets=(audio.samples.astype("<f4").tobytes(),),
        )

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Unpack the samples and impair them."""
        import numpy as np

        samples = np.frombuffer(encoded.packets[0], "<f4").reshape(encoded.channels, -1)
        impaired = self.impair(samples, self.spec, encoded.rate_hz, seed)
        return Audio(np.ascontiguousarray(impaired, dtype=np.float32), encoded.rate_hz)


def _unchanged(samples: FloatSamples, spec: CodecSpec, rate_hz: int, seed: int) -> FloatSamples:
    return samples


def _low_passed(samples: FloatSamples, spec: CodecSpec, rate_hz: int, seed: int) -> FloatSamples:
    from snacbench.audio.filters import low_pass

    return low_pass(Audio(samples, rate_hz), spec.settings["cutoff_hz"]).samples


def _with_noise(samples: FloatSamples, spec: CodecSpec, rate_hz: int, seed: int) -> FloatSamples:
    """White Gaussian noise at a fixed ratio to the clip's own mean power."""
    import numpy as np

    power = float(np.mean(np.square(samples, dtype=np.float64)))
    deviation = np.sqrt(power / 10 ** (spec.settings["snr_db"] / 10))
    noise = np.random.default_rng(seed).standard_normal(samples.shape)
    return np.asarray(samples + deviation * noise, dtype=np.float32)


def _lowpass_point(cutoff_khz: float) -> CodecSpec:
    return replace(
        _BASE,
        name=f"lowpass@{cutoff_khz:g}kHz",
        model="lowpass",
        settings={"cutoff_hz": cutoff_khz * 1000},
    )


def _noise_point(snr_db: float) -> CodecSpec:
    return replace(
        _BASE,
        name=f"noise@{snr_db:g}dB",
        model="noise",
        stochastic=True,
        settings={"snr_db": snr_db},
    )


def _number(text: str, unit: str) -> float | None:
    found = re.fullmatch(rf"([+-]?\d+(?:\.\d+)?)\s*(?:{unit})?", text, flags=re.IGNORECASE)
    return float(found[1]) if found else None


def _free_cutoff(text: str) -> CodecSpec:
    cutoff_khz = _number(text, "kHz")
    if cutoff_khz is None or cutoff_khz <= 0:
        raise UnknownPoint(f"{text!r} is no cut-off; write for example lowpass@3.5kHz")
    return _lowpass_point(cutoff_khz)


def _free_ratio(text: str) -> CodecSpec:
    snr_db = _number(text, "dB")
    if snr_db is None:
        raise UnknownPoint(f"{text!r} is no signal-to-noise ratio; write for example noise@20dB")
    return _noise_point(snr_db)


def _loader(impair: Impairment) -> Callable[[CodecSpec, LocatedWeights | None, str], ToyCodec]:
    return lambda spec, weights, device: ToyCodec(spec, impair)


MODELS = (
    CodecModel(
        name="identity",
        family="toys",
        points=(_BASE,),
        default=("identity",),
        load=_loader(_unchanged),
    ),
    CodecModel(
        name="lowpass",
        family="toys",
        points=(_lowpass_point(3.5), _lowpass_point(7.0)),
        default=("lowpass@3.5kHz", "lowpass@7kHz"),
        load=_loader(_low_passed),
        free_point=_free_cutoff,
    ),
    CodecModel(
        name="noise",
        family="toys",
        points=tuple(_noise_point(snr_db) for snr_db in (0, 10, 20, 30, 40)),
        default=("noise@20dB",),
        load=_loader(_with_noise),
        free_point=_free_ratio,
    ),
)
FAMILY = CodecFamily("toys", published="identity,lowpass,noise")
