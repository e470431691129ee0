"""ViSQOL version 3: predicted mean opinion score of music (audio mode) and of speech.

The stages are those of Chinen et al.: "ViSQOL v3: An Open Source Production Ready Objective
Speech and Audio Metric", QoMEX 2020: align, match levels, gammatone spectrograms,
find every patch of the reference in the degraded signal, compare them by the neurogram
similarity index, map the similarities of all bands to a score. They come from the package
``visqol``; two things differ from its own front door: the upper envelope (see
`upper_envelope`), and that what depends on the reference alone is computed once.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from snacbench.errors import Undefined
from snacbench.metrics import _guards
from snacbench.metrics._provenance import versions_of
from snacbench.types import Audio, Metric, MetricSpec, PreparedMetric

if TYPE_CHECKING:
    from visqol.audio_utils import AudioSignal
    from visqol.gammatone import Spectrogram
    from visqol.nsim import PatchSimilarityResult
    from visqol.quality_mapper import SimilarityToQualityMapper

Mode = Literal["audio", "speech", "speech_exponential", "speech_exponential_unscaled"]

SEARCH_WINDOW_PATCHES = 60
# Fewer frames of 80 ms every 20 ms than these hold no patch: 45 in audio mode, 29 in speech.
AUDIO_MIN_DURATION_S, SPEECH_MIN_DURATION_S = 0.96, 0.64
# The absolute floor under band amplitudes, -45 dB in the power convention of the C++ code.
FLOOR_AMPLITUDE = 10 ** (-45 / 10)
# Less similar than this is not the same signal; the C++ code then answers 1.
MIN_SIMILARITY, MIN_MOS = 0.15, 1.0

# The same pair scored twice may differ by 1e-13; rows of a resumed run must not.
DECIMALS = 9
_LOCK = threading.Lock()

AUDIO = MetricSpec(
    name="visqol_audio",
    unit="MOS-LQO",
    better="higher",
    range=(1.0, 5.0),
    rate_hz=48_000,
    citation="Chinen et al., QoMEX 2020; audio mode, support vector regression",
    any_length=True,
    implementation="visqol-python, envelope as in the C++ code",
    requires=("visqol", "libsvm"),
)
SPEECH = replace(
    AUDIO,
    name="visqol_speech",
    rate_hz=16_000,
    domains=("speech",),
    citation="Chinen et al., QoMEX 2020; speech mode, lattice network",
    requires=("visqol", "ai_edge_litert"),
)
SPEECH_EXPONENTIAL = replace(
    SPEECH,
    name="visqol_speech_exponential",
    citation="Chinen et al., QoMEX 2020; speech mode, exponential fit scaled to 5",
    default=False,
    requires=("visqol",),
)
SPEECH_EXPONENTIAL_UNSCALED = replace(
    SPEECH_EXPONENTIAL,
    name="visqol_speech_exponential_unscaled",
    range=(1.0, 4.016),
    citation="Chinen et al., QoMEX 2020; speech mode, exponential fit",
)


def moslqo(*, reference: Audio, degraded: Audio, mode: Mode) -> float:
    """Predicted mean opinion score, 1 (bad) to 5 (excellent), at any rate and channel count.

    Channels are averaged. The metrics of this file hold the rate to 48 kHz or 16 kHz, for which
    the mappings were trained; this function does not, like Google's own program.

    Raises
    ------
    Undefined
        If a signal is silent or too short, or nothing of the reference can be compared.
    """
    return prepare(reference, mode)(degraded=degraded)


def prepare(reference: Audio, mode: Mode) -> PreparedMetric:
    """Compute what depends on the reference alone and return the scorer; see `moslqo`."""
    min_duration_s = AUDIO_MIN_DURATION_S if mode == "audio" else SPEECH_MIN_DURATION_S
    _guards.min_duration(reference, min_duration_s, which=_guards.REFERENCE)
    _guards.not_silent(reference, which=_guards.REFERENCE)
    with _alone_on_one_thread():
        prepared = _PreparedReference(reference, mode)

    def score(*, degraded: Audio) -> float:
        """Predicted mean opinion score, 1 to 5; higher is better."""
        _guards.min_duration(degraded, min_duration_s, which=_guards.DEGRADED)
        _guards.not_silent(degraded, which=_guards.DEGRADED)
        with _alone_on_one_thread():
            return prepared.score(degraded)

    return score


def upper_envelope(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Upper envelope by which signals are aligned, as Google's program has it in effect.

    The C++ code doubles the positive half of the spectrum and inverts it by a transform for
    real signals. This does not give the analytic signal, whose magnitude would be the envelope,
    but twice the signal itself. The published scores rest on it.

    Parameters
    ----------
    signal : array, shape (time,)

    Returns
    -------
    array, shape (time,)
    """
    mean = signal.mean()
    return 2 * np.abs(signal - mean) + mean


