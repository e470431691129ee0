"""From similarities to a predicted mean opinion score: ViSQOL's trained mappings.

The models are Google's (Apache License 2.0). Their files come with the package ``visqol-python``,
of which nothing is imported.
"""

from __future__ import annotations

import functools
import importlib.util
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from snacbench.errors import MissingPackage

Mode = Literal["audio", "speech", "speech_exponential", "speech_exponential_unscaled"]

SUPPORT_VECTORS = "libsvm_nu_svr_model.txt"
LATTICE = "lattice_tcditugenmeetpackhref_ls2_nl60_lr12_bs2048_learn.005_ep2400_train1_7_raw.tflite"
LOWEST_MOS, HIGHEST_MOS = 1.0, 5.0

# speech_similarity_to_quality_mapper.cc: a + exp(b (similarity - x0)), fitted to TCD-VoIP.
FIT_A, FIT_B, FIT_X0 = -262.847869, 0.0154302525, -361.063949
# Brings equal signals, which the fit gives 4.016, to 5.
FIT_SCALE = 1.245063

# The quantile that the lattice is asked for: the median opinion.
TAU = 0.5
# An interpreter holds the inputs of one caller at a time.
_LOCK = threading.Lock()

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Features:
    """What is known of a pair, band by band: arrays of shape (bands,).

    Attributes
    ----------
    means, lowest_means : array
        Mean similarity over all patches, and over the tenth of the patches that are least alike.
    deviations : array
        Standard deviation of the similarity over all frames.
    energies : array
        Mean level of the degraded signal above the floor, in dB.
    """

    means: Values
    lowest_means: Values
    deviations: Values
    energies: Values


Mapper = Callable[[Features], float]


@functools.cache
def mapper(mode: Mode) -> Mapper:
    """Return the mapping from features to a score, its model loaded; once per process.

    Raises
    ------
    MissingPackage
        If the package with the model is not installed.
    """
    if mode == "audio":
        return _support_vector_regression(_model(SUPPORT_VECTORS))
    if mode == "speech":
        return _lattice(_model(LATTICE))
    scale = FIT_SCALE if mode == "speech_exponential" else 1.0
    return functools.partial(_exponential, scale=scale)


def _model(name: str) -> Path:
    """Path of a model file; importing the package would load its compiler."""
    found = importlib.util.find_spec("visqol")
    if found is None or found.origin is None:
        raise MissingPackage(
            f"ViSQOL's model {name} comes with the package visqol-python, which is not "
            "installed; pip install visqol-python"
        )
    return Path(found.origin).parent / "model" / name


def _support_vector_regression(path: Path) -> Mapper:
    """Regression with radial basis functions, from the text file that LIBSVM writes.

    Chang, Lin: "LIBSVM: a library for support vector machines", ACM TIST 2(3), 2011, section 2.5.
    """
    header, _, body = path.read_text("ascii").partition("\nSV\n")
    settings = dict(line.split(maxsplit=1) for line in header.splitlines())
    gamma, offset = float(settings["gamma"]), float(settings["rho"])
    lines = [line.split() for line in body.splitlines()]
    weights = np.array([float(line[0]) for line in lines])
    vectors = np.array([_dense(line[1:]) for line in lines])

    def predict(features: Features) -> float:
        distances = np.square(vectors - features.means).sum(axis=1)
        return _clipped(weights @ np.exp(-gamma * distances) - offset)

    return predict


def _dense(entries: Sequence[str]) -> list[float]:
    """Values of ``index:value`` entries, of which no index is left out in this model."""
    return [float(entry.partition(":")[2]) for entry in entries]


def _lattice(path: Path) -> Mapper:
    """Deep lattice network, run by TensorFlow Lite as Google's program does."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
    interpreter.allocate_tensors()
    run: Any = interpreter.get_signature_runner("predict")

    def predict(features: Features) -> float:
        inputs = {"tau": TAU}
        for band, values in enumerate(
            zip(
                features.means,
                features.lowest_means,
                features.deviations,
                features.energies,
                strict=True,
            )
        ):
            names = (f"fvnsim{band}", f"fvnsim10_{band}", f"fstdnsim{band}", f"fvdegenergy{band}")
            inputs.update(zip(names, map(float, values), strict=True))
        with _LOCK:
            outputs = run(**{name: np.array([v], np.float32) for name, v in inputs.items()})
        return float(outputs["predictions"].ravel()[0])

    return predict


def _exponential(features: Features, scale: float) -> float:
    fitted = FIT_A + np.exp(FIT_B * (features.means.mean() - FIT_X0))
    return _clipped(fitted * scale)


def _clipped(mos: float) -> float:
    return float(np.clip(mos, LOWEST_MOS, HIGHEST_MOS))
