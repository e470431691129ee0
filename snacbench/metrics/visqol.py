"""ViSQOL version 3: predicted mean opinion score of music (audio mode) and of speech.

Chinen et al.: "ViSQOL v3: An Open Source Production Ready Objective Speech and Audio Metric",
QoMEX 2020. The stages are those of Google's program, the numbers its own to 1e-5. From similarities
(`_visqol_compare`) to a score lead its trained models (Apache License 2.0), whose files come with
the package ``visqol-python``; nothing of it is imported.
"""

import functools
import importlib.util
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from snacbench.errors import MissingPackage, Undefined
from snacbench.later import np
from snacbench.metrics._guards import guarded, versions_of
from snacbench.metrics._visqol_compare import FLOOR_DB, Features, Reference
from snacbench.types import Audio, Floats, Metric, MetricSpec

Mode = Literal["audio", "speech", "speech_exponential", "speech_exponential_unscaled"]
Mapper = Callable[[Features], float]

# Fewer frames of 80 ms every 20 ms than these hold no patch: 45 in audio mode, 29 in speech.
AUDIO_MIN_DURATION_S, SPEECH_MIN_DURATION_S = 0.96, 0.64
# The floor of the spectrogram as an amplitude.
FLOOR_AMPLITUDE = 10 ** (FLOOR_DB / 10)
# Less similar than this is not the same signal; the C++ code then answers 1.
MIN_SIMILARITY, LOWEST_MOS, HIGHEST_MOS = 0.15, 1.0, 5.0
# Further digits are rounding, which differs from machine to machine.
DECIMALS = 9

SUPPORT_VECTORS = "libsvm_nu_svr_model.txt"
LATTICE = "lattice_tcditugenmeetpackhref_ls2_nl60_lr12_bs2048_learn.005_ep2400_train1_7_raw.tflite"
# speech_similarity_to_quality_mapper.cc: a + exp(b (similarity - x0)), fitted to TCD-VoIP.
FIT_A, FIT_B, FIT_X0 = -262.847869, 0.0154302525, -361.063949
# Brings equal signals, which the fit gives 4.016, to 5.
FIT_SCALE = 1.245063
# The quantile that the lattice is asked for: the median opinion.
TAU = 0.5
# An interpreter holds the inputs of one caller at a time.
_LOCK = threading.Lock()

AUDIO = MetricSpec(
    name="visqol_audio", unit="MOS-LQO", better="higher", range=(1.0, 5.0), rate_hz=48_000,
    citation="Chinen et al., QoMEX 2020; audio mode, support vector regression",
    any_length=True, requires=("visqol",),
    # Neither mapping is monotone in the similarities: on more noise, and on less bandwidth, the
    # support vectors and the lattice can answer a higher score.
    ladder=("clipping",),
)  # fmt: skip
SPEECH = replace(
    AUDIO, name="visqol_speech", rate_hz=16_000, domains=("speech",),
    citation="Chinen et al., QoMEX 2020; speech mode, lattice network",
    requires=("visqol", "ai_edge_litert"),
)  # fmt: skip
SPEECH_EXPONENTIAL = replace(
    SPEECH, name="visqol_speech_exponential",
    citation="Chinen et al., QoMEX 2020; speech mode, exponential fit scaled to 5", default=False,
    requires=(), ladder=("noise", "low-pass", "clipping"),
)  # fmt: skip
SPEECH_EXPONENTIAL_UNSCALED = replace(
    SPEECH_EXPONENTIAL, name="visqol_speech_exponential_unscaled", range=(1.0, 4.016),
    citation="Chinen et al., QoMEX 2020; speech mode, exponential fit",
)  # fmt: skip


