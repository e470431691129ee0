"""What the PyTorch codecs share: devices, building, exact speed-ups, arrays in and out.

Nothing here changes a result: fusing weight norm and the in-place Snake give the same bits as
the packages' own modules, which the tests hold.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from snacbench.codecs._checkpoint import fuse_weight_norm
from snacbench.errors import CodecError, UserError
from snacbench.models import CodecModel, Loader, WeightsSource
from snacbench.types import Audio, CodecSpec, Codes

if TYPE_CHECKING:
    import torch


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
    from snacbench.audio.resample import fit_length

    samples = batch[0].detach().float().cpu().numpy()
    if not np.isfinite(samples).all():
        raise CodecError("the decoder returned NaN or infinite samples")
    return Audio(np.ascontiguousarray(fit_length(samples, num_samples)), rate_hz)


def to_codes(indices: torch.Tensor) -> Codes:
    """Code indices of shape (channels, frames) as an int32 array."""
    return np.ascontiguousarray(indices.detach().cpu().numpy().astype(np.int32))


def from_codes(codes: Codes, device: torch.device) -> torch.Tensor:
    """The inverse of `to_codes`."""
    import torch

    return torch.from_numpy(codes.astype(np.int64)).to(device)
