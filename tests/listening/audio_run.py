"""A small run with real sound in it: five clips of three domains, codecs with known faults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from snacbench.audio.align import advanced
from snacbench.audio.channels import downmix
from snacbench.audio.io import write_flac
from snacbench.audio.resample import resample
from snacbench.files import sha256_of_file
from snacbench.request import Request
from snacbench.rows import Bits, Calibration, Coded, Run
from snacbench.store.run_folder import RunFolder
from snacbench.types import Audio, Clip, CodecSpec, Domain
from tests.conftest import broadband

DELAYS = {"late@8kbps": 7, "early@2kbps": -5}
"""Samples at 24 kHz by which these codecs come late, as their calibration rows say."""

CLIPS: Mapping[str, tuple[Domain, float, int, int]] = {
    "set/a": ("speech", 2.0, 24_000, 1),
    "set/b": ("speech", 2.5, 48_000, 1),
    "set/c": ("music", 3.0, 44_100, 2),
    "set/d": ("music", 2.2, 48_000, 2),
    "set/e": ("environment", 2.1, 32_000, 1),
}


def spec(name: str) -> CodecSpec:
    model, _, point = name.partition("@")
    kbps = float(point.removesuffix("kbps")) if point else None
    return CodecSpec(name, model, model, 24_000, (1,), nominal_kbps=kbps)


CODECS = (spec("late@8kbps"), spec("early@2kbps"), spec("quiet@4kbps"))
RUN = Run("run1", "2026-01-02", "1", 2, Request(), 7, "cpu", "set", "ab" * 32, (), ())

Decode = Callable[[Audio], Audio]


def _late(audio: Audio) -> Audio:
    return advanced(audio, -7)


def _early(audio: Audio) -> Audio:
    return advanced(audio, 5)


def _quiet(audio: Audio) -> Audio:
    return Audio(audio.samples * np.float32(0.5), audio.rate_hz)


DECODERS: Mapping[str, Decode] = {
    "late@8kbps": _late, "early@2kbps": _early, "quiet@4kbps": _quiet,
}  # fmt: skip


def make_audio_run(
    path: Path, *, channels: str = "mono", signals: Mapping[str, Audio] | None = None
) -> RunFolder:
    """A run in `path`/run; `signals` are other recordings in place of a clip's own."""
    clips = [_clip(path, id_, (signals or {}).get(id_)) for id_ in CLIPS]
    run = replace(RUN, codecs=CODECS, request=Request(channels=channels))
    folder = RunFolder.create(path / "run", run, [clip for clip, _ in clips])
    folder.append(
        [Calibration(name, DELAYS.get(name, 0) / 24_000, 0.9, 1.0, True) for name in DECODERS]
    )
    for clip, audio in clips:
        source = downmix(audio) if channels == "mono" else audio
        folder.append([_coded(folder, clip, source, name) for name in DECODERS])
    return folder


def _clip(path: Path, id_: str, signal: Audio | None) -> tuple[Clip, Audio]:
    domain, seconds, rate_hz, channels = CLIPS[id_]
    audio = signal or broadband(seconds, rate_hz, channels=channels, seed=ord(id_[-1]))
    file = path / f"{id_[-1]}.flac"
    write_flac(file, audio)
    clip = Clip(
        id_, file, sha256_of_file(file), audio.rate_hz, audio.channels, audio.num_samples,
        domain=domain,
    )  # fmt: skip
    return clip, audio


def _coded(folder: RunFolder, clip: Clip, source: Audio, name: str) -> Coded:
    path = folder.decoded_path(clip.id, name)
    write_flac(path, DECODERS[name](resample(source, 24_000)))
    kbps = float(name.partition("@")[2].removesuffix("kbps"))
    return Coded(
        clip.id, name, "ok", "", clip.domain, clip.duration_s,
        Bits(codes=round(900 * kbps * clip.duration_s)),
        path.relative_to(folder.path).as_posix(), sha256_of_file(path), 24_000, "mono",
    )  # fmt: skip
