"""DAC: residual vector quantisation with factorised codes (Kumar et al. 2023).

Whole files go through ``encode`` and ``decode``, never through the package's ``compress``, whose
overlapping one-second windows send more codes than the nominal rate and change the loudness.
The model's label is not its rate: "8kbps" at 24 kHz means 24 kbps at full depth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from snacbench.codecs import _neural as neural
from snacbench.errors import WeightsMismatch
from snacbench.models import CodecFamily, CodecModel, HostedFile, LocatedWeights, WeightsSource
from snacbench.types import Audio, CodecSpec, Encoded, Stream, nominal_kbps_of
from snacbench.weights import embedded

if TYPE_CHECKING:
    import torch

_CODEBOOK_SIZE = 1024
_CITATION = (
    "Kumar, Seetharaman, Luebs, Kumar, Kumar: High-Fidelity Audio Compression with Improved "
    "RVQGAN, NeurIPS 2023, arXiv:2306.06546"
)


@dataclass(frozen=True)
class _Published:
    """Static facts of a published model.

    `latency_samples` is how far ahead an output sample depends on the input, at the worst place
    within a frame, found by propagating gradients back through the model: it is not causal.
    """

    name: str
    rate_hz: int
    hop: int
    codebooks: int
    params_m: float | None
    latency_samples: int
    tag: str
    asset: str
    cached_as: str


_PUBLISHED = (
    _Published(
        "dac-44khz", 44_100, 512, 9, 76.7, 9_001,
        "0.0.1", "weights.pth", "weights_44khz_8kbps_0.0.1.pth",
    ),
    _Published(
        # Its parameter count is not known without the file: the latent width differs.
        "dac-44khz-16kbps", 44_100, 512, 18, None, 9_001,
        "1.0.0", "weights_44khz_16kbps.pth", "weights_44khz_16kbps_1.0.0.pth",
    ),
    _Published(
        "dac-24khz", 24_000, 320, 32, 74.7, 5_953,
        "0.0.4", "weights_24khz.pth", "weights_24khz_8kbps_0.0.4.pth",
    ),
    _Published(
        "dac-16khz", 16_000, 320, 12, 74.2, 5_953,
        "0.0.5", "weights_16khz.pth", "weights_16khz_8kbps_0.0.5.pth",
    ),
)  # fmt: skip


_MINI_LATENCY_SAMPLES = 5_953


def _points(base: CodecSpec, stream: Stream, codebooks: int) -> tuple[CodecSpec, ...]:
    """One operating point per number of codebooks: quantiser dropout trained all of them."""
    points = []
    for used in range(1, codebooks + 1):
        streams = (stream,) * used
        kbps = nominal_kbps_of(streams)
        points.append(
            replace(
                base,
                name=f"{base.model}@{kbps:.3g}kbps",
                streams=streams,
                nominal_kbps=kbps,
                settings={"codebooks": used},
            )
        )
    return tuple(points)


def _published_model(facts: _Published) -> CodecModel:
    base = CodecSpec(
        name=facts.name,
        model=facts.name,
        family="dac",
        rate_hz=facts.rate_hz,
        channels=(1,),
        latency_s=facts.latency_samples / facts.rate_hz,
        params_m=facts.params_m,
        licence="MIT",
        citation=_CITATION,
    )
    stream = Stream(Fraction(facts.rate_hz, facts.hop), _CODEBOOK_SIZE)
    points = _points(base, stream, facts.codebooks)
    release = f"descriptinc/descript-audio-codec/releases/download/{facts.tag}"
    return CodecModel(
        name=facts.name,
        family="dac",
        points=points,
        default=(points[-1].name,),
        load=_load,
        source=WeightsSource(
            "github",
            "descriptinc/descript-audio-codec",
            (HostedFile(facts.cached_as, f"{release}/{facts.asset}", aliases=(facts.asset,)),),
            revision=facts.tag,
        ),
        requires=("torch", "dac"),
    )


def _mini() -> CodecModel:
    config = embedded.config("dac-mini")
    model: Mapping[str, Any] = config["model"]
    base = CodecSpec(
        name="dac-mini",
        model="dac-mini",
        family="dac",
        rate_hz=config["sample_rate"],
        channels=(1,),
        latency_s=_MINI_LATENCY_SAMPLES / config["sample_rate"],
        params_m=embedded.params_m("dac-mini"),
        demonstration=True,
        licence=config["licence"],
        citation=_CITATION,
    )
    stream = Stream(Fraction(config["sample_rate"], config["hop"]), model["codebook_size"])
    points = _points(base, stream, model["n_codebooks"])
    return neural.embedded_model(points, _load, package="dac")


@dataclass(frozen=True)
class DacCodec:
    """A loaded DAC model at one number of codebooks."""

    spec: CodecSpec
    model: Any
    device: torch.device

    def encode(self, audio: Audio) -> Encoded:
        """Encode a whole clip, padded to whole frames as the package's ``preprocess`` does."""
        import torch

        with torch.inference_mode():
            batch = self.model.preprocess(neural.to_tensor(audio, self.device), audio.rate_hz)
            codes = self.model.encode(batch, self.spec.settings["codebooks"])[1]
        return Encoded(
            num_samples=audio.num_samples,
            channels=1,
            rate_hz=audio.rate_hz,
            codes=tuple(neural.to_codes(codes[:, i]) for i in range(codes.shape[1])),
        )

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Decode; deterministic, so the seed is not used."""
        import torch

        codes = [neural.from_codes(c, self.device) for c in encoded.codes]
        with torch.inference_mode():
            latent = self.model.quantizer.from_codes(torch.stack(codes, dim=1))[0]
            batch = self.model.decode(latent)
        return neural.to_audio(batch, encoded.rate_hz, encoded.num_samples)


def _load(spec: CodecSpec, weights: LocatedWeights | None, device: str) -> DacCodec:
    from dac import DAC

    if weights is None:
        raise WeightsMismatch(f"{spec.name} cannot run without weights")
    if embedded.WEIGHTS_FILE in weights.files:
        path = weights.files[embedded.WEIGHTS_FILE]
        config = json.loads(weights.files[embedded.CONFIG_FILE].read_text("utf-8"))
        arguments: dict[str, Any] = config["model"]
        state: Mapping[str, Any] = neural.load_tensors(path)
    else:
        path = next(iter(weights.files.values()))
        arguments, state = _unpack(neural.load_tensors(path), str(path))
    model = DAC(**arguments)
    _check_arguments(spec, model, str(path))
    neural.load_strictly(model, state, path)
    return DacCodec(spec, neural.prepare_for_inference(model, device), neural.ready_device(device))


def _unpack(saved: Mapping[str, Any], origin: str) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Constructor arguments and weights from the package's own save format."""
    import inspect

    from dac import DAC

    try:
        arguments, state = saved["metadata"]["kwargs"], saved["state_dict"]
    except (KeyError, TypeError) as error:
        raise WeightsMismatch(
            f"{origin} is not in DAC's format: expected the entries state_dict and "
            f"metadata.kwargs, found {sorted(saved)[:4]}"
        ) from error
    known = inspect.signature(DAC).parameters
    return {k: v for k, v in arguments.items() if k in known}, state


def _check_arguments(spec: CodecSpec, model: Any, origin: str) -> None:
    """The spec is static; a file that disagrees would make every rate wrong."""
    frame_rate = Fraction(int(model.sample_rate), int(model.hop_length))
    used = spec.settings["codebooks"]
    if (
        model.sample_rate != spec.rate_hz
        or Stream(frame_rate, model.codebook_size) != spec.streams[0]
        or model.n_codebooks < used
    ):
        raise WeightsMismatch(
            f"{origin} describes {model.sample_rate} Hz, hop {model.hop_length}, "
            f"{model.n_codebooks} codebooks of {model.codebook_size}, which is not {spec.model}"
        )


MODELS = (*(_published_model(facts) for facts in _PUBLISHED), _mini())
FAMILY = CodecFamily("dac", published="dac-44khz@1.78,2.67,5.33,8", embedded="dac-mini@2q,3q,6q,9q")
