"""LibriSpeech at 16 kHz and LibriTTS at 24 kHz: read speech with transcripts; the test parts.

Both are cut from the MP3 files of LibriVox: their source is lossy.
"""

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from snacbench.testsets.corpora import corpus


def _file(path: Path, speaker: str, utterance: str, transcript: str | None) -> corpus.CorpusFile:
    table = corpus.child(path.parents[3], "SPEAKERS.TXT")  # beside the parts
    gender = corpus.genders_in(table, 1, "|").get(speaker, "")
    return corpus.CorpusFile(
        utterance, cluster=speaker, transcript=transcript or None, speaker=speaker, gender=gender
    )


# That LibriTTS is lossy: catalogue of TensorFlow Datasets.
_FACTS: dict[str, Any] = {"domain": "speech", "lossy_source": True, "language": "en"}


@lru_cache(maxsize=1)  # asked for each file of a chapter
def _texts(chapter: Path) -> dict[str, str]:
    files = [corpus.text_of(path) or "" for path, _ in corpus.matching(chapter, r".+\.trans\.txt")]
    lines = [line.partition(" ") for text in files for line in text.splitlines()]
    return {utterance: text for utterance, _, text in lines}


def _make(path: Path, speaker: str, utterance: str) -> corpus.CorpusFile:
    return _file(path, speaker, utterance, _texts(path.parent).get(utterance))


_TTS = corpus.Layout(
    "LibriTTS test-clean", ("LibriTTS",),
    "test-clean/<speaker>/<chapter>/<speaker>_<chapter>_<paragraph>_<sentence>.wav",
    "LibriTTS/test-clean/1089/134686/1089_134686_000001_000001.wav",
    levels=(r"(\d+)", r"\d+", r"(\d+_\d+_\d+_\d+)\.wav"), inside=("test-clean",),
    advice="LibriTTS-R is another corpus: a model has restored its speech",
)  # fmt: skip


def _make_tts(path: Path, speaker: str, utterance: str) -> corpus.CorpusFile | None:
    if any(corpus.is_called(folder, ("LibriTTS_R", "LibriTTS-R")) for folder in path.parents[2:4]):
        return None
    text = corpus.text_of(corpus.child(path.parent, f"{utterance}.normalized.txt"))
    return _file(path, speaker, utterance, text)


def _corpus(
    part: str, first: str, summary: str, complete: tuple[int, int], archive: corpus.Download
) -> corpus.Corpus:
    layout = corpus.Layout(
        f"LibriSpeech {part}", ("LibriSpeech",),
        f"{part}/<speaker>/<chapter>/<speaker>-<chapter>-<n>.flac",
        f"LibriSpeech/{part}/{first.replace('-', '/')}/{first}-0000.flac",
        levels=(r"(\d+)", r"\d+", r"(\d+-\d+-\d+)\.flac"), inside=(part,),
    )  # fmt: skip
    return corpus.Corpus(
        name=f"librispeech-{part}", summary=f"speech, 16 kHz, {summary}, with transcripts",
        find=partial(layout.find, make=_make, **_FACTS), licence="CC-BY-4.0",
        where="https://www.openslr.org/12", expected_files=complete[0],
        expected_clusters=complete[1], downloads=(archive,),
    )  # fmt: skip


# Hours and speakers: the paper, table 1. Utterances: card of openslr/librispeech_asr on the hub.
# sha256: torchaudio.datasets.LIBRISPEECH.
_CLEAN = corpus.Download(
    "https://www.openslr.org/resources/12/test-clean.tar.gz", 346_663_984,
    "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23",
)  # fmt: skip
_OTHER = corpus.Download(
    "https://www.openslr.org/resources/12/test-other.tar.gz", 328_757_843,
    "d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29",
)  # fmt: skip
# sha256: torchaudio.datasets.LIBRITTS.
_TTS_CLEAN = corpus.Download(
    "https://www.openslr.org/resources/60/test-clean.tar.gz", 1_230_670_113,
    "234ea5b25859102a87024a4b9b86641f5b5aaaf1197335c95090cde04fe9a4f5",
)  # fmt: skip
CORPORA = (
    _corpus("test-clean", "61-70968", "5.4 h, 40 speakers", (2620, 40), _CLEAN),
    _corpus("test-other", "367-130732", "5.1 h, 33 speakers", (2939, 33), _OTHER),
    corpus.Corpus(
        name="libritts-test-clean", summary="speech, 24 kHz, with normalised transcripts",
        find=partial(_TTS.find, make=_make_tts, **_FACTS), licence="CC-BY-4.0",
        where="https://www.openslr.org/60",
        # Catalogue of TensorFlow Datasets; the number of speakers could not be checked.
        expected_files=4837, downloads=(_TTS_CLEAN,),
    ),
)  # fmt: skip
