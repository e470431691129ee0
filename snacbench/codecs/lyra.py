"""Lyra V2: Google's SoundStream-type speech codec, its three TFLite models run frame by frame.

The interpreters keep a stream's state in variables that cannot be reset, so every clip gets
fresh ones, which takes about 3 ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
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

    def at(self, spec: CodecSpec) -> LyraCodec:
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
        """Decode; deterministic, so the seed is not used."""
        decoder, quantizer = self._interpreter(_DECODER), self._quantizer("decode")
        blocks = []
        for row in np.concatenate(encoded.codes).T:
            indices = np.full((_MAX_QUANTIZERS, 1, 1), -1, np.int32)  # -1: not sent
            indices[: len(row), 0, 0] = row
            features = quantizer(encoding_indices=indices)["output_0"]
            blocks.append(_invoke(decoder, features)[0])
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


def _load(spec: CodecSpec, weights: LocatedWeights | None, device: str) -> LyraCodec:
    codec = LyraCodec(spec, files_of(spec, weights))
    for name, path in codec.folder_files.items():
        try:
            codec._interpreter(name)
        except (ValueError, RuntimeError) as error:
            raise WeightsMismatch(
                f"{path} is not a TFLite model ({error}); fetch Lyra's models again"
            ) from error
    return codec


_POINTS = tuple(
    CodecSpec(
        name=f"lyra-v2@{nominal_kbps_of(streams):g}kbps",
        model="lyra-v2",
        family="lyra",
        rate_hz=RATE_HZ,
        channels=(1,),
        streams=streams,
        nominal_kbps=nominal_kbps_of(streams),
        latency_s=_HOP / RATE_HZ,
        settings={"quantizers": len(streams)},
        licence="Apache-2.0",
        citation=(
            "Zeghidour, Luebs, Omran, Skoglund, Tagliasacchi: SoundStream, 2021, "
            "arXiv:2107.03312; github.com/google/lyra"
        ),
    )
    for streams in ((_STREAM,) * 16, (_STREAM,) * 30, (_STREAM,) * 46)
)

MODELS = (
    CodecModel(
        name="lyra-v2",
        family="lyra",
        points=_POINTS,
        default=tuple(point.name for point in _POINTS),
        load=_load,
        source=_SOURCE,
        requires=("ai_edge_litert",),
        nested=True,
    ),
)
