"""In which number format the PyTorch codecs compute.

The default is 32-bit floats with TF32 off: anything less is faster on a GPU and gives other
codes. How many others is measured (`agreement`) whenever less is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Literal, get_args

from snacbench.errors import UserError

Precision = Literal["fp32", "tf32", "bf16", "fp16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

DESCRIPTIONS: Mapping[Precision, str] = {
    "fp32": "float32, TF32 off",
    "tf32": "float32, matrix products and convolutions in TF32",
    "bf16": "bfloat16 where PyTorch's autocast allows it, else float32",
    "fp16": "float16 where PyTorch's autocast allows it, else float32",
}
_ON_GPU_ONLY: tuple[Precision, ...] = ("tf32", "fp16")


def check_precision(precision: str, device: str) -> None:
    """Refuse what a device cannot do.

    Raises
    ------
    UserError
        If the format exists on GPUs alone.
    """
    if device == "cpu" and precision in _ON_GPU_ONLY:
        raise UserError(
            f"--precision {precision} is for GPUs; use --device cuda, or fp32 or bf16 on the CPU"
        )


@contextmanager
def computing(device: str, precision: Precision) -> Iterator[None]:
    """PyTorch computes in a precision while this is held."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    reduced = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    with torch.autocast(device, dtype=reduced) if reduced else nullcontext():
        yield
