"""Whether the rows of a run agree with each other and with what ``run.json`` says of them."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from snacbench import rows
from snacbench.errors import StoreError
from snacbench.store.embeddings import embeddings_name
from snacbench.store.run_folder import ROW_FILES, RUN_FILE, RunFolder
from snacbench.types import Clip, set_sha256
from snacbench.units import bits_per_code


class Finding(NamedTuple):
    """Something that is not as it should be: in which file, what, and in which line of the file."""

    file: str
    text: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}{f', line {self.line}' if self.line else ''}: {self.text}"


def named(row: Mapping[str, Any]) -> str:
    """What a row is of: ``si_sdr of opus@14kbps on quick/a``."""
    metric, codec, clip = row.get("metric"), row.get("codec"), row.get("clip") or row.get("id")
    return (f"{metric} of " if metric else "") + " on ".join(filter(None, (codec, clip)))


class Consistency:
    """What contradicts itself in a run, `found`, what is `missing`, `counts` of rows by file."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder, self.run = folder, folder.run
        self.clips: dict[str, Clip | None] = {}  # None: a file that could not be read
        self.codecs = {spec.name: spec for spec in self.run.codecs}
        self.metrics = {spec.name: spec for spec in self.run.metrics}
        # Bits of codes by clip and codec, None: it failed; and of each stream as they are counted.
        self.coded: dict[tuple[str, str], int | None] = {}
        self.streams: dict[tuple[str, str], dict[int, int]] = {}
        self.scored: set[tuple[str, str, str]] = set()
        self.embeddings = set[str]()  # the files that rows name
        self.counts, self.found = Counter[str](), list[Finding]()
        for what, specs in (("codec", self.run.codecs), ("metric", self.run.metrics)):
            twice = (name for name, n in Counter(spec.name for spec in specs).items() if n > 1)
            self.found += [Finding(RUN_FILE, f"it has the {what} {name} twice") for name in twice]
        kind: type[Any]
        for kind, name in ROW_FILES.items():  # clips first, codings before what is made of them
            try:
                for row in folder.read(kind):
                    self.counts[name] += 1
                    texts = (f"{named(vars(row))}: {why}" for why in self._wrong(row))
                    self.found += [Finding(name, text, self.counts[name]) for text in texts]
            except StoreError as error:
                self.found.append(Finding(name, str(error).replace(f"{folder.path}/", "")))
        digest = set_sha256(clip for clip in self.clips.values() if clip)
        if digest != self.run.set_sha256:
            text = f"the clips have the digest {digest}, run.json says {self.run.set_sha256}"
            self.found.append(Finding(ROW_FILES[Clip], text))
        for of, bits in self.coded.items():
            if bits not in (None, counted := sum(self.streams.get(of, {}).values())):
                text = f"{of[1]} on {of[0]}: {counted} bits are counted, {bits} were spent on codes"
                self.found.append(Finding(ROW_FILES[rows.CodeHistogram], text))
        self.missing = list[Finding]()
        have = {(codec, metric) for _, codec, metric in self.scored}  # merged runs have some alone
        for clip, codec in product(self.clips, self.codecs):
            if (clip, codec) not in self.coded:
                text = f"{codec} on {clip}: neither coded nor failed"
                self.missing.append(Finding(ROW_FILES[rows.Coded], text))
            for metric, spec in self.metrics.items():
                needed = (codec, metric) in have or not self.run.request.merged
                if needed and (clip, codec, metric) not in self.scored:
                    file = ROW_FILES[rows.Embedded if spec.distance else rows.Score]
                    self.missing.append(Finding(file, f"{metric} of {codec} on {clip}: no score"))

    def _wrong(self, row: Any) -> Iterator[str]:
        if isinstance(row, Clip):
            if row.id in self.clips:
                yield "it is there twice"
            self.clips[row.id] = row
        elif isinstance(row, rows.Coded) and row.status == "failed" and row.duration_s is None:
            self.clips.setdefault(row.clip, None)
        known: dict[str, Mapping[str, Any]]
        known = {"clip": self.clips, "codec": self.codecs, "metric": self.metrics}
        names = ((what, getattr(row, what, "")) for what in known)
        strange = [f"{what} {name}" for what, name in names if name and name not in known[what]]
        if strange:
            yield f"the run has no {', no '.join(strange)}"
        elif isinstance(row, rows.Coded):
            yield from self._coding(row, self.clips[row.clip])
        elif isinstance(row, rows.CodeHistogram):
            sizes = dict(enumerate(s.codebook_size for s in self.codecs[row.codec].streams))
            size = row.codebook_size
            if sizes.get(row.stream) != size or row.codes[-1:].sum() >= size:
                yield f"stream {row.stream} has no codebook of {size} codes"
            else:  # of a clip that a killed process wrote twice, the last one counts
                counted = int(row.counts.sum()) * bits_per_code(size)
                self.streams.setdefault((row.clip, row.codec), {})[row.stream] = counted
        elif isinstance(row, rows.Score):
            digests = (row.reference, row.degraded) if isinstance(row, rows.Embedded) else ()
            needed = {embeddings_name(d) for d in digests if d or row.status == "ok"}
            self.embeddings |= needed
            for name in sorted(needed):
                if not (self.folder.path / name).is_file():
                    yield f"{name} is not there"
            if row.version == self.metrics[row.metric].version:  # earlier ones count no more
                yield from self._score(row)

    def _coding(self, row: rows.Coded, clip: Clip | None) -> Iterator[str]:
        bits, ok, of = row.bits or rows.Bits(), row.status == "ok", (row.clip, row.codec)
        if of in self.coded:
            yield "it is there twice"
        self.coded[of] = bits.codes if ok else None
        lasts_s, size = (clip.duration_s, clip.channels * clip.num_samples) if clip else (0, 0)
        elsewhere = row.channel_mode == rows.DECODED_ELSEWHERE
        if ok and not (row.decoded_sha256 and (row.bits or elsewhere)):
            yield "its status is ok, and it lacks bits or decoded_sha256"
        if ok and not math.isclose(row.duration_s or 0, lasts_s, rel_tol=1e-4):
            yield f"{row.duration_s} s were coded, the clip lasts {lasts_s} s"
        if bits.total > 100_000 + 64 * size or min(vars(bits).values()) < 0:  # twice its floats
            yield f"{bits.total} bits are no rate for {lasts_s} s"

    def _score(self, row: rows.Score) -> Iterator[str]:
        spec, ok, of = self.metrics[row.metric], row.status == "ok", (row.clip, row.codec)
        low, high = spec.range
        if (*of, row.metric) in self.scored:
            yield "it is there twice"
        self.scored.add((*of, row.metric))
        if ok and self.coded.get(of) is None:
            yield "it scores what was not coded"
        if (row.value is not None) != (ok and spec.distance is None):
            yield f"its status is {row.status}, its value {row.value}"
        elif row.value is not None and not low - 1e-6 <= row.value <= high + 1e-6:
            yield f"{row.value} is outside the metric's range, {spec.range}"
