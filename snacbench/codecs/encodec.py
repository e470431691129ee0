"""EnCodec: residual vector quantisation of a SEANet autoencoder (Défossez et al. 2022).

The 48 kHz model codes one-second segments that overlap by 1 % and sends a scale with each, so
its true code rate is the nominal one over 0.99, plus 32 bits per segment.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from snacbench.codecs import _neural as neural
from snacbench.errors import WeightsMismatch
from snacbench.models import CodecFamily, CodecModel, HostedFile, LocatedWeights, WeightsSource
from snacbench.types import Audio, CodecSpec, Encoded, Stream
from snacbench.weights import embedded

if TYPE_CHECKING:
    import torch

_CITATION = (
    "Défossez, Copet, Synnaeve, Adi: High Fidelity Neural Audio Compression, 2022, arXiv:2210.13438"
)
_SCALE = struct.Struct("<f")


@dataclass(frozen=True)
class _Facts:
    """Static facts of a model; `segment_s` is None where the whole clip is one segment."""

    name: str
    rate_hz: int
    channels: int
    hop: int
    codebook_size: int
    bandwidths_kbps: tuple[float, ...]
    params_m: float
    segment_s: float | None = None
    segment_advance: Fraction = Fraction(1)
    licence: str = "MIT"  # of the code; the weights are published beside it
    demonstration: bool = False

    def codebooks(self, kbps: float) -> int:
        """Codebooks that fit into a bandwidth, as the package counts them."""
        per_codebook = self.rate_hz / self.hop * (self.codebook_size.bit_length() - 1)
        return int(kbps * 1000 // per_codebook)


_24KHZ = _Facts("encodec-24khz", 24_000, 1, 320, 1024, (1.5, 3.0, 6.0, 12.0, 24.0), 19.0)
_48KHZ = _Facts(
    "encodec-48khz", 48_000, 2, 320, 1024, (3.0, 6.0, 12.0, 24.0), 17.0,
    segment_s=1.0, segment_advance=Fraction(47_520, 48_000),
)  # fmt: skip
_FILES = {
    "encodec-24khz": HostedFile(
        "encodec_24khz-d7cc33bc.th", "encodec/v0/encodec_24khz-d7cc33bc.th", "d7cc33bc"
    ),
    "encodec-48khz": HostedFile(
        "encodec_48khz-7e698e3e.th", "encodec/v0/encodec_48khz-7e698e3e.th", "7e698e3e"
    ),
}


def _points(facts: _Facts) -> tuple[CodecSpec, ...]:
    frame_rate = Fraction(facts.rate_hz, facts.hop) / facts.segment_advance
    base = CodecSpec(
        name=facts.name,
        model=facts.name,
        family="encodec",
        rate_hz=facts.rate_hz,
        channels=(facts.channels,),
        # One frame for the causal model; the other waits for its segment to be complete.
        latency_s=facts.segment_s or facts.hop / facts.rate_hz,
        params_m=facts.params_m,
        licence=facts.licence,
        citation=_CITATION,
        demonstration=facts.demonstration,
    )
    return tuple(
        replace(
            base,
            name=f"{facts.name}@{kbps:g}kbps",
            streams=(Stream(frame_rate, facts.codebook_size),) * facts.codebooks(kbps),
            nominal_kbps=kbps,
            settings={"bandwidth_kbps": kbps},
        )
        for kbps in facts.bandwidths_kbps
    )


def _published_model(facts: _Facts) -> CodecModel:
    points = _points(facts)
    return CodecModel(
        name=facts.name,
        family="encodec",
        points=points,
        default=(points[-1].name,),
        load=_load,
        source=WeightsSource("cdn", "encodec", (_FILES[facts.name],), revision="v0"),
        requires=("torch", "encodec"),
    )


def _mini() -> CodecModel:
    config = embedded.config("encodec-mini")
    facts = _Facts(
        "encodec-mini",
        config["sample_rate"],
        1,
        config["hop"],
        config["codebook_size"],
        tuple(config["model"]["target_bandwidths"]),
        embedded.params_m("encodec-mini"),
        licence=config["licence"],
        demonstration=True,
    )
    return neural.embedded_model(_points(facts), _load, package="encodec")


@dataclass(frozen=True)
class EncodecCodec:
    """A loaded EnCodec model at one bandwidth."""

    spec: CodecSpec
    model: Any
    device: torch.device

    def encode(self, audio: Audio) -> Encoded:
        """Encode segment by segment; the scales of the 48 kHz model are side information."""
        import torch

        self.model.set_target_bandwidth(self.spec.settings["bandwidth_kbps"])
        with torch.inference_mode():
            segments = self.model.encode(neural.to_tensor(audio, self.device))
            codes = torch.cat([codes for codes, _ in segments], dim=-1)
        scales = [float(scale.item()) for _, scale in segments if scale is not None]
        return Encoded(
            num_samples=audio.num_samples,
            channels=audio.channels,
            rate_hz=audio.rate_hz,
            codes=tuple(neural.to_codes(codes[:, i]) for i in range(codes.shape[1])),
            side_info=b"".join(_SCALE.pack(scale) for scale in scales),
        )

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Decode; deterministic, so the seed is not used."""
        import torch

        codes = torch.stack([neural.from_codes(c, self.device) for c in encoded.codes], dim=1)
        lengths = self._frames_per_segment(encoded.num_samples)
        parts = torch.split(codes, lengths, dim=-1)
        scales: list[torch.Tensor | None] = [
            torch.tensor([[value]], dtype=torch.float32, device=self.device)
            for (value,) in _SCALE.iter_unpack(encoded.side_info)
        ]
        scales = scales or [None] * len(parts)
        with torch.inference_mode():
            batch = self.model.decode(list(zip(parts, scales, strict=True)))
        return neural.to_audio(batch, encoded.rate_hz, encoded.num_samples)

    def _frames_per_segment(self, num_samples: int) -> list[int]:
        """How the frames of a clip divide into segments; follows from the length alone."""
        hop = int(np.prod(self.model.encoder.ratios))
        length = self.model.segment_length or num_samples
        starts = range(0, num_samples, self.model.segment_stride or num_samples)
        return [-(-min(length, num_samples - start) // hop) for start in starts]


def _load(spec: CodecSpec, weights: LocatedWeights | None, device: str) -> EncodecCodec:
    from encodec import EncodecModel

    if weights is None:
        raise WeightsMismatch(f"{spec.name} cannot run without weights")
    if embedded.WEIGHTS_FILE in weights.files:
        path = weights.files[embedded.WEIGHTS_FILE]
        config = json.loads(weights.files[embedded.CONFIG_FILE].read_text("utf-8"))
        model = _build_mini(config["model"], spec)
    else:
        path = next(iter(weights.files.values()))
        model = (
            EncodecModel.encodec_model_24khz(pretrained=False)
            if spec.model == "encodec-24khz"
            else EncodecModel.encodec_model_48khz(pretrained=False)
        )
    neural.load_strictly(model, neural.load_tensors(path), path)
    return EncodecCodec(
        spec, neural.prepare_for_inference(model, device), neural.ready_device(device)
    )


def _build_mini(config: Mapping[str, Any], spec: CodecSpec) -> Any:
    """The official classes at the width that the embedded configuration names."""
    from encodec import EncodecModel
    from encodec.modules import SEANetDecoder, SEANetEncoder
    from encodec.quantization import ResidualVectorQuantizer

    bandwidths: Sequence[float] = config["target_bandwidths"]
    return EncodecModel(
        SEANetEncoder(**config["encoder"]),
        SEANetDecoder(**config["encoder"]),
        ResidualVectorQuantizer(**config["quantizer"]),
        list(bandwidths),
        spec.rate_hz or 0,
        1,
        name=spec.model,
    )


MODELS = (_published_model(_24KHZ), _published_model(_48KHZ), _mini())
FAMILY = CodecFamily(
    "encodec", published="encodec-24khz@1.5,3,6,12,24", embedded="encodec-mini@1.5,3,6,12"
)
