"""Which metric to believe: those of a run beside ratings of its decodes, by rate and family."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from snacbench.errors import UserError, did_you_mean
from snacbench.forms import REFERENCE, RESERVED
from snacbench.later import pd
from snacbench.rows import ListenerScore
from snacbench.stats.clusters import cluster_clips
from snacbench.stats.intervals import LEVEL, Interval
from snacbench.stats.rank_agreement import LEAST, Agreement, Coefficient, Rated, Scope, agreements
from snacbench.tables.run_rows import RunRows, kbps_of
from snacbench.tables.table_model import Cell, Column, Mark, Row, Table

BANDS = "0-6,6-16,16-64,64-"
COEFFICIENTS: Mapping[Coefficient, str] = {"spearman": "Spearman's ρ", "kendall": "Kendall's τ"}
_NAMED = 5
_COLUMNS = (
    Column("group", "group", kind="text", show="never"),
    *(Column(scope.replace(" ", "_"), scope, kind="mean") for scope in LEAST),
    *(Column(f"rated_{noun}", noun, digits=0) for noun in ("cells", "items", "conditions")),
    Column("listeners", "listeners", digits=0),
)


@dataclass(frozen=True)
class Validity:
    """What came of it: group of cells -> scope -> every metric, the best first.

    Groups are ``all``, and where there are several, rate bands, families of codecs and domains.
    `notes` say what was left out, in sentences without a stop.
    """

    groups: Mapping[str, Mapping[Scope, Sequence[Agreement]]]
    coefficient: Coefficient
    notes: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """A line per group, scope and metric, with the fields of `Agreement`."""
        return pd.DataFrame(
            {"group": group, "scope": scope, "coefficient": self.coefficient, **asdict(one)}
            for group, scopes in self.groups.items()
            for scope, found in scopes.items()
            for one in found
        )

    def table(self, title: str = "Which metrics rank as listeners do") -> Table:
        """A row per group and metric, by the correlation over cells."""
        rows = []
        for group, scopes in self.groups.items():
            of = {scope: {one.metric: one for one in found} for scope, found in scopes.items()}
            for one in scopes["cells"]:
                cells = (_cell(of[scope][one.metric], scopes[scope][0]) for scope in LEAST)
                counts = (one.cells, one.items, one.conditions, one.listeners)
                told = [Cell(text=group), *cells, *map(Cell, map(float, counts))]
                rows.append(Row.of(one.metric, _COLUMNS, *told, group=group))
        notes = (
            f"{COEFFICIENTS[self.coefficient]} of each metric with mean ratings, turned so that 1 "
            f"is full agreement. Intervals: {100 * LEVEL:g} %, over other items and listeners; the "
            "last over other conditions. Bold: the highest; *: shown to be below that (Holm's "
            "method over all pairs; not tested over conditions).",
            *(f"{note}." for note in self.notes),
        )
        return Table(title, _COLUMNS, tuple(rows), notes, "metric").lettered()


def _cell(one: Agreement, best: Agreement) -> Cell:
    if one.value is None:
        return Cell(text="too few" if "few" in one.reason else "–", notes=(one.reason,))
    ends = Interval(one.value, one.low, one.high, LEVEL, one.cells, one.items, "")
    mark: Mark = "best" if one is best else "significant"
    return Cell(one.value, ends, one.cells, (mark,) if one is best or one.below else ())


def validity_of(  # noqa: PLR0913 - keyword-only choices of one analysis
    rows: RunRows,
    ratings: Iterable[ListenerScore],
    *,
    metrics: Sequence[str] = (),
    bands: str = BANDS,
    coefficient: Coefficient = "spearman",
    anchors: bool = False,
    by: Sequence[str] = ("band", "family", "domain"),
) -> Validity:
    """Compare metrics of a run, by default all, with ratings of its clips and codecs.

    Ratings count of listeners that were kept, and not of hidden references; of anchors where these
    are asked for. An item is a clip of the run by its `clip`, or else by its name or the end of
    that. Raises `UserError` if the run lacks a metric, bands are wrong, or nothing rated is in it.
    """
    known, edges, notes = rows.clip_metrics, _bands(bands), list[str]()
    for m in metrics:
        if m not in known:
            raise UserError(f"the run has no scores of clips by {m!r}; {did_you_mean(m, known)}")
    found = pd.DataFrame(
        _matched(rows, ratings, notes, anchors=anchors),
        columns=["listener", "item", "clip", "codec", "score"],
    )
    table = found.pivot_table("score", "listener", ["item", "clip", "codec"])
    cells = table.columns.to_frame(index=False)
    codecs = {name: rows.codec(name) for name in cells["codec"].unique()}
    pairs = [(codecs[name], clip) for name, clip in zip(cells["codec"], cells["clip"], strict=True)]
    lower = {spec.name for spec in rows.run.metrics if spec.better == "lower"}
    scores = {}
    for m in metrics or known:
        of = [c.scores[m][clip] if m in c.scores else None for c, clip in pairs]
        values = np.array([np.nan if one is None or not one["ok"] else one["value"] for one in of])
        scores[m] = np.where(np.isfinite(values), -values if m in lower else values, np.nan)
        if lacking := int(np.isnan(scores[m]).sum()):
            notes.append(f"{m} has no finite score of {lacking} of the {len(cells)} rated cells")
    rates = dict[str, float | None]()
    for name, codec in codecs.items():
        coded = codec.coded[np.unique(cells["clip"][cells["codec"] == name])]
        rates[name] = kbps_of(coded[coded["ok"]]) or codec.spec.nominal_kbps
    if without := [name for name, rate in rates.items() if rate is None]:
        notes.append(f"in no band of rates, as none is known: {_some(without)}")
    kbps = cells["codec"].map(rates).fillna(-1.0)
    cells["band"] = [
        next((k for k, (low, high) in edges.items() if low <= r < high), "") for r in kbps
    ]
    cells["family"] = [codec.spec.family for codec, _ in pairs]
    cells["domain"] = [rows.clips[clip].domain for _, clip in pairs]
    units = cluster_clips([rows.clips[clip].cluster or f"\0{clip}" for _, clip in pairs]).index
    item, codec_of = (np.unique(cells[k], return_inverse=True)[1] for k in ("item", "codec"))
    groups = {}
    for group, chosen in _groups(cells, by, list(edges)):
        of_group = np.where(chosen, table.to_numpy(), np.nan)
        groups[group] = {
            scope: agreements(Rated(of_group, scores, item, codec_of, units), scope, coefficient)
            for scope in LEAST
        }
    return Validity(groups, coefficient, tuple(notes))


def _bands(text: str) -> dict[str, tuple[float, float]]:
    """Lowest rate of a band, and the rate below which it ends, in kbps."""
    found = {}
    for part in text.split(","):
        told = re.fullmatch(r"\s*(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)?\s*", part)
        low, high = (float(told[1]), float(told[2] or "inf")) if told else (1.0, 0.0)
        if low >= high:
            raise UserError(f"--bands takes rates in kbps such as {BANDS}; found {part!r}")
        found[f"{low:g} kbps and more" if high == np.inf else f"{low:g}–{high:g} kbps"] = low, high
    return found


def _matched(
    rows: RunRows, ratings: Iterable[ListenerScore], notes: list[str], *, anchors: bool
) -> Iterator[tuple[str, str, int, str, float]]:
    """Listener, item, number of its clip, codec, and score; notes say what has none."""
    specs, ids = {c.spec.name: c.spec for c in rows.codecs}, {c: n for n, c in enumerate(rows.ids)}
    tails = [clip.rpartition("/")[2] for clip in ids]
    often = Counter(tails)
    ends = {tail: n for n, tail in enumerate(tails) if often[tail] == 1}
    gone: dict[str, set[str]] = {"codecs": set(), "clips": set(), "anchors": set()}
    matched = False
    for r in ratings:
        number, spec = ids.get(r.clip, ids.get(r.item, ends.get(r.item))), specs.get(r.condition)
        if not r.kept or r.condition == REFERENCE:
            continue
        if not anchors and (r.condition in RESERVED or (spec and spec.anchor)):
            gone["anchors"].add(r.condition)
        elif spec is None or number is None:
            gone["clips" if spec else "codecs"].add((r.clip or r.item) if spec else r.condition)
        else:
            matched = True
            yield r.listener, f"{r.test}/{r.item}", number, r.condition, r.score
    for what, names in gone.items():
        why = "not asked for" if what == "anchors" else "not in the run"
        notes += [f"{len(names)} rated {what} left out ({why}): {_some(names)}"] if names else []
    if not matched:
        told = "; ".join(notes) or "there are none"
        raise UserError(f"no rating is of a clip and codec of the run {rows.name}: {told}")


def _groups(
    cells: pd.DataFrame, by: Sequence[str], bands: list[str]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each group's name, and which cells are in it."""
    yield "all", np.ones(len(cells), bool)
    for column in by:
        there = set(cells[column]) - {""}
        names = [b for b in bands if b in there] if column == "band" else sorted(there)
        for name in names if cells[column].nunique() > 1 else ():
            yield name, (cells[column] == name).to_numpy()


def _some(names: Iterable[str]) -> str:
    first, more = sorted(names)[:_NAMED], len(set(names)) - _NAMED
    return ", ".join(first) + (f" and {more} more" if more > 0 else "")
