"""ESC-50: two thousand environmental sounds of five seconds."""

from functools import partial

from snacbench.testsets.corpora.corpus import Corpus, Download, Layout

_LAYOUT = Layout(
    "ESC-50", ("ESC-50-master", "ESC-50", "ESC50"), "audio/<fold>-<source>-<take>-<class>.wav",
    "ESC-50-master/audio/1-100032-A-0.wav",
    # The second number is the recording on freesound.org that the clip was cut from (README).
    levels=("audio", r"(\d-(\d+)-[A-Z]-\d+)\.wav"),
)  # fmt: skip

CORPORA = Corpus(
    name="esc50", summary="environment, 44.1 kHz, 2.8 h, 50 classes, padded with digital silence",
    find=partial(_LAYOUT.find, spelt=str.upper, domain="environment", lossy_source=True),
    licence="CC-BY-NC-3.0",  # of ESC-10, a part of it, CC-BY-3.0
    where="https://github.com/karolpiczak/ESC-50, one archive of about 600 MB.",
    expected_files=2000,  # README of the repository
    downloads=(
        # An archive that GitHub makes of the branch: its bytes, and so its digest, may change.
        Download("https://github.com/karolpiczak/ESC-50/archive/master.zip"),
    ),
)  # fmt: skip
