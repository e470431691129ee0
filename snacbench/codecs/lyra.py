"""Lyra V2: Google's SoundStream-type speech codec, its three TFLite models run frame by frame.

The interpreters keep a stream's state in variables that cannot be reset, so every clip gets
fresh ones, which takes about 3 ms.

Lost packets are concealed as Google's decoder does it (lyra_decoder.cc and noise_estimator.cc of
v1.3.2): features of zeros for up to 80 ms, then within 40 ms a fade to comfort noise, and as long a
fade back when packets arrive again. The noise has the spectrum of the background, which is tracked
in what was received by minimum statistics. It differs in this: the noise is drawn from a decode's
seed and shaped by filters and an overlap of our own, and packets arrive in time, one per 20 ms.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from snacbench.audio.resample import fit_length
from snacbench.codecs._checkpoint import files_of
from snacbench.errors import WeightsMismatch
from snacbench.later import np
from snacbench.models import CodecModel, HostedFile, LocatedWeights, WeightsSource
from snacbench.types import Audio, CodecSpec, Encoded, FloatSamples, Stream, nominal_kbps_of

RATE_HZ = 16_000
_HOP = 320
_MAX_QUANTIZERS = 46
_FULL_SCALE = 32_768.0
_ENCODER, _QUANTIZER, _DECODER = "soundstream_encoder.tflite", "quantizer.tflite", "lyragan.tflite"

_STREAM = Stream(Fraction(RATE_HZ, _HOP), 16)
_SOURCE = WeightsSource(
    "github",
    "google/lyra",
    tuple(
        HostedFile(name, f"google/lyra/raw/v1.3.2/lyra/model_coeffs/{name}", sha256)
        for name, sha256 in (
            (_ENCODER, "237da0b16226fb0a68d49551c81bebf614e42142af72764448359f68581e88f1"),
            (_QUANTIZER, "841ee05989687d32d1f616a8ad1419fc7eda37599d3c05c7cf5a0d60ccf8ac5c"),
            (_DECODER, "50e7839cda4f30599a3a34cfaddcd9c98449b049eee884e1a74295780448ad06"),
        )
    ),
    revision="v1.3.2",
    environment_variable="SNACBENCH_LYRA_DIR",
)


@dataclass(frozen=True)
class LyraCodec:
    """Lyra's three models from one folder, at one number of quantisers."""

    spec: CodecSpec
    folder_files: Mapping[str, Path]

    def at(self, spec: CodecSpec) -> "LyraCodec":
        """The same models at another number of quantisers."""
        return replace(self, spec=spec)

    def encode(self, audio: Audio) -> Encoded:
        """Encode whole frames of 20 ms, the last one filled with zeros.

        Lyra reads 16-bit samples; values between its steps are rounded, peaks saturate.
        """
        scaled = np.rint(audio.samples.astype(np.float64) * _FULL_SCALE)
        samples = (np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1) / _FULL_SCALE).astype(np.float32)
        count = -(-audio.num_samples // _HOP)
        frames = fit_length(samples, count * _HOP).reshape(count, _HOP)
        encoder, quantizer = self._interpreter(_ENCODER), self._quantizer("encode")
        quantizers = np.array(self.spec.settings["quantizers"], np.int32)
        rows = []
        for frame in frames:
            features = _invoke(encoder, frame[np.newaxis])
            indices = quantizer(input_frames=features, num_quantizers=quantizers)["output_0"]
            rows.append(np.asarray(indices).reshape(-1)[:quantizers])
        codes = tuple(row[np.newaxis] for row in np.stack(rows, axis=1).astype(np.int32))
        return Encoded(audio.num_samples, channels=1, rate_hz=RATE_HZ, codes=codes)

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Decode; the seed is that of comfort noise, where many packets in a row are lost."""
        decoder, quantizer = self._interpreter(_DECODER), self._quantizer("decode")
        rows = np.concatenate(encoded.codes).T
        conceal = _Concealment(seed) if any(encoded.lost) else None
        blocks = []
        for row, lost in zip(rows, encoded.lost or (False,) * len(rows), strict=True):
            indices = np.full((_MAX_QUANTIZERS, 1, 1), -1, np.int32)  # -1: not sent
            indices[: len(row), 0, 0] = row
            features = quantizer(encoding_indices=indices)["output_0"]
            decoded = partial(_invoke, decoder, np.zeros_like(features) if lost else features)
            blocks.append(conceal.block(decoded, lost) if conceal else decoded()[0])
        samples = np.trunc(np.concatenate(blocks) * _FULL_SCALE)  # as Lyra casts to int16
        samples = np.clip(samples, -_FULL_SCALE, _FULL_SCALE - 1) / _FULL_SCALE
        exact = fit_length(samples[np.newaxis].astype(np.float32), encoded.num_samples)
        return Audio(np.ascontiguousarray(exact), RATE_HZ)

    def _interpreter(self, name: str, **options: Any) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(self.folder_files[name]), num_threads=1, **options)
        interpreter.allocate_tensors()
        return interpreter

    def _quantizer(self, signature: str) -> Any:
        """Without the XNNPACK delegate, as Lyra's own C++ runs this model."""
        from ai_edge_litert.interpreter import OpResolverType

        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = self._interpreter(_QUANTIZER, experimental_op_resolver_type=plain)
        return interpreter.get_signature_runner(signature)


def _invoke(interpreter: Any, value: FloatSamples) -> FloatSamples:
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], value)
    interpreter.invoke()
    result: FloatSamples = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return result


