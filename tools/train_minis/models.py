"""The three architectures: the official classes of SNAC, DAC and EnCodec at reduced width.

Everything family-specific about a network lives here; the training stages see `encoder`,
`decoder` and a list of `Stage`, one per codebook.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

SAMPLE_RATE_HZ = 24_000

#: A module of an official class. Any, because torch types every attribute `Tensor | Module`.
Net: TypeAlias = Any

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "snac-mini": {
        "family": "snac",
        "hop": 160,
        "model": {
            "sampling_rate": SAMPLE_RATE_HZ,
            "encoder_dim": 8,
            "encoder_rates": [2, 4, 4, 5],
            "decoder_dim": 256,
            "decoder_rates": [5, 4, 4, 2],
            "attn_window_size": None,
            "codebook_size": 1024,
            "codebook_dim": 8,
            "vq_strides": [4, 2, 1],
            "noise": True,
            "depthwise": True,
        },
        "num_codebooks": 3,
    },
    "dac-mini": {
        "family": "dac",
        "hop": 320,
        "model": {
            "sample_rate": SAMPLE_RATE_HZ,
            "encoder_dim": 8,
            "encoder_rates": [2, 4, 5, 8],
            "latent_dim": 32,
            "decoder_dim": 192,
            "decoder_rates": [8, 5, 4, 2],
            "n_codebooks": 12,
            "codebook_size": 1024,
            "codebook_dim": 8,
        },
        "num_codebooks": 12,
    },
    "encodec-mini": {
        "family": "encodec",
        "hop": 320,
        "model": {
            "encoder": {
                "channels": 1,
                "dimension": 32,
                "n_filters": 12,
                "norm": "weight_norm",
                "causal": True,
                "ratios": [8, 5, 4, 2],
                "lstm": 0,
            },
            "quantizer": {"dimension": 32, "n_q": 16, "bins": 1024},
            "target_bandwidths": [1.5, 3.0, 6.0, 12.0],
        },
        "num_codebooks": 16,
    },
}


def build(family: str, kwargs: dict[str, Any], *, name: str = "unset") -> Net:
    """Construct the official class of `family` from the `model` entry of a `config.json`."""
    kwargs = copy.deepcopy(kwargs)
    if family == "snac":
        from snac import SNAC

        return SNAC(**kwargs)
    if family == "dac":
        from dac import DAC

        return DAC(**kwargs)
    if family == "encodec":
        from encodec.model import EncodecModel
        from encodec.modules.seanet import SEANetDecoder, SEANetEncoder
        from encodec.quantization.vq import ResidualVectorQuantizer

        return EncodecModel(
            SEANetEncoder(**kwargs["encoder"]),
            SEANetDecoder(**kwargs["encoder"]),
            ResidualVectorQuantizer(**kwargs["quantizer"]),
            target_bandwidths=kwargs["target_bandwidths"],
            sample_rate=SAMPLE_RATE_HZ,
            channels=1,
            name=name,
        )
    raise ValueError(f"unknown family {family!r}: expected 'snac', 'dac' or 'encodec'")


def gain_of(conv: Net) -> Tensor:
    """Return the weight-norm gain of a convolution, whichever weight norm its class uses."""
    if hasattr(conv, "weight_g"):
        return conv.weight_g
    return conv.parametrizations.weight.original0


def direction_of(conv: Net) -> Tensor:
    """Return the weight-norm direction of a convolution, whichever weight norm its class uses."""
    if hasattr(conv, "weight_v"):
        return conv.weight_v
    return conv.parametrizations.weight.original1


@torch.no_grad()
def set_weight(conv: Net, weight: Tensor) -> None:
    """Write an effective `weight` of shape (out, in, 1) into a weight-normalised convolution."""
    norm = weight.norm(dim=(1, 2), keepdim=True)
    gain_of(conv).copy_(norm)
    # A zero row needs some direction, or weight norm divides zero by zero.
    direction_of(conv).copy_(torch.where(norm > 0, weight, torch.ones_like(weight)))


@dataclass
class Stage:
    """One codebook of a residual quantiser, seen alike in all three families.

    `module` is the official VectorQuantize (SNAC, DAC) or EuclideanCodebook (EnCodec).
    """

    module: Net
    factorised: bool
    stride: int = 1

    def project(self, residual: Tensor) -> Tensor:
        """Map a latent (batch, latent, frames) to code space (batch, code, frames / stride)."""
        if self.stride > 1:
            residual = nn.functional.avg_pool1d(residual, self.stride, self.stride)
        return self.module.in_proj(residual) if self.factorised else residual

    def expand(self, code_vectors: Tensor) -> Tensor:
        """Map code space back to the latent space and its frame rate."""
        if not self.factorised:
            return code_vectors
        return self.module.out_proj(code_vectors).repeat_interleave(self.stride, dim=-1)

    def lookup(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        """Return (code vectors, indices) exactly as the official class assigns them."""
        if self.factorised:
            vectors, indices = self.module.decode_latents(projected)
            return vectors, indices
        frames = projected.transpose(1, 2)
        indices = self.module.encode(frames)
        return self.module.decode(indices).transpose(1, 2), indices

    @property
    def codebook(self) -> Tensor:
        """The (codes, code dimensions) table itself; write to it under no_grad."""
        return self.module.codebook.weight if self.factorised else self.module.embed


def stages_of(model: Net, family: str) -> list[Stage]:
    """Return the codebooks of `model`, coarse to fine."""
    if family == "encodec":
        return [Stage(layer._codebook, factorised=False) for layer in model.quantizer.vq.layers]
    return [
        Stage(quantizer, factorised=True, stride=getattr(quantizer, "stride", 1))
        for quantizer in model.quantizer.quantizers
    ]


def convolutions(net: Net) -> list[Net]:
    """Return all convolutions of `net` in the order in which they run."""
    return [m for m in net.modules() if isinstance(m, nn.Conv1d | nn.ConvTranspose1d)]


@torch.no_grad()
def unit_variance_init(net: Net, batch: Tensor) -> None:
    """Scale every convolution's gain so that it puts out unit standard deviation on `batch`.

    With the default initialisation the signal shrinks layer by layer and a network this small
    learns nothing for its first thousands of steps. The multiplicative noise of SNAC's decoder
    starts almost silent instead.
    """
    from snac.layers import NoiseBlock

    quiet = {id(m.linear) for m in net.modules() if isinstance(m, NoiseBlock)}
    for conv in convolutions(net):
        if conv.bias is not None:
            conv.bias.zero_()
        if id(conv) in quiet:
            gain_of(conv).mul_(0.05)
            continue
        gain_of(conv).div_(max(_output_std(net, conv, batch), 1e-4))


def _output_std(net: Net, conv: Net, batch: Tensor) -> float:
    seen: list[float] = []
    handle = conv.register_forward_hook(lambda _m, _i, out: seen.append(float(out.std())))
    net(batch)
    handle.remove()
    return seen[0]


def initialise(model: Net, family: str, batch: Tensor) -> None:
    """Initialise encoder, projections and decoder so that training starts at once."""
    unit_variance_init(model.encoder, batch)
    if family == "snac":
        for stage in stages_of(model, family):
            init_projections(stage)
    unit_variance_init(model.decoder, model.encoder(batch))
    with torch.no_grad():
        gain_of(convolutions(model.decoder)[-1]).mul_(0.1)


def init_projections(stage: Stage, basis: Tensor | None = None) -> None:
    """Make a stage's projections an orthonormal pair that leaves the last code dimension free.

    That dimension is reserved for the lift (see `quantize`): its row of `in_proj` is zero
    (only the bias speaks there) and its column of `out_proj` is zero.
    """
    latent_dim, code_dim = stage.module.in_proj.in_channels, stage.module.in_proj.out_channels
    if basis is None:
        basis = torch.linalg.qr(torch.randn(latent_dim, code_dim - 1))[0].T
    rows = torch.cat([basis, torch.zeros(1, latent_dim)])
    set_weight(stage.module.in_proj, rows[:, :, None])
    set_weight(stage.module.out_proj, rows.T[:, :, None])
    with torch.no_grad():
        stage.module.in_proj.bias.zero_()
        stage.module.out_proj.bias.zero_()


def guard_lift(stages: list[Stage]) -> None:
    """Keep gradients away from the reserved code dimension of every factorised stage."""
    for stage in stages:
        if not stage.factorised:
            continue
        last = stage.module.in_proj.out_channels - 1
        for parameter in (gain_of(stage.module.in_proj), stage.module.in_proj.bias):
            parameter.register_hook(lambda grad, k=last: _without(grad, (k,)))
        direction_of(stage.module.in_proj).register_hook(lambda grad, k=last: _without(grad, (k,)))
        direction_of(stage.module.out_proj).register_hook(
            lambda grad, k=last: _without(grad, (slice(None), k))
        )
        stage.module.codebook.weight.requires_grad_(False)


def _without(grad: Tensor, where: tuple[Any, ...]) -> Tensor:
    grad = grad.clone()
    grad[where] = 0
    return grad


def stage_rates_hz(architecture: dict[str, Any]) -> list[float]:
    """Return the code rate of every codebook in Hz."""
    strides = architecture["model"].get("vq_strides", [1] * architecture["num_codebooks"])
    return [SAMPLE_RATE_HZ / architecture["hop"] / stride for stride in strides]


def codebook_size(architecture: dict[str, Any]) -> int:
    """Return the number of codes of each codebook."""
    model = architecture["model"]
    return int(model["quantizer"]["bins"] if "quantizer" in model else model["codebook_size"])


def ladder_kbps(architecture: dict[str, Any]) -> list[float]:
    """Return the nominal rate in kbps of the first 1, 2, ... codebooks."""
    bits = math.log2(codebook_size(architecture))
    rates = stage_rates_hz(architecture)
    return [round(sum(rates[: k + 1]) * bits / 1000, 4) for k in range(len(rates))]
