"""VCTK 0.92: studio speech of 110 speakers at 48 kHz, first microphone, all speakers."""

from functools import partial
from pathlib import Path

from snacbench.testsets.corpora import corpus

_AUDIO = "wav48_silence_trimmed"
_LAYOUT = corpus.Layout(
    "VCTK 0.92",
    ("VCTK-Corpus-0.92", "VCTK"),
    f"{_AUDIO}/<speaker>/<speaker>_<n>_mic1.flac and txt/<speaker>/<speaker>_<n>.txt",
    f"VCTK-Corpus-0.92/{_AUDIO}/p225/p225_001_mic1.flac",
    levels=(_AUDIO, "(.+)", r"((?:p|s)\d+_\d+)_mic1\.(?:flac|wav)"),
    advice="wav48/<speaker>/<speaker>_<n>.wav is VCTK 0.80, which keeps long silences and one "
    "microphone",
)


def _make(path: Path, speaker: str, utterance: str) -> corpus.CorpusFile:
    text = corpus.child(path.parents[2], "txt", path.parent.name, f"{utterance}.txt")
    speakers = corpus.child(path.parents[2], "speaker-info.txt")  # columns ID, AGE, GENDER, ...
    told, who = corpus.text_of(text), speaker.lower()
    gender = corpus.genders_in(speakers, 2).get(who, "")
    return corpus.CorpusFile(
        utterance.lower(), cluster=who, transcript=told, speaker=who, gender=gender
    )


# Size as DataShare states it; sha256: torchaudio.datasets.VCTK_092.
_ARCHIVE = corpus.Download(
    "https://datashare.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip", 11_747_302_977,
    "f96258be9fdc2cbff6559541aae7ea4f59df3fcaf5cf963aae5ca647357e359c",
)  # fmt: skip
CORPORA = corpus.Corpus(
    name="vctk",
    summary="speech, 48 kHz, 110 speakers, with transcripts",
    find=partial(_LAYOUT.find, make=_make, domain="speech", lossy_source=False, language="en"),
    licence="CC-BY-4.0",  # licence text of DataShare item 10283/3443; older copies say ODC-By
    where="https://datashare.ed.ac.uk/handle/10283/3443, one archive of 11 GB.",
    # Files of the first microphone: no figure of the publisher; p362 lacks some.
    expected_clusters=110,  # description of the DataShare item
    downloads=(_ARCHIVE,),
)
