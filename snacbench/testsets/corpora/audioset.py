"""AudioSet, evaluation part: ten seconds each of some 20,000 videos.

The DAC paper takes all of it for "environment", speech and music included: its configuration names
the folder of the evaluation part and no labels. ``audioset`` does the same, so that the table can
be repeated. ``audioset-environment`` leaves out what is labelled as speech, singing or music, and
so needs the two tables that Google publishes.

Everybody downloads AudioSet alone, and each tool has its own names: ``<id>.wav``,
``<id>_<start>.wav``, ``<id>_<start>_<end>.wav``, each also with a ``Y`` before the id (which can
begin with a hyphen). An id has eleven characters. Sound from videos is always lossy.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from snacbench.errors import TestSetError
from snacbench.testsets.corpora.corpus import Corpus, CorpusFile, Layout, child, matching
from snacbench.textfile import read_records

_LAYOUT = Layout(
    "AudioSet eval",
    ("audioset", "eval_segments", "eval", "audioset_eval", "audioset-eval"),
    "<id>.wav, <id>_<start>.wav or Y<id>.wav (or .flac) side by side",
    "eval_segments/--4gqARaEJE.wav",
)
_PLACES = (("eval_segments", "audio"), ("eval_segments",), ("audio", "eval"), ("eval",), ("audio",))
_NAME = r"(Y?)([\w-]{11})(?:_\d+(?:\.\d+)?){0,2}\.(?:flac|mp3|ogg|opus|wav)"
_SEGMENTS = "eval_segments.csv"
_CLASSES = "class_labels_indices.csv"
# First and last class of each family: the table is in the order of the ontology.
_SPEECH_AND_MUSIC = (
    ("Speech", "Speech synthesizer"),
    ("Singing", "Humming"),
    ("Music", "Scary music"),
)


def _find(root: Path, *, environment: bool) -> list[CorpusFile]:
    def audio_folder(folder: Path) -> Path | None:
        """The tools put the files at various depths."""
        places = [child(folder, *names) for names in _PLACES] + [folder]
        return next((p for p in places if p is not None and p.is_dir() and _paths(p)), None)

    audio = _LAYOUT.locate(root, audio_folder, any_child=False)
    folders = (audio, audio.parent, audio.parent.parent, root, root.parent)
    segments, classes = (
        next((folder / name for folder in folders if (folder / name).is_file()), None)
        for name in (_SEGMENTS, _CLASSES)
    )
    labels = None
    if segments:
        lines = _rows(segments, 4)
        labels = {row[0]: set(row[3].split(",")) for row in lines if row[0][:1] != "#"}
        if not labels:
            raise TestSetError(
                f"{segments} lists no segment; expected lines like '--4gqARaEJE, 0.000, 10.000, "
                '"/m/068hy,/m/07q6cd_"\'; fetch it again'
            )
    if environment:
        if labels is None or classes is None:
            raise TestSetError(
                f"{root} has not both {_SEGMENTS} and {_CLASSES}, without which nobody knows what "
                "is speech or music; put both beside the audio (research.google.com/audioset), or "
                "take --data audioset, which leaves nothing out"
            )
        rows = _rows(classes, 3)
        names = [row[2] for row in rows]
        try:
            spans = [(names.index(first), names.index(last)) for first, last in _SPEECH_AND_MUSIC]
        except ValueError as error:
            raise TestSetError(
                f"{classes} is not the list of AudioSet's classes ({error}); expected columns "
                "index, mid and display_name; fetch it again"
            ) from error
        unwanted = {row[1] for first, last in spans for row in rows[first : last + 1]}
        labels = {video: have for video, have in labels.items() if not have & unwanted}
    found = [
        CorpusFile(
            video,
            path.relative_to(root).as_posix(),
            domain="environment",
            cluster=video,
            lossy_source=True,
        )
        for video, path in sorted(_paths(audio).items())
        if labels is None or video in labels
    ]
    if not found:
        raise _LAYOUT.not_in(root, f"none of the files in {audio} is listed in {_SEGMENTS}")
    return found


def _paths(folder: Path) -> dict[str, Path]:
    """File of each video; of one in several formats or spellings the first in order of names."""
    found: dict[str, Path] = {}
    for path, (_, video) in matching(folder, _NAME):
        # An id may itself begin with a Y, and digits may belong to it: the plain reading first.
        plain = re.fullmatch(_NAME.removeprefix("(Y?)"), path.name, re.IGNORECASE)
        found.setdefault(plain[1] if plain else video, path)
    return found


def _rows(table: Path, width: int) -> list[list[str]]:
    records, _ = read_records(table, noun="table", refuse=TestSetError, separator=",")
    cells = ([cell.strip() for cell in record.cells] for record in records)
    return [row for row in cells if len(row) == width]


def _corpus(name: str, what: str, *, environment: bool) -> Corpus:
    return Corpus(
        name=name,
        summary=f"environment, mostly 44.1 and 48 kHz, 10 s each, {what}",
        find=partial(_find, environment=environment),
        licence="labels CC-BY-4.0; the audio belongs to the uploaders of the videos",
        where="Segments and labels: https://research.google.com/audioset/download.html; the audio "
        "has to be fetched from the videos, of which more disappear each year.",
        # eval_segments.csv lists 20,371 segments of distinct videos; a copy of March 2023 has
        # 17,142 (card of agkphysics/AudioSet on the hub), so no number is complete.
    )


CORPORA = (
    _corpus("audioset", "all classes as in the DAC paper", environment=False),
    _corpus("audioset-environment", "without speech, singing and music", environment=True),
)