class _PreparedReference:
    """A reference with its spectrogram and patches, ready to be compared with many signals."""

    def __init__(self, reference: Audio, mode: Mode) -> None:
        _use_our_envelope()
        from visqol.analysis_window import AnalysisWindow
        from visqol.gammatone import GammatoneSpectrogramBuilder
        from visqol.patch_creator import ImagePatchCreator, VadPatchCreator
        from visqol.visqol_manager import (
            MINIMUM_FREQ,
            NUM_BANDS_AUDIO,
            NUM_BANDS_SPEECH,
            PATCH_SIZE_AUDIO,
            PATCH_SIZE_SPEECH,
        )

        speech = mode != "audio"
        bands = NUM_BANDS_SPEECH if speech else NUM_BANDS_AUDIO
        self.mapper = _mapper(mode)
        self.signal = _mono(reference)
        self.window = AnalysisWindow(reference.rate_hz)
        self.builder = GammatoneSpectrogramBuilder(bands, MINIMUM_FREQ, speech_mode=speech)
        self.patches = (
            VadPatchCreator(PATCH_SIZE_SPEECH) if speech else ImagePatchCreator(PATCH_SIZE_AUDIO)
        )
        self.spectrogram = self.builder.build(self.signal, self.window)
        _above_floor(self.spectrogram)
        self.patch_frames = self.patches.create_ref_patch_indices(
            self.spectrogram.data, self.signal, self.window
        )

    def score(self, degraded: Audio) -> float:
        """Predicted mean opinion score of one degraded signal."""
        try:
            matches = self._matches(degraded)
        except ValueError as error:
            raise Undefined(
                f"ViSQOL finds nothing to compare ({error}); a degraded signal that covers the "
                "reference is needed"
            ) from error
        return _mos(matches, self._frame_s, self.mapper)

    @property
    def _frame_s(self) -> float:
        return self.window.hop_size / self.signal.sample_rate

    def _matches(self, degraded: Audio) -> list[PatchSimilarityResult]:
        """Every patch of the reference with the part of the degraded signal most like it."""
        from visqol.alignment import globally_align
        from visqol.audio_utils import scale_to_match_sound_pressure_level
        from visqol.gammatone import prepare_spectrograms_for_comparison
        from visqol.patch_selector import (
            find_most_optimal_deg_patches,
            finely_align_and_recreate_patches,
        )

        aligned, _ = globally_align(self.signal, _mono(degraded))
        levelled = scale_to_match_sound_pressure_level(self.signal, aligned)
        spectrogram = self.builder.build(levelled, self.window)
        reference_db, degraded_db = prepare_spectrograms_for_comparison(
            self.spectrogram, spectrogram
        )
        patches = self.patches.create_patches_from_indices(reference_db, self.patch_frames)
        coarse = find_most_optimal_deg_patches(
            patches, self.patch_frames, degraded_db, self._frame_s, SEARCH_WINDOW_PATCHES
        )
        return finely_align_and_recreate_patches(
            coarse, self.signal, levelled, self.builder, self.window
        )


