"""A small run with real audio in it, and names that would break a careless page."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snacbench.audio.io import write_flac
from snacbench.files import sha256_of_file
from snacbench.rows import Bits, Coded, Run, Score
from snacbench.store.run_folder import RunFolder
from snacbench.types import Audio, Clip, CodecSpec, MetricSpec

RATE_HZ = 48_000
SECONDS = 2.0
EVIL = "set/<script>alert(1)</script>\"'&"
IDS = (EVIL, "set/b", "set/c")
TONES_HZ = {"same": 440.0, "ladder@2kbps": 880.0, "ladder@1kbps": 1760.0}
CODECS = tuple(CodecSpec(name, name.split("@")[0], "f", None, (1,), packet_s=0.02, nominal_kbps=1.0,
                         demonstration=name.startswith("ladder")) for name in TONES_HZ)  # fmt: skip
METRICS = (
    MetricSpec("up", "dB", "higher", (-1e9, 1e9), 8000, "nobody"),
    MetricSpec("down", "", "lower", (-1e9, 1e9), 8000, "nobody"),
)
FACTS = {"evil": "</script><img src=x onerror=alert(1)>"}
RUN = Run(
    "r1", "2026-01-02T03:04:05", "1.2", 1, {"channels": "mono"}, 7, "cpu", "tiny", "ab" * 32,
    CODECS, METRICS, facts=FACTS,
)  # fmt: skip


def tone(hertz: float, seconds: float = SECONDS) -> Audio:
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return Audio((0.4 * np.sin(2 * np.pi * hertz * time_s)).astype(np.float32)[None], RATE_HZ)


def open_clip(opened: Any, name: str) -> None:
    """Open the players of a clip on the page."""
    opened.locator(".opener", has_text=name).click()
    opened.wait_for_selector(".clip.open .signal")


def run_with_audio(path: Path, condition: str = "") -> RunFolder:
    """Three clips through three codecs, one coding failed, one score undefined.

    With a condition the codecs but the first are there under it, too."""
    tones, specs = TONES_HZ, CODECS
    if condition:
        specs += tuple(spec.under(condition) for spec in CODECS[1:])
        tones = TONES_HZ | {f"{name}+{condition}": 220.0 for name in list(TONES_HZ)[1:]}
    source = path / "tone.flac"
    write_flac(source, tone(440.0))
    clip = Clip(
        "", source, sha256_of_file(source), RATE_HZ, 1, round(SECONDS * RATE_HZ),
        transcript="a <b>tone</b>",
    )  # fmt: skip
    clips = [
        replace(clip, id=id_, domain="music" if id_ == "set/c" else "speech", cluster=f"k{i}")
        for i, id_ in enumerate(IDS)
    ]
    folder = RunFolder.create(path / "run", replace(RUN, codecs=specs), clips)
    for place, of in enumerate(clips):
        folder.append(_rows_of(folder, place, of, tones))
    return folder


def _rows_of(folder: RunFolder, place: int, clip: Clip,
             tones: Mapping[str, float]) -> Iterator[object]:  # fmt: skip
    id_ = clip.id
    for at, (codec, hertz) in enumerate(tones.items()):
        if (id_, codec) == ("set/c", "same"):
            yield Coded(id_, codec, "failed", "it <broke>", "music")
            continue
        path = folder.decoded_path(id_, codec)
        write_flac(path, tone(hertz))
        yield Coded(
            id_, codec, "ok", "", clip.domain, SECONDS, Bits(payload=1000 * max(1, 4 - at)),
            decoded=str(path.relative_to(folder.path)), decoded_rate_hz=RATE_HZ,
        )  # fmt: skip
        yield Score(id_, codec, "up", "1", "ok", 10.0 * at + place)
        undefined = (id_, codec) == ("set/b", "same")
        down = Score(id_, codec, "down", "1", "ok", 2.0 + at - place)
        nothing = Score(id_, codec, "down", "1", "undefined", None, "silent")
        yield nothing if undefined else down
