"""Spectral distances in the forms that papers report: one function, and a name for each form.

With S(x) the magnitudes of x in bins or mel bands at one scale, and D a mean distance::

    sum over scales of  a D(log S(x), log S(y)) + b D(S(x), S(y)) + c |S(x) - S(y)| / |S(x)|

The forms differ in their options (`Form`), and by far in value. Each name says whose form it is,
and the citation of its spec where its options are found.

Spectra are in single precision, by the very transform, window and logarithm of the packages that
define the forms: where a signal holds next to nothing, its rounding decides.
"""

import functools
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from snacbench.errors import Undefined
from snacbench.later import NDArray, librosa, np, torch
from snacbench.metrics._guards import DISTANCE, guarded, versions_of
from snacbench.types import Audio, Metric

# Windowed samples that are transformed at a time: half a megabyte, and as much of their spectrum.
_BLOCK_SAMPLES = 2**17
# Spectra kept for the next metric. The longest windows of the 7-scale mel distance come last in
# it, and the STFT and the 2-scale mel distance need two of these. 8 bytes a sample each.
_SPECTRA_KEPT = 4

# A spectrum in pieces of some frames each, in order of channel and time; every piece an array of
# shape (bins or bands, frames), float32.
Pieces: TypeAlias = "Sequence[NDArray[np.float32]]"


# ------------------------------------------------------------------------------------- the options
@dataclass(frozen=True)
class Scale:
    """One resolution of a form, in samples: the window lies in the middle of the transform."""

    fft: int
    hop: int
    window: int
    bands: int = 0  # of the mel scale; 0: the transform's own bins


@dataclass(frozen=True)
class Form:
    """The options of a spectral distance, but for the rate, which is that of the signals."""

    scales: tuple[Scale, ...]  # summed
    log_weight: float = 0.0  # a; 2 for logarithms of squares, 10 for decibels, 1/3 for a mean of 3
    magnitude_weight: float = 0.0  # b
    convergence_weight: float = 0.0  # c: Frobenius norms of a scale's whole spectrum
    log: Literal["log10", "ln"] = "log10"
    clamp: float = 1e-5  # the logarithm is that of this at least
    # D: the mean of absolute differences, or the mean over frames of their Euclidean length.
    norm: Literal["l1", "l2"] = "l1"
    # Periodic; torch's own, in single precision, differ from the first in the last digit.
    window: Literal["hann", "torch hann", "torch sqrt hann"] = "hann"
    # Signals are continued by their mirror image: half a transform at either end, so that frames
    # are centred, or so much that there are as many frames as hops.
    centred: bool = True
    power_added: float = 0.0  # to the power of every bin
    power_floor: float = 0.0  # of every bin
    exponent: float = 1.0  # of what is summed in bands: 1 for magnitudes, 2 for power
    mel: Literal["slaney", "htk"] = "slaney"  # triangles of unit area, or (HTK's) of unit height
    fmin_hz: float = 0.0
    fmax_hz: float | None = None  # None: half the rate

    def edge(self, scale: Scale) -> int:
        """Samples of mirror image at either end."""
        return scale.fft // 2 if self.centred else (scale.fft - scale.hop) // 2


def distance(form: Form) -> Callable[[Audio], Callable[[Audio], float]]:
    """The distance of a form: takes a reference, and then one degraded signal after another.

    Means are over channels as well. Only the convergence is not symmetric. Raises `Undefined` where
    the reference is too short for the mirror image at its ends.
    """
    edges = [(form.edge(scale), scale.fft) for scale in form.scales]
    needed = max(max(1 + edge, fft - 2 * edge) for edge, fft in edges)

    def prepare(reference: Audio) -> Callable[[Audio], float]:
        if reference.num_samples < needed:
            raise Undefined(
                f"too short: the reference has {reference.num_samples} samples, {needed} are "
                f"needed for the mirror image at its ends"
            )
        of_reference = list(_features(form, reference))

        def compare(degraded: Audio) -> float:
            total = 0.0
            pairs = zip(of_reference, _features(form, degraded), strict=True)
            for (log_x, x), (log_y, y) in pairs:
                if form.log_weight:
                    total += form.log_weight * _mean_distance(log_x, log_y, form.norm)
                if form.magnitude_weight:
                    total += form.magnitude_weight * _mean_distance(x, y, form.norm)
                if form.convergence_weight:
                    apart = sum(_energy(a - b) for a, b in zip(x, y, strict=True))
                    convergence = math.sqrt(apart / sum(map(_energy, x)))
                    total += form.convergence_weight * convergence
            return total

        return compare

    return prepare


