"""GTZAN: thousand excerpts of 30 s in ten genres, at 22.05 kHz."""

from functools import partial

from snacbench.testsets.corpora.corpus import Corpus, Layout

_GENRES = "blues|classical|country|disco|hiphop|jazz|metal|pop|reggae|rock"
_LAYOUT = Layout(
    "GTZAN", ("GTZAN", "Data", "genres", "genres_original"),
    "<genre>/<genre>.<n>.wav (or .au) in genres/ or genres_original/",
    "genres_original/blues/blues.00000.wav",
    levels=(_GENRES, rf"((?:{_GENRES})\.\d{{5}})\.(?:wav|au)"),
    inside=("genres_original", "genres", "."),
)  # fmt: skip


CORPORA = Corpus(
    name="gtzan", summary="music, 22.05 kHz, 8.3 h, ten genres, no licence stated",
    find=partial(_LAYOUT.find, spelt=str.lower, domain="music"),
    licence="none stated; excerpts of commercial recordings",
    where="The authors' host is gone (torchaudio notes it since October 2022); copies "
    "circulate, for example marsyas/gtzan on the hub.",
    expected_files=1000,  # the paper: 100 excerpts in each of ten genres
    expected_clusters=1000,
    known_corrupt={
        # Left out in every format, so that all copies give the same set.
        "jazz.00054": "the WAV file that circulates is truncated and cannot be decoded"
    },
)  # fmt: skip
