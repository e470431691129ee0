"""SNAC: residual quantisation at several time scales (Siuzdak et al. 2024).

Differences from the package that matter for a benchmark: the decoder's noise is drawn from a
generator seeded per clip instead of PyTorch's global one, decoding is cut to the input's length,
and fewer than all levels can be decoded (marked as truncated: SNAC is trained without quantiser
dropout).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from snacbench.codecs import _batch as batches
from snacbench.codecs import _neural as neural
from snacbench.codecs import _own as own
from snacbench.codecs._checkpoint import fitting, load_strictly, read_checkpoint
from snacbench.codecs._lookahead import blocks, convolutions, look_ahead_samples
from snacbench.errors import UserError, WeightsMismatch
from snacbench.models import (
    CodecFamily,
    CodecModel,
    CodecOpener,
    HostedFile,
    LocatedWeights,
    WeightsSource,
)
from snacbench.types import Audio, CodecSpec, Encoded, Stream, nominal_kbps_of
from snacbench.weights import embedded

if TYPE_CHECKING:
    import torch

_CONFIG, _WEIGHTS = "config.json", "pytorch_model.bin"
_CITATION = (
    "Siuzdak, Grötschla, Lanzendörfer: SNAC: Multi-Scale Neural Audio Codec, 2024, arXiv:2410.14411"
)


@dataclass(frozen=True)
class _Published:
    """Static facts of a published model.

    `latency_samples` is how far ahead an output sample depends on the input, at the worst place
    within a block (see `_lookahead`): the model is not causal.
    """

    name: str
    rate_hz: int
    hop: int
    strides: tuple[int, ...]
    params_m: float
    latency_samples: int
    sha256: str = ""


_PUBLISHED = (
    _Published(
        "snac-24khz",
        24_000,
        512,
        (4, 2, 1),
        19.8,
        11_561,
        # Of pytorch_model.bin at the hub's commit d73ad176a12188fcf4f360ba3bf2c2fbbe8f58ec, as
        # several projects that use it state it. The other models' are recorded at first use.
        "4b8164cc6606bfa627f1a784734c1e539891518f1191ed9194fe1e3b9b4bff40",
    ),
    _Published("snac-32khz", 32_000, 384, (8, 4, 2, 1), 54.5, 29_467),
    _Published("snac-44khz", 44_100, 384, (8, 4, 2, 1), 54.5, 29_467),
)


_MINI_LATENCY_SAMPLES = 5_161


def _points(base: CodecSpec, streams: Sequence[Stream]) -> tuple[CodecSpec, ...]:
    """The full depth under the model's own name, and every truncation under its rate."""
    points = []
    for levels in range(1, len(streams) + 1):
        kept = tuple(streams[:levels])
        kbps = nominal_kbps_of(kept)
        full = levels == len(streams)
        points.append(
            replace(
                base,
                name=base.model if full else f"{base.model}@{kbps:.3g}kbps",
                streams=kept,
                nominal_kbps=kbps,
                settings={"levels": levels},
                truncated=not full,
            )
        )
    return tuple(points)


def _streams(rate_hz: int, hop: int, strides: Sequence[int], size: int) -> tuple[Stream, ...]:
    return tuple(Stream(Fraction(rate_hz, hop * stride), size) for stride in strides)


def _published_model(facts: _Published) -> CodecModel:
    base = CodecSpec(
        name=facts.name,
        model=facts.name,
        family="snac",
        rate_hz=facts.rate_hz,
        channels=(1,),
        latency_s=facts.latency_samples / facts.rate_hz,
        params_m=facts.params_m,
        stochastic=True,
        licence="MIT",
        citation=_CITATION,
    )
    repository = "hubertsiuzdak/" + facts.name.replace("-", "_")
    points = _points(base, _streams(facts.rate_hz, facts.hop, facts.strides, 4096))
    files = (HostedFile(_CONFIG, _CONFIG), HostedFile(_WEIGHTS, _WEIGHTS, facts.sha256))
    source = WeightsSource("hub", repository, files)
    return neural.model_at_depths(points, _load, source, package="snac")


def _mini() -> CodecModel:
    config = embedded.config("snac-mini")
    model: Mapping[str, Any] = config["model"]
    base = CodecSpec(
        name="snac-mini",
        model="snac-mini",
        family="snac",
        rate_hz=config["sample_rate"],
        channels=(1,),
        latency_s=_MINI_LATENCY_SAMPLES / config["sample_rate"],
        params_m=embedded.params_m("snac-mini"),
        stochastic=bool(model.get("noise", True)),
        demonstration=True,
        licence=config["licence"],
        citation=_CITATION,
    )
    hop, strides, size = config["hop"], model["vq_strides"], model["codebook_size"]
    streams = _streams(config["sample_rate"], hop, strides, size)
    return neural.embedded_model(_points(base, streams), _load, package="snac")