def _mean_distance(a: Pieces, b: Pieces, norm: str) -> float:
    total, count = 0.0, 0
    for x, y in zip(a, b, strict=True):
        apart = np.abs(x - y) if norm == "l1" else np.linalg.norm(x - y, axis=0)
        total += float(apart.sum())
        count += apart.size
    return total / count


def _energy(piece: "NDArray[np.float32]") -> float:
    return float(np.square(piece, dtype=np.float64).sum())


# ------------------------------------------------------------------------------------- the spectra
def _features(form: Form, audio: Audio) -> Iterator[tuple[Pieces, Pieces]]:
    """Logarithms and plain values of every scale; empty where a form has no use for them."""
    added, floor = np.float32(form.power_added), np.float32(math.sqrt(form.power_floor))
    for scale in form.scales:
        filters = _mel_filters(form, audio.rate_hz, scale) if scale.bands else None
        plain, logs = [], []
        for piece in magnitude(audio, replace(scale, bands=0), form.window, form.edge(scale)):
            x: Any = np.sqrt(piece**2 + added) if added else piece
            x = np.maximum(x, floor) if floor else x
            x = x**form.exponent if form.exponent != 1 else x
            plain.append(x if filters is None else filters @ x)
        if form.log_weight:
            # numpy's logarithm to base 10 takes one number at a time in single precision.
            clamped = (torch.from_numpy(np.maximum(x, np.float32(form.clamp))) for x in plain)
            of_log = (x.log10_() if form.log == "log10" else x.log_() for x in clamped)
            logs = [np.asarray(x.numpy()) for x in of_log]
        yield logs, plain if form.magnitude_weight or form.convergence_weight else []


@functools.lru_cache(maxsize=_SPECTRA_KEPT)
def magnitude(audio: Audio, scale: Scale, window: str, edge: int) -> Pieces:
    """Magnitude of the short-time Fourier transform at ``fft / 2 + 1`` frequencies.

    Kept by the identity of the signal, which is read-only; so are the pieces.
    """
    padded = torch.from_numpy(np.pad(audio.samples, [(0, 0), (edge, edge)], mode="reflect"))
    frames_at_a_time = _BLOCK_SAMPLES // scale.fft
    pieces = []
    for of_channel in padded:
        for frames in of_channel.unfold(0, scale.fft, scale.hop).split(frames_at_a_time):
            spectrum = torch.fft.rfft(frames * _window(scale, window))
            pieces.append(np.ascontiguousarray(np.abs(spectrum.numpy()).T))
            pieces[-1].flags.writeable = False
    return tuple(pieces)


@functools.cache
def _window(scale: Scale, shape: str) -> "torch.Tensor":
    """A window of a form, zeros before and after it."""
    from scipy.signal import get_window

    if shape == "hann":
        samples = torch.from_numpy(get_window("hann", scale.window)).float()
    else:
        samples = torch.hann_window(scale.window)
        samples = samples.sqrt() if shape == "torch sqrt hann" else samples
    before = (scale.fft - scale.window) // 2
    return torch.nn.functional.pad(samples, (before, scale.fft - scale.window - before))


@functools.cache
def _mel_filters(form: Form, rate_hz: int, scale: Scale) -> Any:
    """Mel filters, sparse, shape (bands, bins)."""
    from scipy.sparse import csr_array

    with warnings.catch_warnings():
        # Short windows leave some bands without a bin. They stay empty in both signals, and in
        # the published figures.
        warnings.filterwarnings("ignore", message="Empty filters")
        made = librosa.filters.mel(
            sr=rate_hz, n_fft=scale.fft, n_mels=scale.bands, fmin=form.fmin_hz, fmax=form.fmax_hz,
            htk=form.mel == "htk", norm="slaney" if form.mel == "slaney" else None,
        )  # fmt: skip
    return csr_array(made)


