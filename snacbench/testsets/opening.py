"""From what ``--data``, ``--root`` and the options of choice say to the clips of a test set."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from snacbench.errors import TestSetError, did_you_mean
from snacbench.testsets.corpora import corpora
from snacbench.testsets.folder import folder_set
from snacbench.testsets.index import corpus_set, joined
from snacbench.testsets.manifest import manifest_set
from snacbench.testsets.records import MeasureCache, Progress, Reading
from snacbench.testsets.roots import parse_roots, root_of
from snacbench.testsets.segments import MIN_LUFS, Draw, draw
from snacbench.testsets.testset import BrokenClip, TestSet, choose, make_clip, make_set
from snacbench.textfile import read_text
from snacbench.types import Domain

_LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")
_SONIC_PI = Path("/usr/share/sonic-pi/samples")
_SONIC_PI_MUSIC = ("bass_", "drum_", "guit_", "loop_")
_MIN_MUSIC_S = 4.0


# ---------------------------------------------------------------------------------- named sets


@dataclass(frozen=True)
class NamedSet:
    """A set that ``--data NAME`` opens: embedded, or installed by a package of Debian."""

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
    listed = root / "transcription"
    if not listed.is_file():
        raise _not_installed("debian-speech", root, "pocketsphinx-testdata")
    text = read_text(listed, noun="transcripts", refuse=TestSetError).text
    matches = (re.fullmatch(r"<s> (.*) </s> \((.*)\)", line.strip()) for line in text.splitlines())
    transcripts = {match[2]: match[1] for match in matches if match}
    clips = [
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
    ]
    return make_set("debian-speech", clips, origin=str(root))


def debian_music(root: Path = _SONIC_PI) -> TestSet:
    """Loops and instruments of 4 s and more, lossless 44.1 kHz, from ``sonic-pi-samples``.

    Raises
    ------
    TestSetError
        If the package is not installed.
    """
    if not root.is_dir():
        raise _not_installed("debian-music", root, "sonic-pi-samples")
    clips = [
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
    ]
    kept = [c for c in clips if isinstance(c, BrokenClip) or c.duration_s >= _MIN_MUSIC_S]
    return make_set("debian-music", kept, origin=str(root))


def _not_installed(name: str, root: Path, package: str) -> TestSetError:
    return TestSetError(
        f"{name} is not on this machine ({root} is missing); run: apt-get install {package}"
    )


NAMED_SETS = {
    entry.name: entry
    for entry in (
        NamedSet("quick", "embedded demonstration set, synthetic, three domains", quick),
        NamedSet("debian-speech", "LibriVox, 16 kHz (pocketsphinx-testdata)", debian_speech),
        NamedSet("debian-music", "loops, 44.1 kHz (sonic-pi-samples)", debian_music),
    )
}


# ------------------------------------------------------------------------------ composite sets


@dataclass(frozen=True)
class CompositeSet:
    """Corpora that ``--data NAME`` opens together, as a paper is written on them.

    Attributes
    ----------
    name, summary, citation : str
    parts : tuple of str
        Names of the corpora.
    draw : Draw
        How its authors draw segments; options of the command line change single numbers.
    """

    name: str
    summary: str
    citation: str
    parts: tuple[str, ...]
    draw: Draw


COMPOSITE_SETS = {
    entry.name: entry
    for entry in (
        CompositeSet(
            "dac-table3",
            "DAC paper, table 3: 1,000 segments of 10 s from each of DAPS (F10, M10), "
            "MUSDB18-HQ test, AudioSet eval",
            "R. Kumar et al., High-Fidelity Audio Compression with Improved RVQGAN, 2023",
            ("daps", "musdb18-hq", "audioset"),
            Draw(segments=1000, segment_s=10.0),
        ),
    )
}


# ------------------------------------------------------------------------------------- opening


@dataclass(frozen=True)
class Choice:
    """Which clips of a set to use; what is None is as the set has it.

    Attributes
    ----------
    segments : int or None
        Draw this many segments per domain.
    segment_s : float or None
        Their length; without `segments`, cut every longer clip to one segment.
    seed : int
        Of the draw.
    min_lufs : float
        Quieter segments are not drawn.
    limit : int or None
        At most this many clips per domain.
    """

    segments: int | None = None
    segment_s: float | None = None
    seed: int = 0
    min_lufs: float = MIN_LUFS
    limit: int | None = None

    def check(self) -> None:
        """Refuse numbers that make no sense.

        Raises
        ------
        TestSetError
            If a count is below 1 or a length not above 0.
        """
        if self.segment_s is not None and self.segment_s <= 0:
            raise TestSetError(f"--segment-s must be above 0, found {self.segment_s}")
        for option, number in (("--limit", self.limit), ("--segments", self.segments)):
            if number is not None and number < 1:
                raise TestSetError(f"{option} must be 1 or more, found {number}")


def set_names() -> list[str]:
    """Every name that ``--data`` takes."""
    return [*NAMED_SETS, *COMPOSITE_SETS, *corpora()]


def open_test_set(
    data: str,
    *,
    domain: Domain = "unknown",
    root: Sequence[str] = (),
    reading: Reading = Reading(),  # noqa: B008 - immutable
) -> TestSet:
    """Open ``--data``: a named set, a known corpus, a manifest (.csv), or a folder of audio files.

    Parameters
    ----------
    data : str
    domain : str
        Domain of clips for which neither manifest nor folder names tell one.
    root : sequence of str
        Where the files lie: ``DIR`` or ``CORPUS=DIR``.
    reading : Reading

    Raises
    ------
    TestSetError
        If there is no such set, it is not on this disk, or it holds no audio.
    """
    roots, known = parse_roots(root), corpora()
    path = Path(data).expanduser()
    if data in COMPOSITE_SETS:
        parts = [known[name] for name in COMPOSITE_SETS[data].parts]
        # Every root first: a missing one is said before an hour of hashing, not after it.
        places = [root_of(corpus, roots, alone=False) for corpus in parts]
        found = zip(parts, places, strict=True)
        return joined(data, [corpus_set(c, place, reading=reading) for c, place in found])
    if data in known:
        return corpus_set(known[data], root_of(known[data], roots), reading=reading)
    if path.suffix.lower() == ".csv" and path.is_file():
        return manifest_set(path, domain=domain, roots=roots, reading=reading)
    if roots:
        raise TestSetError(
            f"--root goes with a known corpus or a manifest, not with --data {data}; "
            f"corpora are {', '.join([*COMPOSITE_SETS, *known])}"
        )
    if data in NAMED_SETS:
        return NAMED_SETS[data].build()
    if path.is_dir():
        return folder_set(path, domain=domain, reading=reading)
    if path.is_file():
        raise TestSetError(
            f"--data {data} is a single file; expected a folder, a manifest (.csv) or one of "
            f"{', '.join(set_names())}"
        )
    raise TestSetError(
        f"--data {data}: no such folder, manifest or named set; {did_you_mean(data, set_names())}"
    )


def open_chosen(
    data: str,
    choice: Choice,
    *,
    domain: Domain = "unknown",
    root: Sequence[str] = (),
    progress: Progress | None = None,
) -> TestSet:
    """Open ``--data`` and choose: draw segments, or cut and limit clips.

    Segments are drawn as asked for, else as the set's authors draw them. Clips carry what was
    measured on them before.

    Raises
    ------
    TestSetError
        As `open_test_set`, or if a number makes no sense.
    """
    choice.check()
    test_set = open_test_set(data, domain=domain, root=root, reading=Reading(progress=progress))
    usual = COMPOSITE_SETS[data].draw if data in COMPOSITE_SETS else None
    if choice.segments is None and usual is None:
        chosen = choose(test_set, segment_s=choice.segment_s, limit=choice.limit)
    else:
        what = usual or Draw(segments=0)
        what = Draw(
            segments=choice.segments or what.segments,
            segment_s=choice.segment_s or what.segment_s,
            seed=choice.seed,
            min_lufs=choice.min_lufs,
        )
        chosen = choose(draw(test_set, what, progress=progress), limit=choice.limit)
    with MeasureCache() as cache:
        clips = tuple(
            clip if clip.measures else replace(clip, measures=cache.get(clip))
            for clip in chosen.clips
        )
    return replace(chosen, clips=clips)
