"""AudioSet, evaluation part: ten seconds each of some 20,000 videos.

The DAC paper takes all of it for "environment", speech and music included: its configuration names
the folder of the evaluation part and no labels. So it is here, that the table can be repeated.
"""

import re
from pathlib import Path
from typing import Any

from snacbench.testsets.corpora.corpus import Corpus, CorpusFile, Layout, child, matching

_LAYOUT = Layout(
    "AudioSet eval",
    ("audioset", "eval_segments", "eval", "audioset_eval", "audioset-eval"),
    "<id>.wav, <id>_<start>.wav or Y<id>.wav (or .flac) side by side",
    "eval_segments/--4gqARaEJE.wav",
)
_PLACES = (("eval_segments", "audio"), ("eval_segments",), ("audio", "eval"), ("eval",), ("audio",))
_NAME = r"(Y?)([\w-]{11})(?:_\d+(?:\.\d+)?){0,2}\.(?:flac|mp3|ogg|opus|wav)"


def _find(root: Path) -> list[CorpusFile]:
    def videos(folder: Path) -> dict[str, Path] | None:
        """File of each video; of one in several formats or spellings the first in order of names.

        The tools put the files at various depths.
        """
        found: dict[str, Path] = {}
        for place in (*(child(folder, *names) for names in _PLACES), folder):
            for path, (_, video) in matching(place, _NAME) if place and place.is_dir() else ():
                # An id may itself begin with a Y, and digits may belong to it: read plainly first.
                plain = re.fullmatch(_NAME.removeprefix("(Y?)"), path.name, re.IGNORECASE)
                found.setdefault(plain[1] if plain else video, path)
            if found:
                break
        return found or None

    found = sorted(_LAYOUT.locate(root, videos, any_child=False).items())
    facts: dict[str, Any] = {"domain": "environment", "lossy_source": True}
    return [
        CorpusFile(video, path.relative_to(root).as_posix(), cluster=video, **facts)
        for video, path in found
    ]


CORPORA = Corpus(
    name="audioset",
    summary="environment, mostly 44.1 and 48 kHz, 10 s each, all classes as in the DAC paper",
    find=_find,
    licence="labels CC-BY-4.0; the audio belongs to the uploaders of the videos",
    where="Segments and labels: https://research.google.com/audioset/download.html; the audio "
    "has to be fetched from the videos, of which more disappear each year.",
    # eval_segments.csv lists 20,371 segments of distinct videos; a copy of March 2023 has
    # 17,142 (card of agkphysics/AudioSet on the hub), so no number is complete.
)
