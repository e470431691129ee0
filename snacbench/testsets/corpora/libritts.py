"""LibriTTS test-clean: read speech at 24 kHz with normalised transcripts."""

from __future__ import annotations

from pathlib import Path

from snacbench.testsets.corpora.corpus import (
    Corpus,
    CorpusFile,
    Download,
    Layout,
    child,
    find_files,
    is_called,
    text_of,
)

_LAYOUT = Layout(
    "LibriTTS test-clean",
    ("LibriTTS",),
    "test-clean/<speaker>/<chapter>/<speaker>_<chapter>_<paragraph>_<sentence>.wav",
    "LibriTTS/test-clean/1089/134686/1089_134686_000001_000001.wav",
)
_RESTORED = ("LibriTTS_R", "LibriTTS-R")
_RESTORED_ADVICE = "LibriTTS-R is another corpus: a model has restored its speech"


def _find(root: Path) -> list[CorpusFile]:
    def make(path: Path, speaker: str, utterance: str) -> CorpusFile | None:
        if any(is_called(folder, _RESTORED) for folder in path.parents[2:4]):
            return None
        return CorpusFile(
            utterance,
            domain="speech",
            cluster=speaker,
            transcript=text_of(child(path.parent, f"{utterance}.normalized.txt")),
            lossy_source=True,  # cut from the MP3 files of LibriVox (catalogue of TensorFlow)
        )

    near = (root.resolve(), root.resolve().parent)
    restored = any(is_called(folder, _RESTORED) for folder in near) or any(
        (root / name).is_dir() for name in _RESTORED
    )
    levels = (r"(\d+)", r"\d+", r"(\d+_\d+_\d+_\d+)\.wav")
    advice = _RESTORED_ADVICE if restored else ""
    return find_files(root, _LAYOUT, make, *levels, inside=("test-clean",), advice=advice)


CORPUS = Corpus(
    name="libritts-test-clean",
    title="LibriTTS test-clean",
    summary="speech, 24 kHz, with normalised transcripts",
    find=_find,
    licence="CC-BY-4.0",
    citation="H. Zen et al., LibriTTS: A Corpus Derived from LibriSpeech for Text-to-Speech, "
    "Interspeech 2019",
    where="https://www.openslr.org/60",
    # Catalogue of TensorFlow Datasets; the number of speakers could not be checked.
    expected_files=4837,
    downloads=(
        # md5: openslr.org/60; sha256: torchaudio.datasets.LIBRITTS.
        Download(
            "https://www.openslr.org/resources/60/test-clean.tar.gz",
            size_bytes=1_230_670_113,
            sha256="234ea5b25859102a87024a4b9b86641f5b5aaaf1197335c95090cde04fe9a4f5",
            md5="7bed3bdb047c4c197f1ad3bc412db59f",
        ),
    ),
)
