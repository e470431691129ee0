"""What the models are trained for: the waveform first, its spectrum at three resolutions second."""

from __future__ import annotations

import functools

import librosa
import torch
from torch import Tensor

from tools.train_minis.models import SAMPLE_RATE_HZ

#: (window in samples, mel bands) of the training loss.
SCALES = ((2048, 80), (512, 40), (128, 16))
#: The seven scales of the mel distance in the DAC paper (its configuration, not its defaults).
PAPER_SCALES = ((32, 5), (64, 10), (128, 20), (256, 40), (512, 80), (1024, 160), (2048, 320))


@functools.cache
def mel_basis(window: int, bands: int) -> Tensor:
    """Return the Slaney mel filterbank, shape (bands, window / 2 + 1)."""
    return torch.from_numpy(
        librosa.filters.mel(sr=SAMPLE_RATE_HZ, n_fft=window, n_mels=bands, fmin=0, fmax=None)
    )


@functools.cache
def hann(window: int) -> Tensor:
    """Return a periodic Hann window."""
    return torch.hann_window(window)


def magnitude(signal: Tensor, window: int) -> Tensor:
    """Return the STFT magnitude of (batch, time) with a hop of a quarter window."""
    spectrum = torch.stft(signal, window, window // 4, window=hann(window), return_complex=True)
    return torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-9)


def sdr_db(reference: Tensor, degraded: Tensor) -> Tensor:
    """Return the signal-to-distortion ratio in dB per item, level included (higher is better)."""
    error = (reference - degraded).square().sum(-1)
    return -10 * torch.log10(error / (reference.square().sum(-1) + 1e-6) + 1e-4)


def si_sdr_db(reference: Tensor, degraded: Tensor) -> Tensor:
    """Return the scale-invariant SDR in dB per item, means removed (higher is better)."""
    reference = reference - reference.mean(-1, keepdim=True)
    degraded = degraded - degraded.mean(-1, keepdim=True)
    scale = (reference * degraded).sum(-1, keepdim=True)
    scale = scale / (reference.square().sum(-1, keepdim=True) + 1e-12)
    target = scale * reference
    ratio = target.square().sum(-1) / ((degraded - target).square().sum(-1) + 1e-12)
    return 10 * torch.log10(ratio + 1e-12)


def mel_distance(reference: Tensor, degraded: Tensor) -> Tensor:
    """Return DAC's seven-scale log10 mel distance per item, summed over scales (lower is better).

    Kumar et al. 2023, "High-Fidelity Audio Compression with Improved RVQGAN", section 3.4, with
    magnitudes clamped at 1e-5 and no linear term.
    """
    total = torch.zeros(reference.shape[0])
    for window, bands in PAPER_SCALES:
        both = torch.stft(
            torch.cat([reference, degraded]),
            window,
            window // 4,
            window=hann(window),
            return_complex=True,
        ).abs()
        log_mel = (mel_basis(window, bands) @ both).clamp_min(1e-5).log10()
        a, b = log_mel.chunk(2)
        total = total + (a - b).abs().mean(dim=(1, 2))
    return total


def reconstruction_loss(reference: Tensor, degraded: Tensor) -> tuple[Tensor, float]:
    """Return the training loss of (batch, time) signals and the mean SDR in dB.

    A decibel of SDR weighs a tenth; every spectral scale adds its convergence (relative magnitude
    error) and the mean difference of its log10 mel spectrum, with a floor well below the level
    that segments are normalised to, so that near-silent bands do not dominate.
    """
    sdr = sdr_db(reference, degraded).mean()
    spectral = torch.zeros(())
    for window, bands in SCALES:
        a, b = magnitude(reference, window), magnitude(degraded, window)
        convergence = (a - b).norm(dim=(1, 2)) / (a.norm(dim=(1, 2)) + 1e-3)
        mel = mel_basis(window, bands)
        logs = torch.log10(mel @ a + 1e-3) - torch.log10(mel @ b + 1e-3)
        spectral = spectral + 0.3 * convergence.mean() + 0.7 * logs.abs().mean()
    return -0.1 * sdr + spectral, float(sdr.detach())
