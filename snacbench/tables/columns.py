"""What tables need of a run's rows, as columns of numbers: some fifty bytes per row.

Where a row was written twice, by a process that was killed between two files, the last counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snacbench.rate.entropy import CodebookEntropy, codebook_entropy
from snacbench.rows import Coded, CodedBytes, CodeHistogram, Delay, Speed
from snacbench.store.folder import RunFolder
from snacbench.tables.coders import WrittenBytes
from snacbench.tables.counts import ALL_DOMAINS, CodeCounts
from snacbench.types import DOMAINS, CodecSpec

__all__ = ["ALL_DOMAINS", "CodecColumns", "ScoreRows"]

_CODED = [
    ("known", "?"), ("ok", "?"), ("domain", "u1"), ("unit", "u1"),
    ("duration_s", "f8"), ("bits", "f8"), ("side_info_bits", "f8"),
]  # fmt: skip
_SCORE = [("ok", "?"), ("undefined", "?"), ("skipped", "?"), ("failed", "?"), ("value", "f8")]
_DELAY = [("known", "?"), ("found", "?"), ("inverted", "?"), ("own_lag_s", "f8")]

Cells = NDArray[Any]


@dataclass(frozen=True, eq=False)
class ScoreRows:
    """What one metric gave for one codec, a cell per row, in the order of the rows.

    Attributes
    ----------
    clip : array of int, shape (rows,)
        Numbers of the clips.
    ok, undefined, skipped : array of bool, shape (rows,)
    value : array of float, shape (rows,)
        NaN where not `ok`.
    """

    clip: Cells
    ok: Cells
    undefined: Cells
    skipped: Cells
    value: Cells


class CodecColumns:
    """Of one codec a cell per clip: how it was coded, and what each metric gave.

    Clips are known by a number. What is not known of a coding is NaN.

    Attributes
    ----------
    coded : structured array, shape (clips,)
    delays : structured array, shape (clips,)
        How late each decode comes.
    scores : mapping from metric to structured array, shape (clips,)
    counts : CodeCounts
        Of the codes, see `counted` for whether they are complete.
    written : WrittenBytes
        By entropy coders.
    speed : Speed or None
        None: not measured.
    """

    def __init__(self, spec: CodecSpec) -> None:
        self.spec = spec
        self.coded: Cells = np.zeros(0, _CODED)
        self.delays: Cells = np.zeros(0, _DELAY)
        self.scores: dict[str, Cells] = {}
        self.counts = CodeCounts([stream.codebook_size for stream in spec.streams])
        self.written = WrittenBytes(len(spec.streams))
        self.speed: Speed | None = None
        self._counted_at: Cells = np.zeros((0, len(spec.streams)), np.int64)
        self._folder: RunFolder | None = None

    def take_coded(self, clip: int, row: Coded, unit: int = 0) -> None:
        """Enter how a clip was coded; `unit` is the one of `units` that it belongs to."""
        self.coded = _with_room_for(clip, self.coded)
        bits = row.bits
        self.coded[clip] = (
            True,
            row.status == "ok",
            DOMAINS.index(row.domain),
            unit,
            row.duration_s or 0.0,
            *((np.nan, np.nan) if bits is None else (bits.total, bits.side_info)),
        )

    def take_delay(self, clip: int, row: Delay) -> None:
        """Enter how late the decode of a clip comes."""
        self.delays = _with_room_for(clip, self.delays)
        own_lag_s = np.nan if row.own_lag_s is None else row.own_lag_s
        self.delays[clip] = (True, row.found, row.inverted, own_lag_s)

    def take_scores(self, metric: str, rows: ScoreRows) -> None:
        """Enter what a metric gave; of two rows of a clip the last counts."""
        if not len(rows.clip):
            return
        cells = self.scores.get(metric, np.zeros(0, _SCORE))
        cells = _with_room_for(int(rows.clip.max()), cells)
        cells["ok"][rows.clip] = rows.ok
        cells["undefined"][rows.clip] = rows.undefined
        cells["skipped"][rows.clip] = rows.skipped
        cells["failed"][rows.clip] = ~(rows.ok | rows.undefined | rows.skipped)
        cells["value"][rows.clip] = np.where(rows.ok, rows.value, np.nan)
        self.scores[metric] = cells

    def take_histogram(self, clip: int, row: CodeHistogram, place: int, folder: RunFolder) -> None:
        """Add how often codes occurred in a clip, once: an earlier row of it is taken out again.

        `place` is where the row begins in its file.
        """
        if clip >= len(self.coded) or not self.coded["ok"][clip]:
            return
        self._counted_at, self._folder = _with_room_for(clip, self._counted_at), folder
        unit = (int(self.coded["domain"][clip]), int(self.coded["unit"][clip]))
        before = int(self._counted_at[clip, row.stream])
        if before:
            (earlier,) = folder.read_at(CodeHistogram, [before - 1])
            self.counts.add(unit, earlier, -1)
        self.counts.add(unit, row)
        self._counted_at[clip, row.stream] = place + 1  # 0: never

    def take_written(self, clip: int, row: CodedBytes) -> None:
        """Enter what an entropy coder wrote for a clip."""
        if clip < len(self.coded) and self.coded["ok"][clip]:
            self.written.take(clip, row)

    def tried(self, domain: str) -> Cells:
        """Numbers of the clips of a domain that were coded, or failed to be."""
        known = self.coded["known"]
        if domain != ALL_DOMAINS:
            known = known & (self.coded["domain"] == DOMAINS.index(domain))
        return np.flatnonzero(known)

    def ok(self, domain: str) -> Cells:
        """Numbers of the clips of a domain that were coded."""
        tried = self.tried(domain)
        return np.asarray(tried[self.coded["ok"][tried]])

    def counted(self, domain: str) -> bool:
        """Whether there are streams, and the codes of every coded clip of a domain were counted."""
        clips = self.ok(domain)
        counted = self._counted_at[clips[clips < len(self._counted_at)]]
        return bool(self.spec.streams and len(counted) == len(clips) > 0 and np.all(counted))

    def entropies(self, domain: str, clips: Cells | None = None) -> tuple[CodebookEntropy, ...]:
        """Entropy per codebook over the clips of a domain, or over some of them.

        Empty for codecs without codebooks, and where the codes of a clip were not counted.
        """
        if not self.counted(domain):
            return ()
        counted = self.ok(domain)
        pooled = self.counts.pooled(domain)
        left_out = () if clips is None else np.setdiff1d(counted, clips)
        for clip in left_out:
            for counts, place in zip(pooled, self._counted_at[clip].tolist(), strict=True):
                assert self._folder
                (row,) = self._folder.read_at(CodeHistogram, [place - 1])
                counts[row.codes] -= row.counts
        used = len(counted) - len(left_out)
        return tuple(codebook_entropy(counts, clips=used) for counts in pooled)


def _with_room_for(clip: int, cells: Cells) -> Cells:
    """The same cells, and as many again wherever there are too few."""
    if clip < len(cells):
        return cells
    more = max(clip + 1 - len(cells), len(cells), 64)
    return np.concatenate([cells, np.zeros((more, *cells.shape[1:]), cells.dtype)])
