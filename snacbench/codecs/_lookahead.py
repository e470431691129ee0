"""How far ahead of an output sample a convolutional codec looks into its input.

For each kind of layer, the last input that an output depends on follows from kernel, stride and
padding (Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill
2019). Followed from the last layer back to the first, that is exact, whatever the weights are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
Layer = Callable[[Places], Places]

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
    outputs = np.arange(block, dtype=np.int64) + _BLOCKS_FROM_THE_START * block
    places = outputs
    for layer in reversed(list(layers)):
        places = layer(places)
    return int((places - outputs).max())
