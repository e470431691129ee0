"""Bandwidth, loudness, peak and clipping of clips, measured once and remembered.

What was measured is kept in the cache by what was measured (digest of the file, start, length),
so that it holds wherever the file lies and whatever set it belongs to.
"""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from snacbench.settings import cache_folder
from snacbench.testsets.jsonlines import JsonLines
from snacbench.testsets.testset import TestSet
from snacbench.types import Clip, Measures

# Part of the files' names: measures of another version are not found.
_VERSION = 1
_FIELDS = {field.name for field in dataclasses.fields(Measures)}

Key = tuple[str, int, int]


def key_of(clip: Clip) -> Key:
    """Which samples a clip consists of."""
    return clip.sha256, clip.start, clip.num_samples


class MeasureCache:
    """Measures of the clips of any set, one file per corpus; use it in a ``with`` block."""

    def __init__(self) -> None:
        self._files: dict[str, JsonLines] = {}
        self._known: dict[str, dict[Key, Measures]] = {}
        self._open = ExitStack()
        self._lock = threading.Lock()

    def __enter__(self) -> MeasureCache:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def get(self, clip: Clip) -> Measures | None:
        """What was measured on a clip, if it was."""
        return self._of(_corpus_of(clip)).get(key_of(clip))

    def put(self, clip: Clip, measures: Measures) -> None:
        """Remember what was measured on a clip."""
        corpus = _corpus_of(clip)
        self._of(corpus)[key_of(clip)] = measures
        self._files[corpus].append({"of": key_of(clip), **dataclasses.asdict(measures)})

    def _of(self, corpus: str) -> dict[Key, Measures]:
        with self._lock:
            if corpus not in self._known:
                path = cache_folder() / "measures" / f"{_safe(corpus)}-v{_VERSION}.jsonl"
                lines = JsonLines(path, {"measures": _VERSION, "corpus": corpus})
                self._files[corpus] = self._open.enter_context(lines)
                self._known[corpus] = dict(_read(lines))
            return self._known[corpus]


def with_known_measures(test_set: TestSet) -> TestSet:
    """The set with what was measured on its clips before; nothing is read but the cache."""
    with MeasureCache() as cache:
        clips = tuple(
            clip if clip.measures else dataclasses.replace(clip, measures=cache.get(clip))
            for clip in test_set.clips
        )
    return dataclasses.replace(test_set, clips=clips)


def _read(lines: Iterable[dict[str, Any]]) -> Iterable[tuple[Key, Measures]]:
    for row in lines:
        of = row.pop("of", None)
        if set(row) == _FIELDS and isinstance(of, list) and len(of) == 3:
            yield (str(of[0]), int(of[1]), int(of[2])), Measures(**row)


def _corpus_of(clip: Clip) -> str:
    return clip.id.partition("/")[0]


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)[:80]
