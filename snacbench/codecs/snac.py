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
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from snacbench.codecs import _checkpoint as checkpoints
from snacbench.codecs import _neural as neural
from snacbench.codecs._neural import Points, Shape, Told
from snacbench.models import CodecFamily, CodecModel, CodecOpener, HostedFile, WeightsSource
from snacbench.types import CodecSpec, Encoded, Stream
from snacbench.weights import embedded

_CITATION = (
    "Siuzdak, Grötschla, Lanzendörfer: SNAC: Multi-Scale Neural Audio Codec, 2024, arXiv:2410.14411"
)
# Of pytorch_model.bin at the hub's commit d73ad176a12188fcf4f360ba3bf2c2fbbe8f58ec, as several
# projects that use it state it. The other models' are recorded at first use.
_SHA256 = {"snac-24khz": "4b8164cc6606bfa627f1a784734c1e539891518f1191ed9194fe1e3b9b4bff40"}


def _shape(rate_hz: int, hop: int, strides: Sequence[int], codebook_size: int = 4096) -> Shape:
    frame_rates = (Fraction(rate_hz, hop * stride) for stride in strides)
    return Shape(rate_hz, tuple(Stream(rate, codebook_size) for rate in frame_rates))


def _points(name: str, shape: Shape, latency_samples: int, **facts: Any) -> list[CodecSpec]:
    """The full depth under the model's own name, and every truncation under its rate.

    `latency_samples` is how far ahead an output sample depends on the input, at the worst place
    within a block: the model is not causal.
    """
    *lesser, full = neural.points_at_depths(
        name,
        shape,
        "levels",
        trained_from=len(shape.streams),
        family="snac",
        latency_s=latency_samples / shape.rate_hz,
        citation=_CITATION,
        **facts,
    )
    return [*lesser, replace(full, name=name)]


class SnacCodec(neural.PackageCodec):
    """A loaded SNAC model at one depth."""

    FAMILY = "snac"

    @classmethod
    def read(cls, files: Mapping[str, Path]) -> neural.Read:
        """The constructor's arguments are beside the weights, as the package keeps them."""
        from snac import SNAC

        checkpoint = checkpoints.read_checkpoint(checkpoints.weights_of(files))
        arguments, known = (
            checkpoints.configuration(files),
            list(inspect.signature(SNAC).parameters),
        )
        needed = "sampling_rate vq_strides"
        checkpoints.check_arguments(files, arguments, known=known, needed=needed)
        return arguments, checkpoint, []

    @staticmethod
    def network(**arguments: Any) -> Any:
        """The package's network, its noise seeded."""
        from snac import SNAC

        return _with_seeded_noise(SNAC(**arguments))

    @staticmethod
    def shape_of(network: Any) -> Shape:
        """Coarser levels have longer strides."""
        hop, size = int(network.hop_length), network.codebook_size
        return _shape(network.sampling_rate, hop, network.vq_strides, size)

    @classmethod
    def points_of(cls, name: str, network: Any, told: Told, **facts: Any) -> Points:
        """Its levels."""
        layers = [
            *neural.convolutions(network.encoder),
            neural.blocks(network.vq_strides[0]),
            *neural.convolutions(network.decoder),
        ]
        block = _block_samples(network)
        noise = bool(_noise_blocks(network))
        shape = cls.shape_of(network)
        latency_samples = neural.look_ahead_samples(layers, block)
        return _points(name, shape, latency_samples, stochastic=noise, **facts)

    def padded_length(self, num_samples: int) -> int:
        """Whole blocks of the coarsest level and of the attention's windows."""
        block = _block_samples(self.model)
        return -(-num_samples // block) * block

    def quantise(self, batch: Any) -> neural.Quantised:
        """The model pads to whole blocks of its coarsest level, and the codes show it."""
        return self.model.encode(batch)[: self.spec.settings["levels"]], ()

    def synthesise(self, codes: Any, encoded: Sequence[Encoded], seeds: Sequence[int]) -> Any:
        """Decode the sum of the levels at hand; the noise in a signal depends on its seed alone."""
        import torch

        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        for block in _noise_blocks(self.model):
            block.generators = generators
        latent: Any = 0.0  # at full depth what the package's ``from_codes`` returns
        for level, quantizer in zip(codes, self.model.quantizer.quantizers, strict=False):
            found = quantizer.out_proj(quantizer.decode_code(level))
            latent = latent + found.repeat_interleave(quantizer.stride, dim=-1)
        return self.model.decoder(latent)


def _block_samples(network: Any) -> int:
    return int(network.hop_length) * math.lcm(network.vq_strides[0], network.attn_window_size or 1)


def _noise_blocks(network: Any) -> list[Any]:
    return [m for m in network.modules() if type(m).__name__ == "SeededNoise"]


def _with_seeded_noise(network: Any) -> Any:
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

    neural.replace_modules(network, "NoiseBlock", lambda block: SeededNoise(block.linear))
    return network


def _published(
    rate_hz: int, hop: int, strides: tuple[int, ...], params_m: float, latency_samples: int
) -> CodecModel:
    name = f"snac-{rate_hz // 1000}khz"
    facts = {"params_m": params_m, "stochastic": True, "licence": "MIT"}
    points = _points(name, _shape(rate_hz, hop, strides), latency_samples, **facts)
    weights = "pytorch_model.bin"
    files = (
        HostedFile(checkpoints.CONFIG, checkpoints.CONFIG),
        HostedFile(weights, weights, _SHA256.get(name, "")),
    )
    source = WeightsSource("hub", "hubertsiuzdak/" + name.replace("-", "_"), files)
    return neural.neural_model(points, SnacCodec.load, source)


def _mini() -> CodecModel:
    config = embedded.config("snac-mini")
    model = config["model"]
    shape = _shape(
        config["sample_rate"], config["hop"], model["vq_strides"], model["codebook_size"]
    )
    points = _points(
        "snac-mini",
        shape,
        5_161,
        stochastic=model["noise"],
        **neural.embedded_facts("snac-mini"),
    )
    return neural.neural_model(points, SnacCodec.load)


MODELS = (
    _published(24_000, 512, (4, 2, 1), 19.8, 11_561),
    _published(32_000, 384, (8, 4, 2, 1), 54.5, 29_467),
    _published(44_100, 384, (8, 4, 2, 1), 54.5, 29_467),
    _mini(),
)
FAMILY = CodecFamily("snac", published="snac-24khz,snac-32khz,snac-44khz", embedded="snac-mini")
OPENER = CodecOpener(
    "snac",
    SnacCodec.open,
    "a SNAC: a folder with config.json and pytorch_model.bin or model.safetensors",
)
