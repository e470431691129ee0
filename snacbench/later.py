"""Packages that are imported when something of them is first asked for.

A list of metrics or of test sets imports the files that declare these, and computes nothing: it
need not wait for numpy and its like.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av
    import numpy as np
    import pandas as pd
    import soundfile
    import soxr
    import torch
    from numpy.typing import NDArray
else:

    class _Later:
        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            try:
                module = import_module(self._name)
            except Exception as error:
                from snacbench.packages import missing_package

                if missing := missing_package(error):  # a broken package is no broken file
                    raise missing from error
                raise
            value = getattr(module, attribute)
            setattr(self, attribute, value)  # found at once from now on
            return value

    packages = ("av", "numpy", "pandas", "soundfile", "soxr", "torch")
    av, np, pd, soundfile, soxr, torch = map(_Later, packages)
    NDArray = Any  # in annotations alone

__all__ = ["NDArray", "av", "np", "pd", "soundfile", "soxr", "torch"]