class _Concealment:
    """Which of a decoder's output and comfort noise is heard, 20 ms after 20 ms."""

    _CONCEALED, _FADE = 4, 2  # blocks of 20 ms
    _BANDS, _FFT, _HIGHEST_HZ = 160, 1024, 0.495 * RATE_HZ
    _STEP_S, _LEAST, _SPREAD = _HOP / RATE_HZ, 500.0, 0.3

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.lost, self.faded, self.direction, self.heard = 0, 0, -1, 0
        # Each bin lies between the centres of two mel bands, and is shared by them.
        hz = np.fft.rfftfreq(self._FFT, 1 / RATE_HZ)[:, np.newaxis]
        place = np.log1p(hz / 700) / np.log1p(self._HIGHEST_HZ / 700) * (self._BANDS + 1) - 1
        self.mel = np.maximum(0, 1 - np.abs(place - np.arange(self._BANDS)))
        self.window = np.sin(np.pi * (np.arange(2 * _HOP) + 0.5) / (2 * _HOP))
        self.before = self.tail = np.zeros(_HOP, np.float32)
        # Logarithms of magnitudes over ten, per band: the background, how far it varies, and what
        # it is estimated from.
        self.floor, self.bound = np.zeros(self._BANDS), np.zeros(self._BANDS)
        self.smooth = self.square = self.lowest = self.floor

    def block(self, decode: Callable[[], FloatSamples], lost: bool) -> FloatSamples:
        """The next block, of the decoder's, which is called only if any of it is heard."""
        if not lost:
            self.lost, self.direction = 0, -1
        elif self.lost == self._CONCEALED:
            self.direction = 1
        self.lost = min(self.lost + lost, self._CONCEALED)
        if self.direction == 1 and self.faded == self._FADE:
            return self._noise()
        decoded = decode()[0]
        if not lost:
            self._hear(np.trunc(decoded * _FULL_SCALE))
        if self.direction == -1 and self.faded == 0:
            return decoded
        steps = self.faded + self.direction * np.arange(_HOP) / _HOP
        self.faded += self.direction
        share = (1 + np.cos(np.pi * steps / self._FADE)) / 2
        return decoded * share + self._noise() * (1 - share)

    def _hear(self, block: FloatSamples) -> None:
        """Track the background: in each band the lowest smoothed level of the last 1 to 2 s."""
        frame, self.before = np.concatenate([self.before, block]) * self.window**2, block
        magnitudes = np.abs(np.fft.rfft(frame, self._FFT)) @ self.mel
        level = np.log(np.maximum(magnitudes, self._LEAST)) / 10
        if (np.abs(level - self.floor) <= self.bound).all():  # background again
            self.bound = self.bound * 0.5**self._STEP_S
            return
        if not self.heard:
            self.smooth, self.square, self.lowest = level, level**2, level
        apart = (self.smooth.mean() - level.mean()) ** 2 + (self.smooth - self.floor) ** 2
        weight = 0.5 ** (self._STEP_S / 0.7) * np.exp(-apart / self._SPREAD**2)
        self.smooth = weight * self.smooth + (1 - weight) * level
        self.square = weight * self.square + (1 - weight) * level**2
        again = self.heard % round(1 / self._STEP_S) == 0
        self.floor = np.minimum(self.lowest if again else self.floor, self.smooth)
        self.lowest = self.smooth if again else np.minimum(self.lowest, self.smooth)
        variance = np.maximum(0, self.square - self.smooth**2)
        self.bound = 0.9 * np.sqrt(variance * np.log(self._BANDS))
        self.heard += 1

    def _noise(self) -> FloatSamples:
        """A block of noise of the background's magnitudes and random phases."""
        magnitudes = self.mel @ (np.exp(10 * self.floor) / np.maximum(self.mel.sum(axis=0), 1e-9))
        phases = np.exp(2j * np.pi * self.random.random(len(magnitudes)))
        # The window of `_hear` has passed 3/8 of the power of its 640 samples.
        gain = np.sqrt(self._FFT / (0.375 * 2 * _HOP)) / _FULL_SCALE
        whole = np.fft.irfft(magnitudes * phases)[: 2 * _HOP] * self.window * gain
        block, self.tail = self.tail + whole[:_HOP], whole[_HOP:]
        return block


def _load(spec: CodecSpec, weights: LocatedWeights | None, device: str) -> LyraCodec:
    codec = LyraCodec(spec, files_of(spec, weights))
    for name, path in codec.folder_files.items():
        try:
            codec._interpreter(name)
        except (ValueError, RuntimeError) as error:
            text = f"{path} is not a TFLite model ({error}); fetch Lyra's models again"
            raise WeightsMismatch(text) from error
    return codec


_POINTS = tuple(
    CodecSpec(
        name=f"lyra-v2@{nominal_kbps_of(streams):g}kbps", model="lyra-v2", family="lyra",
        rate_hz=RATE_HZ, channels=(1,), streams=streams, nominal_kbps=nominal_kbps_of(streams),
        latency_s=_HOP / RATE_HZ, packet_s=_HOP / RATE_HZ, settings={"quantizers": len(streams)},
        concealment="zero features, then comfort noise", licence="Apache-2.0",
        citation=(
            "Zeghidour, Luebs, Omran, Skoglund, Tagliasacchi: SoundStream, 2021, "
            "arXiv:2107.03312; github.com/google/lyra"
        ),
    )
    for streams in ((_STREAM,) * 16, (_STREAM,) * 30, (_STREAM,) * 46)
)  # fmt: skip
MODELS = CodecModel(
    name="lyra-v2", family="lyra", points=_POINTS, default=tuple(point.name for point in _POINTS),
    load=_load, source=_SOURCE, requires=("ai_edge_litert",), nested=True,
)  # fmt: skip
