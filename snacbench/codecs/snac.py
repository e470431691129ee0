"""SNAC: residual quantisation at several time scales (Siuzdak et al. 2024).

Differences from the package that matter for a benchmark: the decoder's noise is drawn from a
generator seeded per clip instead of PyTorch's global one, decoding is cut to the input's length,
and fewer than all levels can be decoded (marked as truncated: SNAC is trained without quantiser
dropout).
"""

import inspect
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from snacbench.codecs import _neural as neural
from snacbench.codecs._checkpoint import CONFIG, Checkpoint
from snacbench.codecs._neural import Shape, Told
from snacbench.later import torch
from snacbench.models import CodecFamily, CodecModel, CodecOpener, HostedFile, WeightsSource
from snacbench.types import CodecSpec, Encoded, Stream
from snacbench.weights import embedded

# Of pytorch_model.bin at the hub's commit d73ad176a12188fcf4f360ba3bf2c2fbbe8f58ec, as several
# projects that use it state it. The other models' are recorded at first use.
_SHA256 = {"snac-24khz": "4b8164cc6606bfa627f1a784734c1e539891518f1191ed9194fe1e3b9b4bff40"}


def _shape(rate_hz: int, hop: int, strides: Sequence[int], codebook_size: int = 4096) -> Shape:
    frame_rates = (Fraction(rate_hz, hop * stride) for stride in strides)
    return Shape(rate_hz, tuple(Stream(rate, codebook_size) for rate in frame_rates))


class SnacCodec(neural.PackageCodec):
    """A loaded SNAC model at one depth."""

    FAMILY, SETTING = "snac", "levels"
    CITATION = (
        "Siuzdak, Grötschla, Lanzendörfer: SNAC: Multi-Scale Neural Audio Codec, 2024, "
        "arXiv:2410.14411"
    )

    @classmethod
    def points(cls, name: str, shape: Shape, **facts: Any) -> list[CodecSpec]:
        """The full depth under the model's own name, and every truncation under its rate."""
        *lesser, full = super().points(name, shape, trained_from=len(shape.streams), **facts)
        return [*lesser, replace(full, name=name)]

    @classmethod
    def read(cls, checkpoint: Checkpoint) -> tuple[Told, list[str]]:
        """The constructor's arguments are beside the weights, as the package keeps them."""
        from snac import SNAC

        arguments, known = checkpoint.configuration(), list(inspect.signature(SNAC).parameters)
        checkpoint.check_arguments(arguments, known=known, needed="sampling_rate vq_strides")
        return arguments, []

    @staticmethod
    def build(**arguments: Any) -> Any:
        """The package's network, its noise from one CPU generator per signal: alike on any device.

        The draws have the package's shapes and order, so that a seed gives what the package gives
        after ``torch.manual_seed`` of it on the CPU.
        """
        from snac import SNAC

        class SeededNoise(torch.nn.Module):
            def __init__(self, linear: "torch.nn.Module") -> None:
                super().__init__()
                self.linear = linear
                self.generators: list[torch.Generator] = []

            def forward(self, x: "torch.Tensor") -> "torch.Tensor":
                shape = (1, 1, x.shape[-1])
                noise = torch.cat([torch.randn(shape, generator=g) for g in self.generators])
                return x + noise.to(x) * self.linear(x)

        network = SNAC(**arguments)
        neural.replace_modules(network, "NoiseBlock", lambda block: SeededNoise(block.linear))
        return network

    @staticmethod
    def shape_of(network: Any) -> Shape:
        """Coarser levels have longer strides."""
        hop, size = int(network.hop_length), network.codebook_size
        return _shape(int(network.sampling_rate), hop, network.vq_strides, size)

    @classmethod
    def points_of(cls, name: str, network: Any, told: Told, **facts: Any) -> list[CodecSpec]:
        """Its levels."""
        stochastic = bool(_noise_blocks(network))
        return cls.points(name, cls.shape_of(network), stochastic=stochastic, **facts)

    def padded_length(self, num_samples: int) -> int:
        """Whole blocks of the coarsest level and of the attention's windows."""
        window = self.model.attn_window_size or 1
        block = int(self.model.hop_length) * math.lcm(self.model.vq_strides[0], window)
        return -(-num_samples // block) * block

    def quantise(self, batch: Any) -> neural.Quantised:
        """The model pads to whole blocks of its coarsest level, and the codes show it."""
        return self.model.encode(batch)[: self.spec.settings["levels"]], ()

    def synthesise(self, codes: Any, encoded: Sequence[Encoded], seeds: Sequence[int]) -> Any:
        """Decode the sum of the levels at hand; the noise in a signal depends on its seed alone."""
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        for block in _noise_blocks(self.model):
            block.generators = generators
        latent: Any = 0.0  # at full depth what the package's ``from_codes`` returns
        for level, quantizer in zip(codes, self.model.quantizer.quantizers, strict=False):
            found = quantizer.out_proj(quantizer.decode_code(level))
            latent = latent + found.repeat_interleave(quantizer.stride, dim=-1)
        return self.model.decoder(latent)


def _noise_blocks(network: Any) -> list[Any]:
    return [m for m in network.modules() if type(m).__name__ == "SeededNoise"]


def _published(
    rate_hz: int, hop: int, strides: tuple[int, ...], params_m: float, latency_samples: int
) -> CodecModel:
    name, weights = f"snac-{rate_hz // 1000}khz", "pytorch_model.bin"
    facts = {"params_m": params_m, "stochastic": True, "licence": "MIT"}
    shape = _shape(rate_hz, hop, strides)
    points = SnacCodec.points(name, shape, latency_samples=latency_samples, **facts)
    config = HostedFile(CONFIG, CONFIG)
    files = (config, HostedFile(weights, weights, _SHA256.get(name, "")))
    source = WeightsSource("hub", "hubertsiuzdak/" + name.replace("-", "_"), files)
    return SnacCodec.declared(points, source)


_MINI, _MINI_FACTS = embedded.config("snac-mini"), neural.embedded_facts("snac-mini")
_MINI_LEVELS = _MINI["model"]["vq_strides"], _MINI["model"]["codebook_size"]
_MINI_SHAPE = _shape(_MINI["sample_rate"], _MINI["hop"], *_MINI_LEVELS)
_MINI_FACTS |= {"latency_samples": 5_162, "stochastic": _MINI["model"]["noise"]}
MODELS = (
    _published(24_000, 512, (4, 2, 1), 19.8, 11_562),
    _published(32_000, 384, (8, 4, 2, 1), 54.5, 29_468),
    _published(44_100, 384, (8, 4, 2, 1), 54.5, 29_468),
    SnacCodec.declared(SnacCodec.points("snac-mini", _MINI_SHAPE, **_MINI_FACTS)),
)
FAMILY = CodecFamily("snac", published="snac-24khz,snac-32khz,snac-44khz", embedded="snac-mini")
OPENER = CodecOpener(
    "snac",
    SnacCodec.open,
    "a SNAC: a folder with config.json and pytorch_model.bin or model.safetensors",
)
