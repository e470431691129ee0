"""MUSDB18-HQ: full mixtures of the fifty test tracks, as uncompressed WAV."""

from functools import partial

from snacbench.testsets.corpora.corpus import Corpus, Download, Layout

_LAYOUT = Layout(
    "MUSDB18-HQ", ("musdb18hq", "musdb18-hq", "musdb18_hq", "MUSDB18HQ", "musdb"),
    "test/<track>/mixture.wav", "test/AM Contra - Heart Peripheral/mixture.wav",
    levels=("(.+)", r"mixture\.wav"), inside=("test",),
    advice="MUSDB18 in .stem.mp4 files is another edition, whose AAC coding ends at 16 kHz and "
    "would flatter codecs that do the same",
)  # fmt: skip
# Size as Zenodo states it, sha256 as in torchaudio.datasets.MUSDB_HQ.
_ARCHIVE = Download(
    "https://zenodo.org/records/3338373/files/musdb18hq.zip", 22_656_664_047,
    "baac80d0483c61d74b2e5f3be75fa557eec52898339e6aa45c1fa48833c5d21d",
)  # fmt: skip
CORPORA = Corpus(
    name="musdb18-hq", summary="music, 44.1 kHz stereo, 50 full tracks",
    find=partial(_LAYOUT.find, domain="music", lossy_source=False),
    # Zenodo record 3338373: for educational purposes; most tracks CC BY-NC-SA of MedleyDB.
    licence="non-commercial use only; licences per track, see the Zenodo record",
    where="Zenodo record 3338373 (https://zenodo.org/records/3338373), one archive of 23 GB.",
    expected_files=50,  # the dataset's page at sigsep.github.io: 100 training, 50 test tracks
    expected_clusters=50, downloads=(_ARCHIVE,),
)  # fmt: skip
