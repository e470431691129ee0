"""The reference implementations, called singly: what scoring costs without snacbench.

They get the arrays that our metrics get. Where a package brings a resampler, that is used (julius
in descript-audiotools, once a pair as DAC's own evaluation does; pystoi's); where it brings none
(pesq, visqol-python), soxr, once a metric. Every call sees its reference for the first time: none
of the packages can keep anything of it.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks import _visqol_peer
from snacbench.audio.resample import fit_length, resample
from snacbench.types import Audio, MetricSpec

Score = Callable[[Audio, Audio], float]

DAC_RATE_HZ = 44_100


def peer_of(spec: MetricSpec) -> Score | None:
    """A function of (reference, degraded) at the metric's rate; None where there is no peer."""
    return PEERS.get(spec.name)


def score_all(reference: Audio, degraded: Audio, specs: list[MetricSpec]) -> dict[str, float]:
    """Every metric that has a peer, of signals at their own rates, resampling included."""
    scores = {}
    if names := [spec.name for spec in specs if spec.name in _DAC]:
        signals = _dac_signals(reference, degraded)
        scores.update({name: float(_DAC[name](*signals)) for name in names})
    for spec in specs:
        if spec.name in ("stoi", "estoi"):
            # At the higher of both rates, from where pystoi resamples by itself.
            rate_hz = max(reference.rate_hz, degraded.rate_hz)
            scores[spec.name] = PEERS[spec.name](*_both_at(rate_hz, reference, degraded))
        elif spec.name in PEERS and spec.name not in _DAC:
            scores[spec.name] = PEERS[spec.name](*_both_at(spec.rate_hz, reference, degraded))
    return scores


def _both_at(rate_hz: int, reference: Audio, degraded: Audio) -> tuple[Audio, Audio]:
    x, y = resample(reference, rate_hz), resample(degraded, rate_hz)
    if x.num_samples == y.num_samples:
        return x, y
    return x, Audio(fit_length(y.samples, x.num_samples), rate_hz)


# ------------------------------------------------------------------------- descript-audiotools


def _dac_signals(reference: Audio, degraded: Audio) -> tuple[Any, Any]:
    """Both signals as the package loads and resamples them."""
    from audiotools import AudioSignal

    x, y = (
        AudioSignal(audio.samples[np.newaxis].copy(), audio.rate_hz).resample(DAC_RATE_HZ)
        for audio in (reference, degraded)
    )
    return x, y.truncate_samples(x.signal_length).zero_pad_to(x.signal_length)


def _mel(x: Any, y: Any, **options: Any) -> Any:
    return _loss("MelSpectrogramLoss", **options)(y, x)


def _mel_seven_scales(x: Any, y: Any) -> Any:
    return _mel(
        x, y,
        n_mels=(5, 10, 20, 40, 80, 160, 320), window_lengths=(32, 64, 128, 256, 512, 1024, 2048),
        mel_fmin=(0,) * 7, mel_fmax=(None,) * 7, pow=1.0, clamp_eps=1e-5, mag_weight=0.0,
    )  # fmt: skip


def _stft(x: Any, y: Any) -> Any:
    return _loss("MultiScaleSTFTLoss")(y, x)


def _waveform(x: Any, y: Any) -> Any:
    return _loss("L1Loss")(y, x)


def _si_sdr(x: Any, y: Any) -> Any:
    return -_loss("SISDRLoss")(x, y)


@functools.cache
def _loss(name: str, **options: Any) -> Any:
    from dac.nn import loss

    warnings.filterwarnings("ignore", message="stft_data changed shape")
    lists = {key: list(v) if isinstance(v, tuple) else v for key, v in options.items()}
    return getattr(loss, name)(**lists)


_DAC: dict[str, Callable[[Any, Any], Any]] = {
    "mel_dac7": _mel_seven_scales,
    "mel_dac_default": _mel,
    "stft_dac": _stft,
    "waveform_l1": _waveform,
    "si_sdr": _si_sdr,
}


def _by_dac(loss: Callable[[Any, Any], Any]) -> Score:
    return lambda reference, degraded: float(loss(*_dac_signals(reference, degraded)))


# ------------------------------------------------------------------------------ pesq and pystoi


def _pesq(reference: Audio, degraded: Audio, *, mode: str) -> float:
    import pesq

    x, y = reference.samples[0], degraded.samples[0]
    return float(pesq.pesq(reference.rate_hz, x, y, mode))


def _stoi(reference: Audio, degraded: Audio, *, extended: bool) -> float:
    import pystoi

    x, y = (audio.samples[0].astype(np.float64) for audio in (reference, degraded))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # too little speech: it still took its time
        return float(pystoi.stoi(x, y, reference.rate_hz, extended=extended))


# ------------------------------------------------------------------------------------- visqol


def _visqol(reference: Audio, degraded: Audio, *, mode: Any) -> float:
    return _visqol_peer.score(reference=reference, degraded=degraded, mode=mode)


PEERS: Mapping[str, Score] = {
    **{name: _by_dac(loss) for name, loss in _DAC.items()},
    "pesq_wb": functools.partial(_pesq, mode="wb"),
    "pesq_nb": functools.partial(_pesq, mode="nb"),
    "stoi": functools.partial(_stoi, extended=False),
    "estoi": functools.partial(_stoi, extended=True),
    "visqol_audio": functools.partial(_visqol, mode="audio"),
    "visqol_speech": functools.partial(_visqol, mode="speech"),
    "visqol_speech_exponential": functools.partial(_visqol, mode="speech_exponential"),
}
