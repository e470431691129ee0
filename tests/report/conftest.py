"""A small run with real audio in it, names that would break a careless page, and its report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snacbench.audio.io import sha256_of_file, write_flac
from snacbench.report.build import Request, build
from snacbench.request import Request as RunRequest
from snacbench.rows import Bits, Coded, Run, Score
from snacbench.store.folder import RunFolder
from snacbench.types import Audio, Clip, CodecSpec, MetricSpec

RATE_HZ = 48_000
SECONDS = 2.0
EVIL = "set/<script>alert(1)</script>\"'&"
IDS = (EVIL, "set/b", "set/c")
TONES_HZ = {"same": 440.0, "ladder@2kbps": 880.0, "ladder@1kbps": 1760.0}
CODECS = tuple(
    CodecSpec(name, name.split("@")[0], "f", None, (1,), nominal_kbps=1.0) for name in TONES_HZ
)
METRICS = (
    MetricSpec("up", "dB", "higher", (-1e9, 1e9), 8000, "nobody"),
    MetricSpec("down", "", "lower", (-1e9, 1e9), 8000, "nobody"),
)
FACTS = {"evil": "</script><img src=x onerror=alert(1)>"}
RUN = Run(
    "r1", "2026-01-02T03:04:05", "1.2", 2, RunRequest(), 7, "cpu", "tiny", "ab" * 32,
    CODECS, METRICS, facts=FACTS,
)  # fmt: skip


def tone(hertz: float, seconds: float = SECONDS) -> Audio:
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return Audio((0.4 * np.sin(2 * np.pi * hertz * time_s)).astype(np.float32)[None], RATE_HZ)


def clips(folder: Path) -> list[Clip]:
    path = folder / "tone.flac"
    write_flac(path, tone(440.0))
    clip = Clip(
        "", path, sha256_of_file(path), RATE_HZ, 1, round(SECONDS * RATE_HZ), domain="speech",
        transcript="a <b>tone</b>",
    )  # fmt: skip
    return [
        replace(clip, id=id_, domain="music" if id_ == "set/c" else "speech", cluster=f"k{i}")
        for i, id_ in enumerate(IDS)
    ]


def rows_of(folder: RunFolder) -> Iterator[object]:
    for place, id_ in enumerate(IDS):
        for at, (codec, hertz) in enumerate(TONES_HZ.items()):
            if (id_, codec) == ("set/c", "same"):
                yield Coded(id_, codec, "failed", "it <broke>", "music")
                continue
            path = folder.decoded_path(id_, codec)
            write_flac(path, tone(hertz))
            yield Coded(
                id_, codec, "ok", "", "music" if id_ == "set/c" else "speech", SECONDS,
                Bits(payload=1000 * (4 - at)), decoded=str(path.relative_to(folder.path)),
                decoded_rate_hz=RATE_HZ,
            )  # fmt: skip
            yield Score(id_, codec, "up", "1", "ok", 10.0 * at + place)
            undefined = (id_, codec) == ("set/b", "same")
            yield (
                Score(id_, codec, "down", "1", "undefined", None, "silent")
                if undefined
                else (Score(id_, codec, "down", "1", "ok", 2.0 + at - place))
            )


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    path = tmp_path_factory.mktemp("report")
    folder = RunFolder.create(path / "run", RUN, clips(path))
    folder.append(rows_of(folder))
    return folder


@pytest.fixture(scope="session")
def page(run_folder: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report's index.html; lossless, so that what plays can be compared to the sample."""
    target = tmp_path_factory.mktemp("page") / "report"
    request = Request(lossless=True, about_sources=["1 of 3 clips is <odd>."])
    return build(run_folder, target, request).index
