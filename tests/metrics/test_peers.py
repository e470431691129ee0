"""Metrics as the packages define them, on real clips, degraded; librosa takes seconds to import."""

import librosa
import numpy as np
import pytest

from benchmarks import _peers
from snacbench.metrics import log_spectra as spectra
from snacbench.plugins import metrics
from snacbench.types import Audio

METRICS, DAC = metrics(), _peers._DAC
LSD, MCD = spectra.METRICS


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", [name for name in METRICS if name.startswith(tuple(DAC))])
def test_equals_descript_audiotools_in_mono_and_stereo(name, pairs):
    torch = pytest.importorskip("torch")
    from audiotools import AudioSignal

    metric = METRICS[name]
    peer = next(DAC[stem] for stem in DAC if name.startswith(stem))
    found = pairs(metric.spec.rate_hz)
    names = [] if name.startswith("si_sdr") else list(found)
    for left, right in zip(names[:3], names[3:6], strict=True):
        both = zip(found[left], found[right], strict=True)
        stereo = (Audio(np.vstack([a.samples, b.samples]), a.rate_hz) for a, b in both)
        found[f"{left} {right}"] = tuple(stereo)
    for pair, signals in found.items():
        if name.startswith("si_sdr"):  # in double precision
            given = (torch.tensor(a.samples[None], dtype=torch.float64) for a in signals)
        else:
            given = (AudioSignal(a.samples[None].copy(), a.rate_hz) for a in signals)
        ours = metric(reference=signals[0], degraded=signals[1])
        assert ours == pytest.approx(float(peer(*given)), rel=1e-6, abs=1e-6), pair


def test_log_spectral_distance_equals_librosa(pairs):
    def power_db(signal):
        samples = signal.samples[0].astype(np.float64)
        spectrum = librosa.stft(
            samples, n_fft=spectra.LSD_WINDOW, hop_length=spectra.LSD_HOP, center=False
        )
        return librosa.power_to_db(np.abs(spectrum) ** 2, amin=spectra.POWER_FLOOR, top_db=None)

    for name, (x, y) in pairs(LSD.spec.rate_hz).items():
        expected = np.mean(np.sqrt(np.mean((power_db(x) - power_db(y)) ** 2, axis=0)))
        assert LSD(reference=x, degraded=y) == pytest.approx(expected, rel=1e-6), name


def test_mcd_equals_the_definition_on_librosas_parts(pairs):
    def cepstra(signal):
        energies = librosa.feature.melspectrogram(
            y=signal.samples[0].astype(np.float64), sr=MCD.spec.rate_hz, n_fft=spectra.MCD_WINDOW,
            hop_length=spectra.MCD_HOP, n_mels=spectra.BANDS, center=False,
        )  # fmt: skip
        level_db = librosa.power_to_db(energies, amin=1e-10, top_db=None)
        n_mfcc = spectra.COEFFICIENTS + 1
        found = librosa.feature.mfcc(S=level_db, n_mfcc=n_mfcc, dct_type=2, norm="ortho")
        return found[1:], energies.sum(axis=0)

    for name, (x, y) in pairs(MCD.spec.rate_hz, speech_only=True).items():
        (of_x, energy), (of_y, _) = cepstra(x), cepstra(y)
        speaks = 10 * np.log10(energy) > 10 * np.log10(energy.max()) - 40
        per_frame = np.sqrt(np.sum((of_x - of_y) ** 2, axis=0) / spectra.BANDS)
        expected = per_frame[speaks].mean()
        assert MCD(reference=x, degraded=y) == pytest.approx(expected, rel=1e-6), name
