"""From what ``--data``, ``--root`` and the options of choice say to the clips of a test set."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from snacbench.errors import TestSetError, did_you_mean
from snacbench.plugins import left_out
from snacbench.progress import Progress
from snacbench.testsets.corpora import corpora
from snacbench.testsets.folder import corpus_set, folder_set
from snacbench.testsets.records import AS_USUAL, Reading
from snacbench.testsets.roots import parse_roots, root_of
from snacbench.testsets.segments import Choice, draw
from snacbench.testsets.testset import BrokenClip, TestSet, choose, clip_of, joined, make_set
from snacbench.textfile import read_text
from snacbench.types import Domain

_LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")
_SONIC_PI = Path("/usr/share/sonic-pi/samples")


class NamedSet(NamedTuple):
    """A set that ``--data NAME`` opens: embedded, or installed by a package of Debian."""

    summary: str
    build: Callable[[], TestSet]


def quick() -> TestSet:
    """The embedded demonstration set: synthetic speech, music and environment."""
    from snacbench.testsets.manifest import manifest_set  # loads pydantic

    return manifest_set(Path(str(files(__package__))) / "quick" / "manifest.csv", name="quick")


def debian_speech(root: Path = _LIBRIVOX) -> TestSet:
    """LibriVox sentences with transcripts, 16 kHz, from Debian's ``pocketsphinx-testdata``.

    Raises `TestSetError` if the package is not installed.
    """
    paths = _installed(root, "*.wav", "pocketsphinx-testdata")
    text = read_text(root / "transcription", noun="transcripts", refuse=TestSetError).text
    transcripts = {name: said for said, name in re.findall(r"<s> (.*) </s> \((.*)\)", text)}
    facts: dict[str, Any] = {"domain": "speech", "licence": "public domain (LibriVox)"}
    facts |= {"language": "en", "lossy_source": True}  # LibriVox publishes MP3
    clips = []
    for path in paths:
        facts |= {"transcript": transcripts.get(path.stem), "cluster": path.stem.rpartition("-")[0]}
        clips.append(clip_of(f"debian-speech/{path.stem}", path, **facts))
    return make_set("debian-speech", clips, origin=str(root))


def debian_music(root: Path = _SONIC_PI) -> TestSet:
    """Loops and instruments of 4 s and more, lossless 44.1 kHz, from ``sonic-pi-samples``.

    Raises `TestSetError` if the package is not installed.
    """
    facts: dict[str, Any] = {"domain": "music", "licence": "CC0-1.0", "lossy_source": False}
    clips = [
        clip_of(f"debian-music/{path.stem}", path, cluster=path.stem, **facts)
        for path in _installed(root, "*.flac", "sonic-pi-samples")
        if path.name.startswith(("bass_", "drum_", "guit_", "loop_"))
    ]
    kept = [c for c in clips if isinstance(c, BrokenClip) or c.duration_s >= 4.0]
    return make_set("debian-music", kept, origin=str(root))


def _installed(root: Path, pattern: str, package: str) -> list[Path]:
    if not root.is_dir():
        raise TestSetError(f"{root} is not on this machine; run: apt-get install {package}")
    return sorted(root.glob(pattern))


NAMED_SETS = {
    "quick": NamedSet("embedded demonstration set, synthetic, three domains", quick),
    "debian-speech": NamedSet("LibriVox, 16 kHz (pocketsphinx-testdata)", debian_speech),
    "debian-music": NamedSet("loops, 44.1 kHz (sonic-pi-samples)", debian_music),
}


class CompositeSet(NamedTuple):
    """Corpora that ``--data NAME`` opens together, as a paper is written on them.

    `parts` are names of corpora; `segments` is how many of 10 s the paper's authors draw of each
    domain, if the command line says nothing else.
    """

    summary: str
    parts: tuple[str, ...]
    segments: int


COMPOSITE_SETS = {
    # R. Kumar et al., High-Fidelity Audio Compression with Improved RVQGAN, 2023
    "dac-table3": CompositeSet(
        "DAC paper, table 3: 1,000 segments of 10 s from each of DAPS (F10, M10), MUSDB18-HQ test, "
        "AudioSet eval",
        ("daps", "musdb18-hq", "audioset"),
        1000,
    )
}


def set_names() -> list[str]:
    """Every name that ``--data`` takes."""
    return [*NAMED_SETS, *COMPOSITE_SETS, *corpora()]


def open_test_set(
    data: str, *, domain: Domain = "unknown", root: Sequence[str] = (), reading: Reading = AS_USUAL
) -> TestSet:
    """Open ``--data``: a named set, a known corpus, a manifest (.csv), or a folder of audio files.

    `domain` is that of clips for which neither manifest nor folder names tell one, `root` where the
    files lie: ``DIR`` or ``CORPUS=DIR``. Raises `TestSetError` if there is no such set, it is not
    on this disk, or it holds no audio.
    """
    from snacbench.testsets.manifest import manifest_set  # loads pydantic

    roots, known = parse_roots(root), corpora()
    path = Path(data).expanduser()
    if data in COMPOSITE_SETS:
        parts = [known[name] for name in COMPOSITE_SETS[data].parts]
        # Every root first: a missing one is said before an hour of hashing, not after it.
        places = [(corpus, root_of(corpus, roots, alone=False)) for corpus in parts]
        return joined(data, [corpus_set(c, place, reading=reading) for c, place in places])
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
    what = "a single file" if path.is_file() else "no such folder, manifest or named set"
    text = f"--data {data}: {what}; {did_you_mean(data, set_names())}{left_out('corpora')}"
    raise TestSetError(text)


def open_chosen(
    data: str,
    choice: Choice,
    *,
    domain: Domain = "unknown",
    root: Sequence[str] = (),
    progress: Progress | None = None,
) -> TestSet:
    """Open ``--data`` and choose: draw segments, or cut and limit clips.

    Segments are drawn as asked for, else as the set's authors draw them. Raises as `open_test_set`.
    """
    chosen = open_test_set(data, domain=domain, root=root, reading=Reading(progress=progress))
    usual = COMPOSITE_SETS[data].segments if data in COMPOSITE_SETS else None
    if segments := choice.segments or usual:
        drawn = draw(chosen, replace(choice, segments=segments), progress=progress)
        return choose(drawn, limit=choice.limit)
    return choose(chosen, segment_s=choice.segment_s, limit=choice.limit)
