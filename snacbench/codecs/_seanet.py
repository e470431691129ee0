"""The network of an EnCodec: what its tensors tell, and what a configuration must add."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snacbench.codecs._lookahead import Layer, convolution, transposed
from snacbench.errors import UserError, WeightsMismatch

if TYPE_CHECKING:
    from snacbench.codecs._checkpoint import Checkpoint

REQUIRED = ("sample_rate", "causal", "normalize", "segment")
OPTIONAL = ("overlap", "target_bandwidths", "encoder", "decoder")
_WEIGHTS = ("weight_v", "parametrizations.weight.original1", "weight")


@dataclass(frozen=True)
class Shape:
    """Arguments of ``SEANetEncoder`` and ``ResidualVectorQuantizer`` that shapes determine.

    `ratios` are in the decoder's order, as the package takes them. What leaves no trace in the
    weights (causality, dilation, padding, activations) is not here. `norm` is
    ``time_group_norm`` for any normalisation with an affine part per channel.
    """

    channels: int
    n_filters: int
    dimension: int
    ratios: tuple[int, ...]
    n_q: int
    bins: int
    norm: str
    kernel_size: int = 7
    last_kernel_size: int = 7
    residual_kernel_size: int = 3
    n_residual_layers: int = 1
    compress: int = 2
    lstm: int = 2
    true_skip: bool = False

    @property
    def network(self) -> dict[str, Any]:
        """Arguments of the encoder and the decoder."""
        named = {k: v for k, v in vars(self).items() if k not in ("n_q", "bins")}
        return {**named, "ratios": list(self.ratios)}

    @property
    def quantizer(self) -> dict[str, Any]:
        """Arguments of the quantiser."""
        return {"dimension": self.dimension, "n_q": self.n_q, "bins": self.bins}


@dataclass(frozen=True)
class Network:
    """All that builds a network: what its shapes tell, and what they cannot.

    `encoder` and `decoder` are further arguments of the package's classes.
    """

    shape: Shape
    sample_rate: int
    causal: bool
    normalize: bool
    segment: float | None
    target_bandwidths: tuple[float, ...] = ()
    overlap: float = 0.01
    encoder: Mapping[str, Any] = field(default_factory=dict)
    decoder: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bandwidths_kbps(self) -> tuple[float, ...]:
        """Bandwidths it was trained for; if they are not known, the one of all its codebooks."""
        if self.target_bandwidths:
            return self.target_bandwidths
        full = self._kbps_per_codebook * self.shape.n_q
        while full // self._kbps_per_codebook < self.shape.n_q:
            full = math.nextafter(full, math.inf)
        return (full,)

    @property
    def _kbps_per_codebook(self) -> float:
        frame_rate = math.ceil(self.sample_rate / math.prod(self.shape.ratios))
        return math.log2(self.shape.bins) * frame_rate / 1000

    def codebooks(self, kbps: float) -> int:
        """Codebooks that fit into a bandwidth, as the package counts them."""
        return max(1, min(self.shape.n_q, int(kbps // self._kbps_per_codebook)))

    def build(self) -> Any:
        """The package's model, without weights."""
        from encodec import EncodecModel
        from encodec.modules import SEANetDecoder, SEANetEncoder
        from encodec.quantization import ResidualVectorQuantizer

        both = {**self.shape.network, "causal": self.causal, **self.encoder}
        return EncodecModel(
            SEANetEncoder(**both),
            SEANetDecoder(**{**both, **self.decoder}),
            ResidualVectorQuantizer(**self.shape.quantizer),
            list(self.bandwidths_kbps),
            self.sample_rate,
            self.shape.channels,
            normalize=self.normalize,
            segment=self.segment,
            overlap=self.overlap,
        )


def shape_of(checkpoint: Checkpoint) -> Shape:
    """The shape of the network whose weights these are.

    Raises
    ------
    WeightsMismatch
        If they are not an EnCodec's.
    """
    try:
        return _shape(checkpoint.state)
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        raise WeightsMismatch(
            f"{checkpoint.path} is not in EnCodec's format: its encoder cannot be made out from "
            f"{len(checkpoint.state)} keys such as {next(iter(checkpoint.state))}"
        ) from error


