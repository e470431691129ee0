"""Evaluation and benchmarking of neural audio codecs."""

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from snacbench.api.beside_ratings import validity
    from snacbench.api.bundles import verify
    from snacbench.api.run import Comparison, Run, compare, load, merge, run, score_files
    from snacbench.api.signals import (
        OpenCodec,
        check_codec,
        codec,
        decode,
        encode,
        metric,
        names,
        score,
    )
    from snacbench.errors import SnacbenchError, Undefined, UserError
    from snacbench.progress import Notes, Progress
    from snacbench.request import Request
    from snacbench.types import Audio, Encoded

_HOMES = (
    "errors", "progress", "request", "types", "api.signals", "api.run", "api.bundles",
    "api.beside_ratings",
)  # fmt: skip
__all__ = [
    "Audio", "Comparison", "Encoded", "Notes", "OpenCodec", "Progress", "Request", "Run",
    "SnacbenchError", "Undefined", "UserError", "__version__", "check_codec", "codec", "compare",
    "decode", "encode", "load", "merge", "metric", "names", "run", "score", "score_files",
    "validity", "verify",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """A public name, its module imported now: the command line's help waits for none of them."""
    from importlib import import_module

    for home in _HOMES if name in __all__ else ():
        module = import_module(f"snacbench.{home}")
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"module 'snacbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