def _mos(
    matches: list[PatchSimilarityResult], frame_s: float, mapper: SimilarityToQualityMapper
) -> float:
    """Score from the similarities of all patches and bands."""
    from visqol import visqol_core

    band_means = visqol_core.calc_per_patch_mean_freq_band_means(matches)
    mos = mapper.predict_quality(
        band_means,
        visqol_core.calc_per_patch_freq_band_quantile(matches),
        visqol_core.calc_per_patch_mean_freq_band_stddevs(matches, frame_s),
        visqol_core.calc_per_patch_mean_freq_band_deg_energy(matches),
    )
    if np.mean(band_means) < MIN_SIMILARITY:
        return MIN_MOS
    return round(float(mos), DECIMALS)


def _mono(audio: Audio) -> AudioSignal:
    from visqol.audio_utils import AudioSignal

    return AudioSignal(audio.samples.mean(axis=0, dtype=np.float64), audio.rate_hz)


def _above_floor(spectrogram: Spectrogram) -> None:
    """Below the floor everywhere, any two signals would look the same and get the full score."""
    loudest = float(spectrogram.data.max())
    if loudest <= FLOOR_AMPLITUDE:
        raise Undefined(
            f"the reference is too quiet: its loudest band is at {loudest:.1e} of full scale, "
            f"more than {FLOOR_AMPLITUDE:.1e} is needed"
        )


@contextmanager
def _alone_on_one_thread() -> Iterator[None]:
    """Run the package's compiled loops in one thread, and for one caller at a time.

    Their pool of threads must not be entered twice; and a benchmark has a process per core.
    """
    with _LOCK:
        try:
            import numba
        except ImportError:  # the package then runs the same loops in Python, many times slower
            yield
            return
        threads = numba.get_num_threads()
        numba.set_num_threads(1)
        try:
            yield
        finally:
            numba.set_num_threads(threads)


@functools.cache
def _use_our_envelope() -> None:
    """Put `upper_envelope` in the place of the package's, once and for good.

    The package's alignment looks it up by name at every call, also for the fine alignment of
    patches. Swapping it back and forth around calls would race between threads.
    """
    from visqol import alignment

    vars(alignment)["upper_envelope"] = upper_envelope


@functools.cache
def _mapper(mode: Mode) -> SimilarityToQualityMapper:
    """Return the trained mapping from similarities to a score; loaded once per process."""
    import visqol.visqol_manager as manager
    from visqol import quality_mapper

    mapper: SimilarityToQualityMapper
    if mode == "audio":
        model = Path(manager.__file__).parent / "model" / "libsvm_nu_svr_model.txt"
        mapper = quality_mapper.SvrSimilarityToQualityMapper(str(model))
    elif mode == "speech":
        mapper = quality_mapper.TFLiteSpeechQualityMapper(manager._DEFAULT_LATTICE_MODEL)
    else:
        mapper = quality_mapper.SpeechSimilarityToQualityMapper(
            scale_to_max_mos=mode == "speech_exponential"
        )
    mapper.init()
    return mapper


def _prepare_guarded(reference: Audio, spec: MetricSpec, mode: Mode) -> PreparedMetric:
    _guards.right_rate(reference, spec, which=_guards.REFERENCE)
    _guards.right_channels(reference, spec, which=_guards.REFERENCE)
    score_any = prepare(reference, mode)

    def score(*, degraded: Audio) -> float:
        """Predicted mean opinion score, 1 to 5; higher is better."""
        _guards.accept_degraded(degraded, reference, spec)
        return _guards.finite(score_any(degraded=degraded), spec)

    return score


def _metric(spec: MetricSpec, mode: Mode, mapper: str, *packages: str) -> Metric:
    return Metric(
        spec,
        lambda reference: _prepare_guarded(reference, spec, mode),
        versions_of("visqol-python", "numba", *packages, visqol_mapper=mapper),
    )


METRICS = (
    _metric(AUDIO, "audio", "support vector regression", "libsvm-official"),
    _metric(SPEECH, "speech", "lattice", "ai-edge-litert"),
    _metric(SPEECH_EXPONENTIAL, "speech_exponential", "exponential, scaled"),
    _metric(SPEECH_EXPONENTIAL_UNSCALED, "speech_exponential_unscaled", "exponential, unscaled"),
)