def _shape(state: Mapping[str, Any]) -> Shape:
    layers = _by_layer(state)
    residual = [layer for layer in layers if any(k.startswith("block.") for k in layer)]
    recurrent = [layer for layer in layers if any(k.startswith("lstm.") for k in layer)]
    convolutions = [la for la in layers if any(k.startswith("conv.conv.") for k in la)]
    first, *down, last = (_weight(layer, "conv.conv.") for layer in convolutions)
    inner, outer = (_weight(residual[0], f"block.{i}.conv.conv.") for i in (1, 3))
    codebooks = [v for k, v in state.items() if k.endswith("._codebook.embed")]
    return Shape(
        channels=first[1],
        n_filters=first[0],
        dimension=last[0],
        ratios=tuple(kernel // 2 for _, _, kernel in reversed(down)),
        n_q=len(codebooks),
        bins=int(codebooks[0].shape[0]),
        norm=_norm(convolutions[0]),
        kernel_size=first[2],
        last_kernel_size=last[2],
        residual_kernel_size=inner[2],
        n_residual_layers=len(residual) // len(down),
        compress=outer[0] // outer[1],
        lstm=sum("weight_ih_l" in key for layer in recurrent for key in layer),
        true_skip=not any(k.startswith("shortcut.") for k in residual[0]),
    )


def _by_layer(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The encoder's tensors, layer by layer."""
    layers: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    for key, tensor in state.items():
        if key.startswith("encoder.model."):
            index, _, rest = key.removeprefix("encoder.model.").partition(".")
            layers[int(index)][rest] = tensor
    return [layers[index] for index in sorted(layers)]


def _weight(layer: Mapping[str, Any], place: str) -> tuple[int, int, int]:
    """Output channels, input channels and kernel of a convolution."""
    found = next((layer[place + name] for name in _WEIGHTS if place + name in layer), None)
    if found is None:
        raise KeyError(place)
    out, into, kernel = found.shape
    return int(out), int(into), int(kernel)


def _norm(layer: Mapping[str, Any]) -> str:
    if "conv.norm.weight" in layer:
        return "time_group_norm"
    return "none" if "conv.conv.weight" in layer else "weight_norm"


def configured(shape: Shape, config: Mapping[str, Any], origin: Path) -> Network:
    """What a ``config.json`` adds to the shapes.

    It has the keys side by side, or the arguments of the package's classes under ``model``, for
    which the defaults of those classes hold.

    Raises
    ------
    UserError
        If what no shape can tell is missing, or there is what nobody reads.
    """
    inner = config.get("model")
    if inner is None and (unknown := sorted(config.keys() - {*REQUIRED, *OPTIONAL})):
        raise UserError(
            f"{origin} has keys that mean nothing here: {', '.join(unknown)}; there may be "
            f"{', '.join((*REQUIRED, *OPTIONAL))}"
        )
    told: dict[str, Any] = {**config, **(inner if isinstance(inner, Mapping) else {})}
    encoder = dict(told.get("encoder") or {})
    if isinstance(inner, Mapping):
        told = {"causal": encoder.pop("causal", False), "normalize": False, "segment": None, **told}
    missing = [key for key in REQUIRED if key not in told]
    if shape.norm == "time_group_norm" and "norm" not in encoder:
        missing.append('encoder: {"norm": "time_group_norm" or "layer_norm"}')
    if missing:
        raise UserError(
            f"{origin} lacks {', '.join(missing)}, which the shapes of the weights do not tell"
        )
    decoder = dict(told.get("decoder") or {})
    return Network(
        shape,
        told["sample_rate"],
        causal=told["causal"],
        normalize=told["normalize"],
        segment=told["segment"],
        target_bandwidths=tuple(told.get("target_bandwidths") or ()),
        overlap=told.get("overlap", 0.01),
        encoder=encoder,
        decoder=decoder,
    )


def layers_of(module: Any) -> Iterator[Layer]:
    """Layers of a SEANet, for its look-ahead; they pad and trim outside their convolutions."""
    for part in module.modules():
        name = type(part).__name__
        if name == "SConv1d":
            conv = part.conv.conv
            total = (conv.kernel_size[0] - 1) * conv.dilation[0] + 1 - conv.stride[0]
            yield convolution(conv, padding=total if part.causal else total - total // 2)
        elif name == "SConvTranspose1d":
            conv = part.convtr.convtr
            total = conv.kernel_size[0] - conv.stride[0]
            right = math.ceil(total * part.trim_right_ratio) if part.causal else total // 2
            yield transposed(conv, trimmed=total - right)
