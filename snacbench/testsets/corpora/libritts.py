"""LibriTTS test-clean: read speech at 24 kHz with normalised transcripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from snacbench.testsets.corpora._libri import utterances
from snacbench.testsets.corpora._tree import Layout, files_in, fold, locate, text_of
from snacbench.testsets.corpora.corpus import Corpus, CorpusFile, Download

_PART = "test-clean"
_LAYOUT = Layout(
    "LibriTTS test-clean",
    ("LibriTTS",),
    "test-clean/<speaker>/<chapter>/<speaker>_<chapter>_<paragraph>_<sentence>.wav",
    "LibriTTS/test-clean/1089/134686/1089_134686_000001_000001.wav",
)
_UTTERANCE = re.compile(r"(\d+_\d+_\d+_\d+)\.wav", re.IGNORECASE)
_RESTORED = {"libritts_r", "libritts-r"}
_RESTORED_ADVICE = "LibriTTS-R is another corpus: a model has restored its speech"


def find(root: Path) -> Iterator[CorpusFile]:
    """Every utterance, with the text of its ``.normalized.txt``.

    Raises
    ------
    TestSetError
        If the root is not LibriTTS; LibriTTS-R is recognised and told apart.
    """
    advice = _RESTORED_ADVICE if _is_restored(root) or _holds_restored(root) else ""
    return iter(locate(root, _LAYOUT, lambda folder: _of_folder(root, folder), advice=advice))


def _of_folder(root: Path, folder: Path) -> list[CorpusFile] | None:
    return None if _is_restored(folder) else utterances(root, folder, _PART, _chapter)


def _chapter(folder: Path) -> Iterator[tuple[str, str, str | None]]:
    names = files_in(folder, (".wav", ".normalized.txt"))
    texts = {name.lower(): name for name in names if name.lower().endswith(".txt")}
    for name in names:
        if match := _UTTERANCE.fullmatch(name):
            text = texts.get(f"{match[1]}.normalized.txt")
            yield match[1], name, text_of(folder / text) or None if text else None


def _is_restored(folder: Path) -> bool:
    real = folder.resolve()
    return bool(_RESTORED & {fold(real.name), fold(real.parent.name)})


def _holds_restored(root: Path) -> bool:
    return root.is_dir() and any((root / name).is_dir() for name in ("LibriTTS_R", "LibriTTS-R"))


CORPUS = Corpus(
    name="libritts-test-clean",
    title="LibriTTS test-clean",
    summary="speech, 24 kHz, with normalised transcripts",
    find=find,
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