# --------------------------------------------------------------------------------------- the forms
def _quarters(*scales: tuple[int, int]) -> tuple[Scale, ...]:
    """Scales of (window, bands), a quarter window apart."""
    return tuple(Scale(window, window // 4, window, bands) for window, bands in scales)


# Kumar et al.: "High-Fidelity Audio Compression with Improved RVQGAN", NeurIPS 2023.
_SEVEN = ((32, 5), (64, 10), (128, 20), (256, 40), (512, 80), (1024, 160), (2048, 320))
DAC_DEFAULT = Form(_quarters((2048, 150), (512, 80)), log_weight=2.0, magnitude_weight=1.0)
# Kong et al.: "HiFi-GAN", NeurIPS 2020.
_ONE = Form((Scale(1024, 256, 1024, 80),), log_weight=1.0, log="ln", window="torch hann")
HIFIGAN = replace(_ONE, centred=False, power_added=1e-9)
_100_BANDS = (Scale(1024, 256, 1024, 100),)
# Yamamoto et al.: "Parallel WaveGAN", ICASSP 2020, table 1. Means of three resolutions.
_PWG = Form(
    (Scale(1024, 120, 600), Scale(2048, 240, 1200), Scale(512, 50, 240)), log="ln",
    window="torch hann", power_floor=1e-7,
)  # fmt: skip

# Forms, their names and units, at which rates in Hz they are taken (the first has the plain name),
# and who reports them so.
_REPORTED = (
    (Form(_quarters(*_SEVEN), log_weight=1.0), "mel_dac7", "log10", (44_100, 22_050),
     "Kumar et al., NeurIPS 2023, section 3.5 (7 scales, summed)"),
    (DAC_DEFAULT, "mel_dac_default", "log10 + linear", (44_100, 22_050),
     "MelSpectrogramLoss of descript-audio-codec 1.0.0 with its default arguments"),
    # Engel et al.: "DDSP", ICLR 2020, has the idea. At 16 kHz for sources that have no more: at
    # 44.1 kHz 64 % of the bins lie above 8 kHz, with nothing to be near to.
    (replace(DAC_DEFAULT, scales=_quarters((2048, 0), (512, 0))),
     "stft_dac", "log10 + linear", (44_100, 22_050, 16_000),
     "Kumar et al., NeurIPS 2023, table 3 (after Engel et al., ICLR 2020)"),
    (replace(DAC_DEFAULT, window="torch sqrt hann"), "mel_codecbench", "log10 + linear", (16_000,),
     "evaluate_mel_loss of CodecBench, reconstruct_evaluation/mel_loss.py"),
    (HIFIGAN, "mel_hifigan", "ln", (22_050,),
     "mel_spectrogram of HiFi-GAN, meldataset.py, as config_v1.json has it for the loss"),
    # Lee et al.: "BigVGAN", ICLR 2023. HiFi-GAN's with more bands, at 24 kHz.
    (replace(HIFIGAN, scales=_100_BANDS), "mel_bigvgan", "ln", (24_000,),
     "mel_spectrogram of BigVGAN, meldataset.py, as bigvgan_24khz_100band.json has it"),
    # Siuzdak: "Vocos", ICLR 2024.
    (replace(_ONE, scales=_100_BANDS, clamp=1e-7, mel="htk"), "mel_vocos", "ln", (24_000,),
     "MelSpecReconstructionLoss of Vocos 0.1.0 with its default arguments"),
    # Della Libera et al.: "FocalCodec", NeurIPS 2025. Decibels as of power, but of magnitudes.
    (replace(_ONE, scales=(Scale(1024, 320, 1024, 80),), log_weight=10.0, log="log10", clamp=1e-10,
             norm="l2", mel="htk"), "mel_focalcodec", "10 log10", (16_000,),
     "MelDistance of audiocodecs (FocalCodec's evaluation), metrics/mel_distance.py"),
    (replace(_PWG, convergence_weight=1 / 3), "stft_pwg_convergence", "1", (24_000,),
     "Yamamoto et al., ICASSP 2020, table 1; SpectralConvergenceLoss of ParallelWaveGAN"),
    (replace(_PWG, log_weight=1 / 3), "stft_pwg_log", "ln", (24_000,),
     "Yamamoto et al., ICASSP 2020, table 1; LogSTFTMagnitudeLoss of ParallelWaveGAN"),
)  # fmt: skip


def _metrics(
    form: Form, name: str, unit: str, rates_hz: tuple[int, ...], citation: str
) -> Iterator[Metric]:
    """A form at each of its rates; those of DAC's authors take every channel."""
    of_dac = name in ("mel_dac7", "mel_dac_default", "stft_dac")
    spec = replace(
        DISTANCE, name=name, unit=unit, rate_hz=rates_hz[0], citation=citation, mono=not of_dac,
        version="2" if of_dac else "1", default=name in ("mel_dac7", "stft_dac"),
        requires=("torch", "librosa") if form.scales[0].bands else ("torch",),
    )  # fmt: skip
    again = ((f"{name}_{rate_hz // 1000}k", rate_hz) for rate_hz in rates_hz[1:])
    for one in (spec, *(replace(spec, name=n, rate_hz=hz, default=False) for n, hz in again)):
        yield guarded(one, distance(form), versions_of(*spec.requires), silence_has_score=True)


METRICS = tuple(metric for row in _REPORTED for metric in _metrics(*row))
