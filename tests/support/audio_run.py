"""A small run with real sound in it: five clips of three domains, codecs with known faults."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snacbench.audio.align import advanced
from snacbench.audio.channels import downmix
from snacbench.audio.io import write_flac
from snacbench.audio.resample import resample
from snacbench.files import sha256_of_file
from snacbench.listening.test import Item, ListeningTest, System
from snacbench.request import Request
from snacbench.rows import Bits, Calibration, Coded, Run
from snacbench.store.run_folder import RunFolder
from snacbench.types import Audio, Clip, CodecSpec, Domain
from tests.conftest import broadband
from tests.support.studies import a_test

CLIPS: Mapping[str, tuple[Domain, float, int, int]] = {
    "set/a": ("speech", 2.0, 24_000, 1), "set/b": ("speech", 2.5, 48_000, 1),
    "set/c": ("music", 3.0, 44_100, 2), "set/d": ("music", 2.2, 48_000, 2),
    "set/e": ("environment", 2.1, 32_000, 1),
}  # fmt: skip
# By so many samples at 24 kHz a codec comes late, as its calibration row says; and its gain.
FAULTS = {"late@8kbps": (7, 1.0), "early@2kbps": (-5, 1.0), "quiet@4kbps": (0, 0.5)}


def spec(name: str) -> CodecSpec:
    model, _, point = name.partition("@")
    kbps = float(point.removesuffix("kbps")) if point else None
    return CodecSpec(name, model, model, 24_000, (1,), nominal_kbps=kbps)


CODECS = tuple(map(spec, FAULTS))
RUN = Run("run1", "2026-01-02", "1", 2, Request(), 7, "cpu", "set", "ab" * 32, CODECS, ())


def make_audio_run(path: Path, *, channels: str = "mono", signals: Any = None) -> RunFolder:
    """A run in `path`/run; `signals` are other recordings in place of a clip's own."""
    clips, sources = [], []
    for id_, (domain, seconds, rate_hz, count) in CLIPS.items():
        own = broadband(seconds, rate_hz, channels=count, seed=ord(id_[-1]))
        audio, file = (signals or {}).get(id_, own), path / f"{id_[-1]}.flac"
        write_flac(file, audio)
        shape = audio.rate_hz, audio.channels, audio.num_samples
        clips.append(Clip(id_, file, sha256_of_file(file), *shape, domain=domain))
        sources.append(downmix(audio) if channels == "mono" else audio)
    run = RunFolder.create(path / "run", replace(RUN, request=Request(channels=channels)), clips)
    delays = {name: late / 24_000 for name, (late, _) in FAULTS.items()}
    run.append([Calibration(name, late_s, 0.9, 1.0, True) for name, late_s in delays.items()])
    for clip, source in zip(clips, sources, strict=True):
        for name, (late, gain) in FAULTS.items():
            faulty = advanced(resample(source, 24_000), -late)
            file = run.decoded_path(clip.id, name)
            write_flac(file, Audio(faulty.samples * np.float32(gain), 24_000))
            kbps = float(name.partition("@")[2].removesuffix("kbps"))
            bits = Bits(codes=round(900 * kbps * clip.duration_s))
            what = clip.id, name, "ok", "", clip.domain, clip.duration_s, bits
            place = file.relative_to(run.path).as_posix()
            run.append([Coded(*what, place, sha256_of_file(file), 24_000, "mono")])
    return run


def item(id_: str, clip: str, start_s: float = 0.25, duration_s: float = 1.5) -> Item:
    return Item(id=id_, clip=clip, start_s=start_s, duration_s=duration_s)


def audio_test(**fields: Any) -> ListeningTest:
    """A test of all codecs of the run, on two items after one for practice."""
    given: dict[str, Any] = {
        "id": "t", "title": "T", "run_id": RUN.id,
        "systems": tuple(System(name=codec.name) for codec in CODECS),
        "items": (item("one", "set/b"), item("two", "set/d")), "training": (item("t-1", "set/a"),),
    }  # fmt: skip
    return a_test(**{**given, **fields})
