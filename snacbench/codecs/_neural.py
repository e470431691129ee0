"""What the PyTorch codecs share: devices, building, speed-ups, arrays and batches, look-ahead.

Nothing here changes a result: fusing weight norm and the in-place Snake give the same bits as
the packages' own modules, which the tests hold.

In a batch, a network sees the zeros that fill a short signal up: its last codes change, and where
norms span the whole signal all of them. So only signals of one `padded_length` go together: those
that the codec would have brought to the same length anyway.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from snacbench.errors import CodecError, UserError
from snacbench.models import CodecModel, Loader, WeightsSource
from snacbench.types import Audio, CodecSpec, Codes, Encoded, Stream, nominal_kbps_of

if TYPE_CHECKING:
    import torch


def points_at_depths(
    base: CodecSpec, streams: Sequence[Stream], setting: str, *, trained_from: int = 1
) -> tuple[CodecSpec, ...]:
    """One operating point per number of streams; those below `trained_from` are truncated."""
    points = []
    for used in range(1, len(streams) + 1):
        kbps = nominal_kbps_of(streams[:used])
        point = replace(
            base,
            name=f"{base.model}@{kbps:.3g}kbps",
            streams=tuple(streams[:used]),
            nominal_kbps=kbps,
            settings={setting: used},
            truncated=used < trained_from,
        )
        points.append(point)
    return tuple(points)


def model_at_depths(
    points: Sequence[CodecSpec],
    load: Loader,
    source: WeightsSource,
    *,
    package: str,
    default: CodecSpec | None = None,
) -> CodecModel:
    """A model that may use fewer of its codebooks; its bare name selects `default`, or all."""
    top = points[-1]
    return CodecModel(
        name=top.model,
        family=top.family,
        points=tuple(points),
        default=((default or top).name,),
        load=load,
        source=source,
        requires=("torch", package),
    )


def embedded_model(points: Sequence[CodecSpec], load: Loader, *, package: str) -> CodecModel:
    """A demonstration model of this package."""
    source = WeightsSource("embedded", points[-1].model, ())
    return model_at_depths(points, load, source, package=package)


def ready_device(name: str) -> torch.device:
    """The device to run on, with reduced-precision matrix products (TF32) switched off.

    Raises
    ------
    UserError
        If CUDA is asked for and not available.
    """
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: PyTorch finds no CUDA device here; use --device cpu")
    return torch.device(name)


def build(network: Callable[..., Any], arguments: Mapping[str, Any], origin: Path) -> Any:
    """A network of a package's class, before it has weights.

    Raises
    ------
    UserError
        If the class does not take such arguments.
    """
    try:
        with warnings.catch_warnings():
            # The packages' own way to normalise weights; they are fused before use anyway.
            warnings.filterwarnings("ignore", message=".*weight_norm.* is deprecated")
            return network(**arguments)
    except (TypeError, ValueError, AssertionError, ArithmeticError, RuntimeError) as error:
        raise UserError(
            f"{origin}: the network that it describes cannot be built "
            f"({type(error).__name__}: {error})"
        ) from error


def outline(network: Callable[..., Any], arguments: Mapping[str, Any], origin: Path) -> Any:
    """The same network without memory for its weights: its shapes are all that is wanted."""
    import torch

    with torch.device("meta"):
        return build(network, arguments, origin)


def prepare_for_inference(model: torch.nn.Module, device: str) -> torch.nn.Module:
    """Switch to evaluation, fuse weight norm, make Snake work in place, move to the device."""
    model.eval()
    fuse_weight_norm(model)
    use_inplace_snake(model)
    model.requires_grad_(False)
    return model.to(ready_device(device))


def fuse_weight_norm(model: torch.nn.Module) -> None:
    """Compute every normalised weight once instead of at each call.

    Runs with gradients enabled: without them PyTorch would leave plain tensors behind that
    ``Module.to`` does not move.
    """
    import torch
    from torch.nn.utils import parametrize, remove_weight_norm

    with torch.enable_grad():
        for module in model.modules():
            if parametrize.is_parametrized(module, "weight"):
                parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
            elif hasattr(module, "weight_g"):
                remove_weight_norm(module)


def use_inplace_snake(model: torch.nn.Module) -> None:
    """Replace every Snake activation by one that allocates a single temporary.

    ``x + sin(alpha x)^2 / (alpha + 1e-9)`` (Ziyin et al. 2020, eq. 3), the operations in the
    packages' order, so that the result is the same to the last bit.
    """
    import torch

    class InPlaceSnake(torch.nn.Module):
        def __init__(self, alpha: torch.nn.Parameter) -> None:
            super().__init__()
            self.alpha = alpha

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            wave = torch.mul(self.alpha, x)
            wave.sin_().square_().mul_((self.alpha + 1e-9).reciprocal())
            return wave.add_(x)

    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child).__name__ == "Snake1d":
                setattr(module, name, InPlaceSnake(cast("torch.nn.Parameter", child.alpha)))


def to_tensor(audio: Audio, device: torch.device) -> torch.Tensor:
    """Audio as a batch of one, shape (1, channels, time)."""
    import numpy as np
    import torch

    return torch.from_numpy(np.array(audio.samples)).unsqueeze(0).to(device)


def to_audio(batch: torch.Tensor, rate_hz: int, num_samples: int) -> Audio:
    """The one item of a batch of shape (1, channels, time), at an exact length.

    Longer outputs are cut, shorter ones (strided convolutions lose up to a few samples) are
    extended with zeros.

    Raises
    ------
    CodecError
        If the decoder returned values that are not finite.
    """
    import numpy as np

    from snacbench.audio.resample import fit_length

    samples = batch[0].detach().float().cpu().numpy()
    if not np.isfinite(samples).all():
        raise CodecError("the decoder returned NaN or infinite samples")
    return Audio(np.ascontiguousarray(fit_length(samples, num_samples)), rate_hz)


def to_codes(indices: torch.Tensor) -> Codes:
    """Code indices of shape (channels, frames) as an int32 array."""
    import numpy as np

    return np.ascontiguousarray(indices.detach().cpu().numpy().astype(np.int32))


def from_codes(codes: Codes, device: torch.device) -> torch.Tensor:
    """The inverse of `to_codes`."""
    import numpy as np
    import torch

    return torch.from_numpy(codes.astype(np.int64)).to(device)


# -------------------------------------------------------------------------------------- batches


class Batched:
    """A codec that computes in batches; one signal is a batch of one."""

    def padded_length(self, num_samples: int) -> int:
        """Length to which the codec brings a signal of so many samples."""
        return num_samples

    def encode_batch(self, signals: Sequence[Audio]) -> list[Encoded]:
        """Encode signals of one padded length."""
        raise NotImplementedError

    def decode_batch(self, encoded: Sequence[Encoded], *, seeds: Sequence[int]) -> list[Audio]:
        """Decode what signals of one padded length were encoded to, each with its own seed."""
        raise NotImplementedError

    def encode(self, audio: Audio) -> Encoded:
        """Encode a signal."""
        return self.encode_batch([audio])[0]

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Decode to the length of the signal; stochastic decoders use the seed."""
        return self.decode_batch([encoded], seeds=[seed])[0]


