"""Named sets: the embedded one, and real recordings that any Debian machine can install."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from snacbench.errors import TestSetError
from snacbench.testsets.manifest import manifest_set
from snacbench.testsets.testset import BrokenClip, TestSet, make_clip, make_set
from snacbench.textfile import read_text
from snacbench.types import Clip

_LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")
_SONIC_PI = Path("/usr/share/sonic-pi/samples")
_SONIC_PI_MUSIC = ("bass_", "drum_", "guit_", "loop_")
_MIN_MUSIC_S = 4.0


@dataclass(frozen=True)
class NamedSet:
    """A set that ``--data NAME`` opens."""

    name: str
    summary: str
    build: Callable[[], TestSet]


def quick() -> TestSet:
    """The embedded demonstration set: synthetic speech, music and environment."""
    return manifest_set(Path(str(files(__package__))) / "quick" / "manifest.csv", name="quick")


def debian_speech(root: Path = _LIBRIVOX) -> TestSet:
    """LibriVox sentences with transcripts, 16 kHz, from Debian's ``pocketsphinx-testdata``.

    Raises
    ------
    TestSetError
        If the package is not installed.
    """
    if not (root / "transcription").is_file():
        raise TestSetError(_install("debian-speech", root, "pocketsphinx-testdata"))
    transcripts = dict(_librivox_transcripts(root / "transcription"))
    clips = (
        make_clip(
            f"debian-speech/{path.stem}",
            path,
            domain="speech",
            transcript=transcripts.get(path.stem),
            cluster=path.stem.rpartition("-")[0],
            licence="public domain (LibriVox)",
            lossy_source=True,  # LibriVox publishes MP3
        )
        for path in root.glob("*.wav")
    )
    return make_set("debian-speech", clips, origin=str(root))


def _librivox_transcripts(path: Path) -> Iterator[tuple[str, str]]:
    for line in read_text(path, noun="transcripts", refuse=TestSetError).text.splitlines():
        if found := re.fullmatch(r"<s> (.*) </s> \((.*)\)", line.strip()):
            yield found[2], found[1]


def debian_music(root: Path = _SONIC_PI) -> TestSet:
    """Loops and instruments, lossless 44.1 kHz, from Debian's ``sonic-pi-samples``.

    Raises
    ------
    TestSetError
        If the package is not installed.
    """
    if not root.is_dir():
        raise TestSetError(_install("debian-music", root, "sonic-pi-samples"))
    clips = (
        make_clip(
            f"debian-music/{path.stem}",
            path,
            domain="music",
            cluster=path.stem,
            licence="CC0-1.0",
            lossy_source=False,
        )
        for path in root.glob("*.flac")
        if path.name.startswith(_SONIC_PI_MUSIC)
    )
    long_enough = (c for c in clips if isinstance(c, BrokenClip) or _is_long(c))
    return make_set("debian-music", long_enough, origin=str(root))


def _is_long(clip: Clip) -> bool:
    return clip.duration_s >= _MIN_MUSIC_S


def _install(name: str, root: Path, package: str) -> str:
    return f"{name} is not on this machine ({root} is missing); run: apt-get install {package}"


NAMED_SETS = {
    entry.name: entry
    for entry in (
        NamedSet("quick", "embedded demonstration set, synthetic, three domains", quick),
        NamedSet("debian-speech", "LibriVox, 16 kHz (pocketsphinx-testdata)", debian_speech),
        NamedSet("debian-music", "loops, 44.1 kHz (sonic-pi-samples)", debian_music),
    )
}
