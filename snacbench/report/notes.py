"""What a reader must know before believing the page, and how its run was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from snacbench.rows import Coded, Run, Score
from snacbench.store.folder import RunFolder
from snacbench.store.rows import to_jsonable
from snacbench.tables.columns import ALL_DOMAINS
from snacbench.tables.formats import notes as table_notes
from snacbench.tables.run import RunRows, actual_kbps_of
from snacbench.types import CodecSpec

_MOST_REASONS = 12
_VISQOL_AUDIO = "visqol_audio"
_VISQOL_AUDIO_LEAST_KBPS = 24.0  # what its model was trained on: docs/metrics.md


@dataclass(frozen=True)
class Trouble:
    """One kind of row without a number: how many, what, why, and the first clip concerned."""

    count: int
    status: str
    what: str
    reason: str
    example: str


def notes(rows: RunRows, *, about_sources: Sequence[str] = ()) -> list[str]:
    """Sentences on the numbers and, given `about_sources`, on the recordings."""
    return [*table_notes([rows]), *_outside_visqols_domain(rows), *about_sources]


def _outside_visqols_domain(rows: RunRows) -> Iterator[str]:
    below = [
        codec.spec.name
        for codec in rows.codecs
        if _VISQOL_AUDIO in codec.scores
        and (actual_kbps_of(codec, ALL_DOMAINS) or _VISQOL_AUDIO_LEAST_KBPS)
        < _VISQOL_AUDIO_LEAST_KBPS
    ]
    if below:
        yield (
            f"{_VISQOL_AUDIO} was trained on codecs at {_VISQOL_AUDIO_LEAST_KBPS:g} kbps and more; "
            f"outside of that domain here: {', '.join(below)}."
        )


def troubles(folder: RunFolder) -> list[Trouble]:
    """Failed codings and scores, and undefined scores, by reason, the most frequent first."""
    found: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], str] = {}
    for key, clip in _without_number(folder):
        found[key] += 1
        examples.setdefault(key, clip)
    ordered = sorted(found.items(), key=lambda item: (item[0][0] != "failed", -item[1]))
    return [Trouble(count, *key, examples[key]) for key, count in ordered[:_MOST_REASONS]]


def _without_number(folder: RunFolder) -> Iterator[tuple[tuple[str, str, str], str]]:
    for row in folder.read_not_ok(Coded):
        if row.status != "ok":
            yield (row.status, f"coding with {row.codec}", row.reason), row.clip
    for score in folder.read_not_ok(Score):
        if score.status in ("failed", "undefined"):
            what = f"{score.metric} of {score.codec}"
            yield (score.status, what, score.reason), score.clip


def provenance(run: Run) -> dict[str, dict[str, str]]:
    """How the run was made: group -> label -> text."""
    told: dict[str, object] = to_jsonable(run.request)
    asked = {name: _words(value) for name, value in told.items() if value not in (None, [])}
    return {
        "Run": {
            "id": run.id,
            "started": run.started_utc,
            "snacbench": run.snacbench_version,
            "test set": run.test_set,
            "sha256 of the set": run.set_sha256,
            "seed": str(run.seed),
            "device": run.device,
        },
        "Request": asked,
        "Codecs": {spec.name: _weights(spec) for spec in run.codecs},
        "Metrics": {
            m.name: f"version {m.version}, {m.implementation}; {m.citation}" for m in run.metrics
        },
        "Facts": dict(run.facts),
        "Packages": dict(run.packages),
        "Machine": dict(run.machine),
    }


def _weights(spec: CodecSpec) -> str:
    info = spec.weights
    if info.source == "none":
        return spec.citation
    digests = ", ".join(f"{name} {digest[:12]}" for name, digest in info.sha256.items())
    verified = {True: "verified", False: "differs from its pinned digest", None: ""}[info.verified]
    parts = (f"{info.source} weights", info.origin, info.revision, digests, verified)
    return "; ".join(part for part in parts if part)


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return str(value)