def prepared(reference: Audio, mode: Mode) -> Callable[[Audio], float]:
    """What scores degraded signals against a reference: 1 (bad) to 5 (excellent), at any rate.

    Channels are averaged. The metrics of this file hold the rate to 48 kHz or 16 kHz, for which
    the mappings were trained; this function does not, like Google's own program. Raises `Undefined`
    if the reference is too quiet, or nothing of it can be compared.
    """

    def mono(audio: Audio) -> Floats:
        return np.asarray(audio.samples.mean(axis=0, dtype=np.float64))

    of_reference = Reference(mono(reference), reference.rate_hz, speech=mode != "audio")
    # Below the floor everywhere, any two signals would look the same and get the full score.
    if of_reference.loudest_band <= FLOOR_AMPLITUDE:
        raise Undefined(
            f"the reference is too quiet: its loudest band is at {of_reference.loudest_band:.1e} "
            f"of full scale, more than {FLOOR_AMPLITUDE:.1e} is needed"
        )
    quality = mapper(mode)

    def compare(degraded: Audio) -> float:
        features = of_reference.features(mono(degraded))
        if features.means.mean() < MIN_SIMILARITY:
            return LOWEST_MOS
        return round(quality(features), DECIMALS)

    return compare


@functools.cache
def mapper(mode: Mode) -> Mapper:
    """The mapping from features to a score; `MissingPackage` without the package of its model."""
    if mode in ("audio", "speech"):
        name = SUPPORT_VECTORS if mode == "audio" else LATTICE
        found = importlib.util.find_spec("visqol")  # importing it would load its compiler
        if found is None or found.origin is None:
            text = f"ViSQOL's model {name} comes with the package visqol-python; pip install it"
            raise MissingPackage(text)
        path = Path(found.origin).parent / "model" / name
        return _support_vector_regression(path) if mode == "audio" else _lattice(path)
    scale = FIT_SCALE if mode == "speech_exponential" else 1.0

    def exponential(features: Features) -> float:
        fitted = FIT_A + np.exp(FIT_B * (features.means.mean() - FIT_X0))
        return float(np.clip(fitted * scale, LOWEST_MOS, HIGHEST_MOS))

    return exponential


def _support_vector_regression(path: Path) -> Mapper:
    """Regression with radial basis functions, from the text file that LIBSVM writes."""
    # Chang, Lin: "LIBSVM: a library for support vector machines", ACM TIST 2(3), 2011, section 2.5.
    header, _, body = path.read_text("ascii").partition("\nSV\n")
    settings = dict(line.split(maxsplit=1) for line in header.splitlines())
    gamma, offset = float(settings["gamma"]), float(settings["rho"])
    lines = [line.split() for line in body.splitlines()]
    weights = np.array([float(line[0]) for line in lines])
    # Of ``index:value`` entries, no index is left out in this model.
    vectors = np.array([[float(e.partition(":")[2]) for e in line[1:]] for line in lines])

    def predict(features: Features) -> float:
        distances = np.square(vectors - features.means).sum(axis=1)
        found = weights @ np.exp(-gamma * distances) - offset
        return float(np.clip(found, LOWEST_MOS, HIGHEST_MOS))

    return predict


def _lattice(path: Path) -> Mapper:
    """Deep lattice network, run by TensorFlow Lite as Google's program does."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
    interpreter.allocate_tensors()
    run: Any = interpreter.get_signature_runner("predict")

    def predict(features: Features) -> float:
        inputs, prefixes = {"tau": TAU}, ("fvnsim", "fvnsim10_", "fstdnsim", "fvdegenergy")
        for prefix, values in zip(prefixes, features, strict=True):  # in this order
            inputs.update({f"{prefix}{band}": v for band, v in enumerate(values.tolist())})
        with _LOCK:
            outputs = run(**{name: np.array([v], np.float32) for name, v in inputs.items()})
        return float(outputs["predictions"].ravel()[0])

    return predict


def _metric(spec: MetricSpec, mode: Mode, mapping: str, *packages: str) -> Metric:
    versions = versions_of("numpy", "scipy", *packages, visqol_mapper=mapping)
    s = AUDIO_MIN_DURATION_S if mode == "audio" else SPEECH_MIN_DURATION_S
    of_mode = functools.partial(prepared, mode=mode)
    return guarded(spec, of_mode, versions, min_s=s, min_degraded_s=s)


METRICS = (
    _metric(AUDIO, "audio", "support vector regression", "visqol-python"),
    _metric(SPEECH, "speech", "lattice", "visqol-python", "ai-edge-litert"),
    _metric(SPEECH_EXPONENTIAL, "speech_exponential", "exponential, scaled"),
    _metric(SPEECH_EXPONENTIAL_UNSCALED, "speech_exponential_unscaled", "exponential, unscaled"),
)
