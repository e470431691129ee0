"""FMA: music of the Free Music Archive as MP3; the test part of each of the four editions."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from snacbench.errors import TestSetError
from snacbench.later import pd
from snacbench.testsets.corpora.corpus import Corpus, CorpusFile, Download, Layout, child

# Less than 30 s of audio, or none: issue 8 of mdeff/fma, and for the medium edition the list in
# its wiki as others quote it. The large one has these and perhaps more; reading a file shows it.
_SHORT_IN_SMALL = ("098565", "098567", "098569", "099134", "108925", "133297")
_SHORT_IN_MEDIUM = (
    *_SHORT_IN_SMALL,
    *("001486", "005574", "065753", "080391", "098558", "098559", "098560", "098566"),
    *("098568", "098571", "105247", "108924", "126981", "127336", "143992"),
)


def _find(root: Path, edition: str) -> list[CorpusFile]:
    layout = Layout(
        f"FMA ({edition})", (edition,), f"{edition}/<nnn>/<track>.mp3 and fma_metadata/tracks.csv",
        f"{edition}/000/000002.mp3", levels=(r"\d+", r"(\d{6})\.mp3"), inside=(edition,),
    )  # fmt: skip

    found = layout.find(root, domain="music", lossy_source=True)
    audio = (root / found[0].path).parents[1]
    tables = (
        child(folder, *names)
        for folder in (audio, audio.parent, root, root.parent)
        for names in (("tracks.csv",), ("fma_metadata", "tracks.csv"))
    )
    table = next((path for path in tables if path is not None and path.is_file()), None)
    if table is None:
        raise layout.not_in(
            root, "tracks.csv of fma_metadata.zip, which says what the test part is, is not there"
        )
    try:
        # Two rows of header, the group of a column and its name; a third for the first one.
        names: list[Any] = list(pd.read_csv(table, header=[0, 1], nrows=0).columns)
        columns = [0, names.index(("set", "split")), names.index(("track", "license"))]
        rows = pd.read_csv(
            table, usecols=columns, header=None, skiprows=3, dtype=str, keep_default_na=False
        )[columns]
        licences = {
            track.zfill(6): licence
            for track, split, licence in rows.itertuples(index=False)
            if split == "test"
        }
    except (OSError, ValueError) as error:
        raise TestSetError(
            f"{table} is not the table of FMA ({error!r}); expected a header of two rows with "
            "set/split and track/license; unpack fma_metadata.zip again"
        ) from error
    kept = [replace(f, licence=licences[f.id] or None) for f in found if f.id in licences]
    if not kept:
        raise layout.not_in(root, f"no file there is of the test part that {table} lists")
    return kept


# The README of the repository states sizes in GiB only, and SHA-1.
_HOST = "https://os.unil.cloud.switch.ch/fma"
_METADATA = Download(f"{_HOST}/fma_metadata.zip", sha1="f0df49ffe5f2a6008d7dc83c6915b31835dfe733")


def _corpus(edition: str, what: str, short: tuple[str, ...], sha1: str = "") -> Corpus:
    return Corpus(
        name=edition.replace("_", "-"),
        summary=f"music, MP3, mostly 44.1 kHz stereo, {what}",
        find=partial(_find, edition=edition),
        licence="Creative Commons licences, per track",
        where="https://github.com/mdeff/fma: the archive of the edition, and fma_metadata.zip.",
        # How many tracks of an edition are of the test part is stated nowhere that could be
        # checked: tracks.csv alone knows.
        known_corrupt=dict.fromkeys(short, "less than 30 s of audio, or none"),
        downloads=(_METADATA, Download(f"{_HOST}/{edition}.zip", sha1=sha1)) if sha1 else (),
    )


CORPORA = (
    _corpus(
        "fma_small", "clips of 30 s", _SHORT_IN_SMALL, "ade154f733639d52e35e32f5593efe5be76c6d70"
    ),
    _corpus(
        "fma_medium", "clips of 30 s", _SHORT_IN_MEDIUM, "c67b69ea232021025fca9231fc1c7c1a063ab50b"
    ),
    _corpus(
        "fma_large", "clips of 30 s", _SHORT_IN_MEDIUM, "497109f4dd721066b5ce5e5f250ec604dc78939e"
    ),
    # 879 GiB: nothing to fetch by mistake.
    _corpus("fma_full", "whole tracks, not cut", ()),
)
