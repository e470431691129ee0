"""VCTK 0.92: studio speech of 110 speakers at 48 kHz, first microphone, all speakers.

The corpus has no official test part, so every speaker is here; a paper that holds some out says
which, and so must its manifest. The first microphone (a DPA 4035) is complete for every speaker;
the second lacks p280 and p315. The texts of p315 were lost, so its clips have no transcript.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from snacbench.testsets.corpora._tree import Layout, child, files_in, folders_in, locate, text_of
from snacbench.testsets.corpora.corpus import Corpus, CorpusFile, Download

_AUDIO = "wav48_silence_trimmed"
_LAYOUT = Layout(
    "VCTK 0.92",
    ("VCTK-Corpus-0.92", "VCTK"),
    f"{_AUDIO}/<speaker>/<speaker>_<n>_mic1.flac and txt/<speaker>/<speaker>_<n>.txt",
    f"VCTK-Corpus-0.92/{_AUDIO}/p225/p225_001_mic1.flac",
)
_OLD_EDITION = (
    "wav48/<speaker>/<speaker>_<n>.wav is VCTK 0.80, which keeps long silences and one microphone; "
    "get version 0.92"
)
_NAME = re.compile(r"((?:p|s)\d+_\d+)_mic1\.(?:flac|wav)", re.IGNORECASE)


def find(root: Path) -> Iterator[CorpusFile]:
    """Every utterance of every speaker, from the first microphone.

    Raises
    ------
    TestSetError
        If the root is not VCTK 0.92; the older edition is recognised and told apart.
    """
    advice = _OLD_EDITION if _has_old_edition(root) else ""
    return iter(locate(root, _LAYOUT, partial(_utterances, root), advice=advice))


def _utterances(root: Path, folder: Path) -> list[CorpusFile] | None:
    audio = child(folder, _AUDIO)
    if audio is None or not audio.is_dir():
        return None
    texts = child(folder, "txt")
    found = [
        CorpusFile(
            id=utterance,
            path=(speaker / name).relative_to(root).as_posix(),
            domain="speech",
            cluster=speaker.name.lower(),
            transcript=transcript,
            lossy_source=False,
        )
        for speaker in folders_in(audio)
        for utterance, name, transcript in _of_speaker(speaker, texts)
    ]
    return sorted(found, key=lambda file: file.id) or None


def _of_speaker(speaker: Path, texts: Path | None) -> Iterator[tuple[str, str, str | None]]:
    place = child(texts, speaker.name) if texts is not None else None
    written = {} if place is None else {name.lower(): name for name in files_in(place, (".txt",))}
    for name in files_in(speaker, (".flac", ".wav")):
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        utterance = match[1].lower()
        text = written.get(f"{utterance}.txt")
        yield utterance, name, text_of(place / text) or None if place and text else None


def _has_old_edition(root: Path) -> bool:
    return root.is_dir() and any(child(f, "wav48") for f in (root, *folders_in(root)))


CORPUS = Corpus(
    name="vctk",
    title="CSTR VCTK Corpus 0.92, microphone 1, all speakers",
    summary="speech, 48 kHz, 110 speakers, with transcripts",
    find=find,
    licence="CC-BY-4.0",  # licence text of DataShare item 10283/3443; older copies say ODC-By
    citation="J. Yamagishi, C. Veaux, K. MacDonald, CSTR VCTK Corpus: English Multi-speaker "
    "Corpus for CSTR Voice Cloning Toolkit (version 0.92), 2019, doi:10.7488/ds/2645",
    where="https://datashare.ed.ac.uk/handle/10283/3443, one archive of 11 GB.",
    # Files of the first microphone: no figure of the publisher; p362 lacks some.
    expected_clusters=110,  # description of the DataShare item
    downloads=(
        # Size and md5 as DataShare states them; sha256: torchaudio.datasets.VCTK_092.
        Download(
            "https://datashare.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip",
            size_bytes=11_747_302_977,
            sha256="f96258be9fdc2cbff6559541aae7ea4f59df3fcaf5cf963aae5ca647357e359c",
            md5="8a6ba2946b36fcbef0212cad601f4bfa",
        ),
    ),
)
