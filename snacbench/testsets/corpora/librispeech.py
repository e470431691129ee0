"""LibriSpeech: read speech at 16 kHz with transcripts; the two test parts."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from snacbench.testsets.corpora.corpus import (
    Corpus,
    CorpusFile,
    Download,
    Layout,
    find_files,
    matching,
    text_of,
)

_EXAMPLES = {"test-clean": ("61", "70968"), "test-other": ("367", "130732")}


def _find(root: Path, part: str) -> list[CorpusFile]:
    speaker, chapter = _EXAMPLES[part]
    layout = Layout(
        f"LibriSpeech {part}",
        ("LibriSpeech",),
        f"{part}/<speaker>/<chapter>/<speaker>-<chapter>-<n>.flac",
        f"LibriSpeech/{part}/{speaker}/{chapter}/{speaker}-{chapter}-0000.flac",
    )

    @cache
    def texts(chapter: Path) -> dict[str, str]:
        files = [text_of(path) or "" for path, _ in matching(chapter, r".+\.trans\.txt")]
        lines = [line.partition(" ") for text in files for line in text.splitlines()]
        return {utterance: text for utterance, _, text in lines}

    def make(path: Path, speaker: str, utterance: str) -> CorpusFile:
        return CorpusFile(
            utterance,
            domain="speech",
            cluster=speaker,
            transcript=texts(path.parent).get(utterance) or None,
            lossy_source=True,  # cut from the MP3 files of LibriVox
        )

    levels = (r"(\d+)", r"\d+", r"(\d+-\d+-\d+)\.flac")
    return find_files(root, layout, make, *levels, inside=(part,))


def _corpus(part: str, hours: str, files: int, speakers: int, download: Download) -> Corpus:
    return Corpus(
        name=f"librispeech-{part}",
        title=f"LibriSpeech {part}",
        summary=f"speech, 16 kHz, {hours} h, {speakers} speakers, with transcripts",
        find=partial(_find, part=part),
        licence="CC-BY-4.0",
        citation="V. Panayotov et al., LibriSpeech: An ASR Corpus Based on Public Domain Audio "
        "Books, ICASSP 2015",
        where="https://www.openslr.org/12",
        expected_files=files,
        expected_clusters=speakers,
        downloads=(download,),
    )


# Hours and speakers: the paper, table 1. Utterances: card of openslr/librispeech_asr on the hub.
# md5: openslr.org/resources/12/md5sum.txt; sha256: torchaudio.datasets.LIBRISPEECH.
CORPORA = (
    _corpus(
        "test-clean",
        "5.4",
        2620,
        40,
        Download(
            "https://www.openslr.org/resources/12/test-clean.tar.gz",
            size_bytes=346_663_984,
            sha256="39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23",
            md5="32fa31d27d2e1cad72775fee3f4849a9",
        ),
    ),
    _corpus(
        "test-other",
        "5.1",
        2939,
        33,
        Download(
            "https://www.openslr.org/resources/12/test-other.tar.gz",
            size_bytes=328_757_843,
            sha256="d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29",
            md5="fb5a50374b501bb3bac4815ee91d3135",
        ),
    ),
)