@dataclass(frozen=True)
class SnacCodec(batches.Batched):
    """A loaded SNAC model at one depth."""

    spec: CodecSpec
    model: Any
    device: torch.device

    def at(self, spec: CodecSpec) -> SnacCodec:
        """The same network at another depth."""
        _check_config(spec, self.model, spec.model)
        return replace(self, spec=spec)

    def padded_length(self, num_samples: int) -> int:
        """Whole blocks of the coarsest level and of the attention's windows."""
        block = math.lcm(self.model.vq_strides[0], self.model.attn_window_size or 1)
        samples = int(self.model.hop_length) * block
        return -(-num_samples // samples) * samples

    def encode_batch(self, signals: Sequence[Audio]) -> list[Encoded]:
        """Encode; the model pads to whole blocks of its coarsest level, and the codes show it."""
        import torch

        with torch.inference_mode():
            codes = self.model.encode(batches.stacked(signals, self.device))
        return batches.encoded_of(signals, codes[: self.spec.settings["levels"]])

    def decode_batch(self, encoded: Sequence[Encoded], *, seeds: Sequence[int]) -> list[Audio]:
        """Decode; the noise in each signal depends on its seed alone."""
        import torch

        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        for block in _noise_blocks(self.model):
            block.generators = generators
        with torch.inference_mode():
            batch = self.model.decoder(self._latent(encoded))
        return batches.decoded_of(batch, encoded)

    def _latent(self, encoded: Sequence[Encoded]) -> torch.Tensor:
        """Sum of the levels at hand; at full depth what the package's ``from_codes`` returns."""
        latent: Any = 0.0
        levels = batches.codes_of(encoded, self.device)
        for codes, quantizer in zip(levels, self.model.quantizer.quantizers, strict=False):
            level = quantizer.out_proj(quantizer.decode_code(codes))
            latent = latent + level.repeat_interleave(quantizer.stride, dim=-1)
        return latent


def _noise_blocks(model: Any) -> list[Any]:
    return [m for m in model.modules() if type(m).__name__ == "SeededNoise"]


def _use_seeded_noise(model: torch.nn.Module) -> None:
    """Let the decoder's noise come from one CPU generator per signal: the same on every device.

    The draws have the package's shapes and order, so that a seed gives what the package gives
    after ``torch.manual_seed`` of it on the CPU.
    """
    import torch

    class SeededNoise(torch.nn.Module):
        def __init__(self, linear: torch.nn.Module) -> None:
            super().__init__()
            self.linear = linear
            self.generators: list[torch.Generator] = []

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            shape = (1, 1, x.shape[-1])
            noise = torch.cat([torch.randn(shape, generator=g) for g in self.generators])
            return x + noise.to(x) * self.linear(x)

    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child).__name__ == "NoiseBlock":
                setattr(module, name, SeededNoise(cast("torch.nn.Module", child.linear)))


def _load(spec: CodecSpec, weights: LocatedWeights | None, device: str) -> SnacCodec:
    from snac import SNAC

    files = own.files_of(spec, weights)
    origin = files[_CONFIG]
    model = neural.build(SNAC, _arguments(files), origin)
    _check_config(spec, model, str(origin))
    checkpoint = read_checkpoint(own.weights_of(files), "snac")
    load_strictly(model, checkpoint.state, checkpoint.path)
    ready = neural.prepare_for_inference(model, device)
    _use_seeded_noise(ready)
    return SnacCodec(spec, ready, neural.ready_device(device))


def _arguments(files: Mapping[str, Path]) -> dict[str, Any]:
    """The constructor's arguments, as the package keeps them beside its weights.

    Raises
    ------
    UserError
        If there is no configuration, or what no shape can tell is missing from it.
    """
    from snac import SNAC

    known = list(inspect.signature(SNAC).parameters)
    arguments = own.configuration(files, known)
    missing = {"sampling_rate", "vq_strides"} - arguments.keys()
    if missing:
        origin = files.get(_CONFIG, own.weights_of(files).with_name(_CONFIG))
        raise UserError(
            f"{origin} {'lacks ' + ', '.join(sorted(missing)) if arguments else 'is missing'}: "
            f"the weights do not tell rates; expected the arguments of snac.SNAC "
            f"({', '.join(known)})"
        )
    return arguments


def _open(path: Path, name: str) -> CodecModel:
    from snac import SNAC

    files = own.find(path, "snac")
    checkpoint = read_checkpoint(own.weights_of(files), "snac")
    arguments = _arguments(files)
    model = neural.outline(SNAC, arguments, files[_CONFIG])
    fitting(model, checkpoint.state, checkpoint.path)
    name = own.name_of(checkpoint.path, "snac", name)
    hop, coarsest = int(model.hop_length), max(model.vq_strides)
    layers = [*convolutions(model.encoder), blocks(coarsest), *convolutions(model.decoder)]
    block = hop * math.lcm(coarsest, model.attn_window_size or 1)
    base = CodecSpec(
        name=name,
        model=name,
        family="snac",
        rate_hz=model.sampling_rate,
        channels=(1,),
        latency_s=look_ahead_samples(layers, block) / model.sampling_rate,
        params_m=checkpoint.params_m,
        stochastic=any(type(m).__name__ == "NoiseBlock" for m in model.modules()),
        licence=own.LICENCE,
        citation=_CITATION,
    )
    streams = _streams(model.sampling_rate, hop, model.vq_strides, model.codebook_size)
    points = _points(base, streams)
    return own.model_of(points, files, _load, package="snac", notes=checkpoint.notes)


def _check_config(spec: CodecSpec, model: Any, origin: str) -> None:
    """The spec is static; a configuration that disagrees would make every rate wrong."""
    levels = spec.settings["levels"]
    found = _streams(
        model.sampling_rate, int(model.hop_length), model.vq_strides, model.codebook_size
    )
    if model.sampling_rate != spec.rate_hz or found[:levels] != spec.streams:
        raise WeightsMismatch(
            f"{origin} describes {model.sampling_rate} Hz, hop {model.hop_length}, strides "
            f"{model.vq_strides}, codebook {model.codebook_size}, which is not {spec.model}"
        )


MODELS = (*(_published_model(facts) for facts in _PUBLISHED), _mini())
FAMILY = CodecFamily("snac", published="snac-24khz,snac-32khz,snac-44khz", embedded="snac-mini")
OPENER = CodecOpener(
    "snac", _open, "a SNAC: a folder with config.json and pytorch_model.bin or model.safetensors"
)
