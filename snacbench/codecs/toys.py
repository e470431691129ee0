"""Codecs that cost no weights: the metrics' yardstick, anchors, and tests of everything else.

They send the samples themselves, as 32-bit floats, and impair at the decoder: `identity` not at
all, `lowpass` by a linear-phase filter without delay, `noise` by white noise at a stated ratio.
"""

import math
import re
from dataclasses import dataclass, replace

from snacbench.audio.filters import low_pass
from snacbench.errors import UnknownPoint
from snacbench.later import np
from snacbench.models import CodecFamily, CodecModel, Loader
from snacbench.types import Audio, CodecSpec, Encoded

_IDENTITY = CodecSpec(
    name="identity", model="identity", family="toys", rate_hz=None, channels=(), latency_s=0.0,
    anchor=True, licence="MIT", citation="snacbench",
)  # fmt: skip


@dataclass(frozen=True)
class ToyCodec:
    """Sends plain samples; what impairs them in the decoder is in the spec's settings."""

    spec: CodecSpec

    def encode(self, audio: Audio) -> Encoded:
        """Pack the samples as little-endian 32-bit floats."""
        packet = audio.samples.astype("<f4").tobytes()
        return Encoded(audio.num_samples, audio.channels, audio.rate_hz, packets=(packet,))

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Unpack the samples and impair them.

        The noise is white and Gaussian, at a fixed ratio to the clip's own mean power.
        """
        samples = np.frombuffer(encoded.packets[0], "<f4").reshape(encoded.channels, -1)
        settings = self.spec.settings
        if "cutoff_hz" in settings:
            return low_pass(Audio(samples, encoded.rate_hz), settings["cutoff_hz"])
        if "snr_db" in settings:
            power = float(np.mean(np.square(samples, dtype=np.float64)))
            deviation = np.sqrt(power / 10 ** (settings["snr_db"] / 10))
            noise = np.random.default_rng(seed).standard_normal(samples.shape)
            samples = np.asarray(samples + deviation * noise, dtype=np.float32)
        return Audio(np.ascontiguousarray(samples, dtype=np.float32), encoded.rate_hz)


def _lowpass_point(cutoff_khz: float) -> CodecSpec:
    name, settings = f"lowpass@{cutoff_khz:g}kHz", {"cutoff_hz": cutoff_khz * 1000}
    return replace(_IDENTITY, name=name, model="lowpass", latency_s=None, settings=settings)


def _noise_point(snr_db: float) -> CodecSpec:
    name, settings = f"noise@{snr_db:g}dB", {"snr_db": snr_db}
    return replace(_IDENTITY, name=name, model="noise", stochastic=True, settings=settings)


def _number(text: str, unit: str, wanted: str, above: float = -math.inf) -> float:
    found = re.fullmatch(rf"([+-]?\d+(?:\.\d+)?)\s*(?:{unit})?", text, flags=re.IGNORECASE)
    if not found or float(found[1]) <= above:
        raise UnknownPoint(f"{text!r} is no {wanted}")
    return float(found[1])


_LOAD: Loader = lambda spec, weights, device: ToyCodec(spec)  # noqa: E731
_CUT_OFF = "cut-off; write for example lowpass@3.5kHz"
_RATIO = "signal-to-noise ratio; write for example noise@20dB"
MODELS = (
    CodecModel("identity", "toys", points=(_IDENTITY,), default=("identity",), load=_LOAD),
    CodecModel(
        "lowpass", "toys", points=(_lowpass_point(3.5), _lowpass_point(7.0)),
        default=("lowpass@3.5kHz", "lowpass@7kHz"), load=_LOAD,
        free_point=lambda text: _lowpass_point(_number(text, "kHz", _CUT_OFF, above=0)),
    ),
    CodecModel(
        "noise", "toys", points=tuple(map(_noise_point, (0, 10, 20, 30, 40))),
        default=("noise@20dB",), load=_LOAD,
        free_point=lambda text: _noise_point(_number(text, "dB", _RATIO)),
    ),
)  # fmt: skip
FAMILY = CodecFamily("toys", published="identity,lowpass,noise")
