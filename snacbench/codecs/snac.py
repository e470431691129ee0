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

from snacbench.codecs import _checkpoint as own
from snacbench.codecs import _neural as neural
from snacbench.codecs._checkpoint import fitting, load_strictly, read_checkpoint
from snacbench.codecs._neural import blocks, convolutions, look_ahead_samples
from snacbench.errors import WeightsMismatch
from snacbench.models import (
    CodecFamily,
    CodecModel,
    CodecOpener,
    HostedFile,
    LocatedWeights,
    WeightsSource,
)
from snacbench.types import Audio, CodecSpec, Encoded, Stream
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
    within a block (see `_neural`): the model is not causal.
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


def _points(
    name: str, rate_hz: int, streams: Sequence[Stream], latency_samples: int, **facts: Any
) -> tuple[CodecSpec, ...]:
    """The full depth under the model's own name, and every truncation under its rate."""
    base = CodecSpec(
        name=name,
        model=name,
        family="snac",
        rate_hz=rate_hz,
        channels=(1,),
        latency_s=latency_samples / rate_hz,
        citation=_CITATION,
        **facts,
    )
    *lesser, full = neural.points_at_depths(base, streams, "levels", trained_from=len(streams))
    return (*lesser, replace(full, name=name))


def _streams(rate_hz: int, hop: int, strides: Sequence[int], size: int) -> tuple[Stream, ...]:
    return tuple(Stream(Fraction(rate_hz, hop * stride), size) for stride in strides)


def _published_model(facts: _Published) -> CodecModel:
    points = _points(
        facts.name,
        facts.rate_hz,
        _streams(facts.rate_hz, facts.hop, facts.strides, 4096),
        facts.latency_samples,
        params_m=facts.params_m,
        stochastic=True,
        licence="MIT",
    )
    files = (HostedFile(_CONFIG, _CONFIG), HostedFile(_WEIGHTS, _WEIGHTS, facts.sha256))
    source = WeightsSource("hub", "hubertsiuzdak/" + facts.name.replace("-", "_"), files)
    return neural.model_at_depths(points, _load, source, package="snac")


def _mini() -> CodecModel:
    config = embedded.config("snac-mini")
    rate_hz, model = config["sample_rate"], config["model"]
    points = _points(
        "snac-mini",
        rate_hz,
        _streams(rate_hz, config["hop"], model["vq_strides"], model["codebook_size"]),
        _MINI_LATENCY_SAMPLES,
        params_m=embedded.params_m("snac-mini"),
        stochastic=bool(model.get("noise", True)),
        demonstration=True,
        licence=config["licence"],
    )
    return neural.embedded_model(points, _load, package="snac")


@dataclass(frozen=True)
class SnacCodec(neural.Batched):
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
            codes = self.model.encode(neural.stacked(signals, self.device))
        return neural.encoded_of(signals, codes[: self.spec.settings["levels"]])

    def decode_batch(self, encoded: Sequence[Encoded], *, seeds: Sequence[int]) -> list[Audio]:
        """Decode; the noise in each signal depends on its seed alone."""
        import torch

        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        for block in _noise_blocks(self.model):
            block.generators = generators
        with torch.inference_mode():
            batch = self.model.decoder(self._latent(encoded))
        return neural.decoded_of(batch, encoded)

    def _latent(self, encoded: Sequence[Encoded]) -> torch.Tensor:
        """Sum of the levels at hand; at full depth what the package's ``from_codes`` returns."""
        latent: Any = 0.0
        levels = neural.codes_of(encoded, self.device)
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
    arguments, origin = _arguments(files), files[_CONFIG]
    model = neural.build(SNAC, arguments, origin)
    _check_config(spec, model, str(origin))
    checkpoint = read_checkpoint(own.weights_of(files))
    load_strictly(model, checkpoint.state, checkpoint.path)
    ready = neural.prepare_for_inference(model, device)
    _use_seeded_noise(ready)
    return SnacCodec(spec, ready, neural.ready_device(device))


def _arguments(files: Mapping[str, Path]) -> dict[str, Any]:
    """The constructor's arguments, as the package keeps them beside its weights."""
    from snac import SNAC

    arguments, known = own.configuration(files), list(inspect.signature(SNAC).parameters)
    own.check_arguments(files, arguments, known=known, needed="sampling_rate vq_strides")
    return arguments


def _open(path: Path, name: str) -> CodecModel:
    from snac import SNAC

    files = own.find(path, "snac")
    checkpoint = read_checkpoint(own.weights_of(files))
    arguments = _arguments(files)
    model = neural.outline(SNAC, arguments, files[_CONFIG])
    fitting(model, checkpoint.state, checkpoint.path)
    name = own.name_of(checkpoint.path, "snac", name)
    hop, coarsest = int(model.hop_length), max(model.vq_strides)
    layers = [*convolutions(model.encoder), blocks(coarsest), *convolutions(model.decoder)]
    block = hop * math.lcm(coarsest, model.attn_window_size or 1)
    rate_hz = int(model.sampling_rate)
    points = _points(
        name,
        rate_hz,
        _streams(rate_hz, hop, model.vq_strides, model.codebook_size),
        look_ahead_samples(layers, block),
        params_m=checkpoint.params_m,
        stochastic=any(type(m).__name__ == "NoiseBlock" for m in model.modules()),
        licence=own.LICENCE,
    )
    return own.model_of(points, files, _load, package="snac")


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