def stacked(signals: Sequence[Audio], device: torch.device) -> torch.Tensor:
    """Signals as a batch of shape (signals, channels, time), short ones filled up with zeros."""
    import numpy as np
    import torch

    longest = max(signal.num_samples for signal in signals)
    batch = np.zeros((len(signals), signals[0].channels, longest), dtype=np.float32)
    for row, signal in zip(batch, signals, strict=True):
        row[:, : signal.num_samples] = signal.samples
    return torch.from_numpy(batch).to(device)


def encoded_of(
    signals: Sequence[Audio], streams: Sequence[torch.Tensor], side_info: Sequence[bytes] = ()
) -> list[Encoded]:
    """What was encoded, signal by signal; `streams` hold codes of shape (signals, frames)."""
    on_host = [stream.cpu() for stream in streams]
    return [
        Encoded(
            num_samples=signal.num_samples,
            channels=signal.channels,
            rate_hz=signal.rate_hz,
            codes=tuple(to_codes(stream[index : index + 1]) for stream in on_host),
            side_info=side_info[index] if side_info else b"",
        )
        for index, signal in enumerate(signals)
    ]


def codes_of(encoded: Sequence[Encoded], device: torch.device) -> list[torch.Tensor]:
    """The inverse: for each stream its codes, shape (signals, frames)."""
    import numpy as np
    import torch

    streams = zip(*(one.codes for one in encoded), strict=True)
    return [torch.from_numpy(np.concatenate(s).astype(np.int64)).to(device) for s in streams]


def decoded_of(batch: torch.Tensor, encoded: Sequence[Encoded]) -> list[Audio]:
    """Decoded signals of a batch of shape (signals, channels, time), each at its exact length."""
    rows = batch.detach().float().cpu()
    return [
        to_audio(rows[index : index + 1], one.rate_hz, one.num_samples)
        for index, one in enumerate(encoded)
    ]


# ------------------------------------------------------------------------------------- look-ahead
#
# For each kind of layer, the last input that an output depends on follows from kernel, stride and
# padding (Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill
# 2019). Followed from the last layer back to the first, that is exact, whatever the weights are.

Layer = Callable[[Any], Any]  # from places of outputs, as an array, to those of inputs
_BLOCKS_FROM_THE_START = 64


def convolution(conv: Any, padding: int | None = None) -> Layer:
    """A convolution; `padding` is what lies before the signal, where it pads outside itself."""
    (kernel,), (stride,), (dilation,) = conv.kernel_size, conv.stride, conv.dilation
    before = conv.padding[0] if padding is None else padding
    return lambda places: places * stride - before + (kernel - 1) * dilation


def transposed(conv: Any, trimmed: int | None = None) -> Layer:
    """A transposed convolution; `trimmed` is what is cut off in front, where it is cut outside."""
    (stride,) = conv.stride
    before = conv.padding[0] if trimmed is None else trimmed
    return lambda places: (places + before) // stride


def blocks(size: int) -> Layer:
    """Anything that sees whole blocks at a time: pooling, attention in windows."""
    return lambda places: (places // size + 1) * size - 1


def convolutions(module: Any) -> Iterator[Layer]:
    """Layers of a network whose modules are registered in the order in which they run."""
    import torch

    for part in module.modules():
        if isinstance(part, torch.nn.Conv1d):
            yield convolution(part)
        elif isinstance(part, torch.nn.ConvTranspose1d):
            yield transposed(part)
        elif type(part).__name__ == "LocalMHA":
            yield blocks(part.window_size)


def look_ahead_samples(layers: Iterable[Layer], block: int) -> int:
    """Samples that must be known after an output sample, at the worst place in a block.

    Parameters
    ----------
    layers : iterable
        First to last.
    block : int
        Samples after which the pattern repeats.
    """
    import numpy as np

    outputs = np.arange(block, dtype=np.int64) + _BLOCKS_FROM_THE_START * block
    places = outputs
    for layer in reversed(list(layers)):
        places = layer(places)
    return int((places - outputs).max())
