"""Training audio: a folder of FLAC files, sampled in level-normalised segments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
import torch
from torch import Tensor

from tools.train_minis.models import SAMPLE_RATE_HZ

#: Share of every domain in a batch; domains that are not named share what is left equally.
DOMAIN_SHARES = {"speech": 0.5, "music": 0.3, "environment": 0.2}
HELD_OUT_EVERY = 20
MIN_RMS = 1e-3


@dataclass(frozen=True)
class Corpus:
    """Audio by domain: float32 arrays of shape (time,) at 24 kHz."""

    train: dict[str, list[np.ndarray]]
    held_out: dict[str, list[np.ndarray]]


def read_mono(path: Path) -> np.ndarray:
    """Read a file as mono float32 at 24 kHz."""
    samples, rate_hz = sf.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if rate_hz != SAMPLE_RATE_HZ:
        mono = soxr.resample(mono, rate_hz, SAMPLE_RATE_HZ)
    return np.ascontiguousarray(mono, dtype=np.float32)


def load_corpus(folder: Path, *, min_duration_s: float = 0.85) -> Corpus:
    """Load `folder`/<domain>/*.flac; every twentieth file of a domain is held out."""
    train: dict[str, list[np.ndarray]] = {}
    held_out: dict[str, list[np.ndarray]] = {}
    for domain in sorted(p for p in folder.iterdir() if p.is_dir()):
        clips = [read_mono(path) for path in sorted(domain.glob("*.flac"))]
        clips = [clip for clip in clips if len(clip) > min_duration_s * SAMPLE_RATE_HZ]
        if not clips:
            continue
        held = clips[HELD_OUT_EVERY // 2 :: HELD_OUT_EVERY] if len(clips) > 1 else []
        kept = [clip for clip in clips if not any(clip is h for h in held)]
        train[domain.name], held_out[domain.name] = kept, held
    if not train:
        raise ValueError(f"no <domain>/*.flac in {folder}: expected folders such as speech/")
    return Corpus(train, held_out)


def draw_batch(
    clips: dict[str, list[np.ndarray]],
    rng: np.random.Generator,
    *,
    size: int,
    num_samples: int,
    flip: bool = False,
) -> Tensor:
    """Draw random segments at random level and, with `flip`, of random polarity.

    Returns
    -------
    Tensor of shape (size, 1, num_samples)
        RMS level log-uniform between 0.025 and 0.14 of full scale. Silent places are skipped.
    """
    domains = sorted(clips)
    shares = np.array([DOMAIN_SHARES.get(d, 1 / len(domains)) for d in domains])
    lengths = {d: np.array([len(c) for c in clips[d]], dtype=float) for d in domains}
    segments: list[np.ndarray] = []
    while len(segments) < size:
        domain = domains[rng.choice(len(domains), p=shares / shares.sum())]
        weights = lengths[domain] / lengths[domain].sum()
        clip = clips[domain][rng.choice(len(weights), p=weights)]
        start = int(rng.integers(max(len(clip) - num_samples, 0) + 1))
        segment = clip[start : start + num_samples]
        rms = float(np.sqrt(np.mean(segment**2)))
        if rms < MIN_RMS or len(segment) < num_samples:
            continue
        target_rms = 0.1 * 10 ** rng.uniform(-0.6, 0.15)
        segments.append(np.clip(segment * (target_rms / rms), -1, 1))
    batch = torch.from_numpy(np.stack(segments).astype(np.float32))[:, None]
    if flip:
        batch *= torch.from_numpy(rng.choice([-1.0, 1.0], size).astype(np.float32))[:, None, None]
    return batch


def held_out_batch(corpus: Corpus, *, size: int = 16, duration_s: float = 1.28) -> Tensor:
    """Return the same held-out excerpts every time, shape (size, 1, time)."""
    clips = {domain: held for domain, held in corpus.held_out.items() if held}
    num_samples = int(duration_s * SAMPLE_RATE_HZ)
    clips = {d: [c for c in held if len(c) >= num_samples] for d, held in clips.items()}
    clips = {d: held for d, held in clips.items() if held} or corpus.train
    return draw_batch(clips, np.random.default_rng(0), size=size, num_samples=num_samples)
