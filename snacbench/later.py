"""Packages that are imported when something of them is first asked for.

A list of metrics or of test sets imports the files that declare these, and computes nothing: it
need not wait for numpy and its like.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av
    import librosa
    import numpy as np
    import pandas as pd
    import requests
    import soundfile
    import soxr
    import torch
    import transformers
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray
    from scipy import fft
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

    names = ("av", "librosa", "numpy", "pandas", "scipy.fft", "soundfile", "soxr", "torch")
    av, librosa, np, pd, fft, soundfile, soxr, torch = map(_Later, names)
    requests, transformers = map(_Later, ("requests", "transformers"))
    Axes = Figure = Line2D = NDArray = Any  # in annotations alone

__all__ = [
    "Axes", "Figure", "Line2D", "NDArray", "av", "fft", "librosa", "np", "pd", "requests",
    "soundfile", "soxr", "torch", "transformers",
]  # fmt: skip
