"""What of a run is on disk, kept in a few hundred bytes per clip."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from snacbench.rows import ClipMeasures, Coded, Delay, Embedded, Score
from snacbench.store.run_folder import RunFolder
from snacbench.types import CodecSpec, MetricSpec

_NOWHERE = -1


@dataclass(slots=True)
class _Clip:
    """Of one clip: where each codec's row begins, and which metrics have scored that codec.

    `delayed` tells for each codec whether its decode's delay is known.
    """

    coded_at: "array[int]"
    scored: bytearray
    delayed: bytearray
    measured: bool = False


class Ledger:
    """Which rows of a run are on disk; rows that are appended through it are entered.

    `worked` names the codecs that have coded a clip; `failures` has for each why it failed before
    it first did. Elsewhere here a clip counts as coded if its codec has failed, too.
    """

    def __init__(
        self, folder: RunFolder, codecs: Sequence[CodecSpec], metrics: Sequence[MetricSpec]
    ) -> None:
        self.folder = folder
        self.worked: set[str] = set()
        self.failures: dict[str, list[str]] = {}
        self._codecs = {spec.name: index for index, spec in enumerate(codecs)}
        self._metrics = {(m.name, m.version): index for index, m in enumerate(metrics)}
        self._clips: dict[str, _Clip] = {}
        for place, coded in folder.read_placed(Coded):
            self._enter(coded, place)
        kind: type[Score | Delay | ClipMeasures]
        for kind in (Score, Embedded, Delay, ClipMeasures):
            for row in folder.read(kind):
                self._enter(row, _NOWHERE)

    def append(self, rows: Iterable[object]) -> None:
        """Append rows to the run's files, and enter them."""
        written = list(rows)
        for row, place in zip(written, self.folder.append(written), strict=True):
            if isinstance(row, Coded | Score | Delay | ClipMeasures):
                self._enter(row, place)

    def clips(self) -> Iterator[str]:
        """Ids of the clips of which there is a row."""
        return iter(self._clips)

    def is_coded(self, clip: str, codec: str) -> bool:
        """Whether a codec has coded a clip."""
        found = self._clips.get(clip)
        return found is not None and found.coded_at[self._codecs[codec]] != _NOWHERE

    def is_coded_by_any(self, clip: str) -> bool:
        """Whether some codec has coded a clip."""
        return any(self.is_coded(clip, codec) for codec in self._codecs)

    def is_coded_by_all(self, clip: str) -> bool:
        """Whether every codec has coded a clip."""
        return clip in self._clips and _NOWHERE not in self._clips[clip].coded_at

    def lacks_scores(self, clip: str) -> bool:
        """Whether a codec has coded the clip and a metric has not scored it."""
        return any(True for _ in self._lacking(clip))

    def unscored(self, clip: str) -> list[tuple[Coded, tuple[str, ...]]]:
        """Codings of a clip that lack scores, each with the names of the metrics it lacks."""
        lacking = list(self._lacking(clip))
        rows = self.folder.read_at(Coded, [place for place, _ in lacking]) if lacking else []
        return list(zip(rows, (names for _, names in lacking), strict=True))

    def is_measured(self, clip: str) -> bool:
        """Whether there is a row of the clip's own measures."""
        return clip in self._clips and self._clips[clip].measured

    def knows_delay(self, clip: str, codec: str) -> bool:
        """Whether there is a row of how late a codec's decode of a clip comes."""
        return clip in self._clips and bool(self._clips[clip].delayed[self._codecs[codec]])

    def _enter(self, row: Coded | Score | Delay | ClipMeasures, place: int) -> None:
        clip = self._clips.get(row.clip)
        if clip is None:
            nowhere = array("q", [_NOWHERE]) * len(self._codecs)
            scored = bytearray(len(self._codecs) * len(self._metrics))
            clip = _Clip(nowhere, scored, bytearray(len(self._codecs)))
            self._clips[row.clip] = clip
        if isinstance(row, ClipMeasures):
            clip.measured = True
        elif isinstance(row, Delay):
            clip.delayed[self._codecs[row.codec]] = True
        elif isinstance(row, Coded):
            clip.coded_at[self._codecs[row.codec]] = place
            failures = self.failures.setdefault(row.codec, [])
            if row.status == "ok":
                self.worked.add(row.codec)
            elif row.codec not in self.worked and len(failures) < 100:
                failures.append(row.reason)
        elif (metric := self._metrics.get((row.metric, row.version))) is not None:
            clip.scored[self._codecs[row.codec] * len(self._metrics) + metric] = True

    def _lacking(self, clip: str) -> Iterator[tuple[int, tuple[str, ...]]]:
        """For every codec that lacks scores: where its row begins, and the metrics' names."""
        if (found := self._clips.get(clip)) is None:
            return
        n = len(self._metrics)
        for codec, place in enumerate(found.coded_at):
            done = found.scored[codec * n : (codec + 1) * n]
            if place != _NOWHERE and not all(done):
                names = zip(self._metrics, done, strict=True)
                yield place, tuple(name for (name, _), scored in names if not scored)
