"""DAPS: twenty speakers read five scripts in a studio; F10 and M10 are DAC's test speakers.

The archive holds 15 versions of every recording: three from the studio (``cleanraw`` as recorded,
``clean`` with noises and breaths cut out, ``produced`` with effects) and twelve played back in
rooms and recorded again on a tablet or a telephone. Which of them the tables of the DAC paper rest
on could not be established: its script ``organize_daps.py`` holds out these two speakers and takes
all versions unless told otherwise. A codec's reference should be a good recording, so ``daps`` is
the clean version; ``daps-all`` is what that script does by default, and ``daps-cleanraw`` is what
the Vocos demonstration uses. A recording lasts minutes and its folder holds no text, so
`transcript` stays None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from snacbench.testsets.corpora._tree import Layout, child, files_in, folders_in, locate
from snacbench.testsets.corpora.corpus import Corpus, CorpusFile, Download

_TEST_SPEAKERS = {"F10", "M10"}  # scripts/organize_daps.py of DAC
_SCRIPTS = 5
_VERSIONS = 15  # 3 professional and 12 device versions: description of the dataset
_NAME = re.compile(r"([fm]\d+)_script(\d+)_(\w+)\.wav", re.IGNORECASE)


def _find(root: Path, version: str | None) -> Iterator[CorpusFile]:
    shown = version or "clean"
    layout = Layout(
        "DAPS" + (f" ({version})" if version else ""),
        ("daps",),
        f"{version or '<version>'}/<speaker>_script<n>_{version or '<version>'}.wav of F10 and M10",
        f"daps/{shown}/f10_script1_{shown}.wav",
    )
    found = locate(root, layout, partial(_recordings, root, version))
    return iter(sorted(found, key=lambda file: file.id))


def _recordings(root: Path, version: str | None, folder: Path) -> list[CorpusFile] | None:
    if version is None:
        versions = folders_in(folder)
    else:
        only = child(folder, version)
        versions = [only] if only is not None and only.is_dir() else []
    found = [
        file for place in versions for file in _of_version(root, place, prefix=version is None)
    ]
    return found or None


def _of_version(root: Path, place: Path, *, prefix: bool) -> Iterator[CorpusFile]:
    version = place.name.lower()
    for name in files_in(place, (".wav",)):
        match = _NAME.fullmatch(name)
        if match is None or match[3].lower() != version:
            continue
        speaker = match[1].upper()
        if speaker in _TEST_SPEAKERS:
            yield CorpusFile(
                id=(f"{version}/" if prefix else "") + f"{speaker}/script{match[2]}",
                path=(place / name).relative_to(root).as_posix(),
                domain="speech",
                cluster=speaker,
                lossy_source=False,
            )


def _corpus(name: str, version: str | None, what: str, *, versions: int = 1) -> Corpus:
    find: Callable[[Path], Iterator[CorpusFile]] = partial(_find, version=version)
    return Corpus(
        name=name,
        title=f"DAPS (Device and Produced Speech), speakers F10 and M10, {what}",
        summary=f"speech, 44.1 kHz, two speakers, {what}",
        find=find,
        licence="CC-BY-NC-4.0",  # Zenodo record 4660670
        citation="G. J. Mysore, Can We Automatically Transform Speech Recorded on Common Consumer "
        "Devices in Real-World Environments into Professional Production Quality Speech?, "
        "IEEE Signal Processing Letters 22(8), 2015",
        where="Zenodo record 4660670 (https://zenodo.org/records/4660670), one archive of 16 GB.",
        # Two speakers times five scripts, in each version.
        expected_files=len(_TEST_SPEAKERS) * _SCRIPTS * versions,
        expected_clusters=len(_TEST_SPEAKERS),
        downloads=(
            # Size and md5 as Zenodo states them for daps.tar.gz.
            Download(
                "https://zenodo.org/records/4660670/files/daps.tar.gz",
                size_bytes=16_055_782_487,
                md5="303c130b7ce2e02b59c7ca5cd595a89c",
            ),
        ),
    )


CORPORA = (
    _corpus("daps", "clean", "edited studio recordings"),
    _corpus("daps-cleanraw", "cleanraw", "studio recordings as recorded"),
    _corpus("daps-all", None, "all 15 versions, studio and devices", versions=_VERSIONS),
)
