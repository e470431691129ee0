"""Which metric to believe: those of a run beside ratings of its decodes, by rate and family."""

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

    def frame(self) -> "pd.DataFrame":
        """A line per group, scope and metric, with the fields of `Agreement`; `notes` in attrs."""
        found = pd.DataFrame(
            {"group": group, "scope": scope, "coefficient": self.coefficient, **asdict(one)}
            for group, scopes in self.groups.items()
            for scope, found in scopes.items()
            for one in found
        )
        found.attrs["notes"] = list(self.notes)
        return found

    def table(self, title: str = "Which metrics rank as listeners do") -> Table:
        """A row per group and metric, by the correlation over cells."""
        rows = []
        for group, scopes in self.groups.items():
            of = {scope: {one.metric: one for one in found} for scope, found in scopes.items()}
            for one in scopes["cells"]:
                cells = (_cell(of[scope][one.metric], scopes[scope]) for scope in LEAST)
                counts = (one.cells, one.items, one.conditions, one.listeners)
                told = [Cell(text=group), *cells, *map(Cell, map(float, counts))]
                rows.append(Row.of(one.metric, _COLUMNS, *told, group=group))
        notes = (
            f"{COEFFICIENTS[self.coefficient]} of each metric with mean ratings, turned so that 1 "
            f"is full agreement. Intervals: {100 * LEVEL:g} %, over other items, and listeners "
            "where there are several; the last over other conditions; none where leaving one out "
            "changes nothing, or leaves nothing to rank. Counts: of the first. Bold: the highest; "
            "*: shown to be below that (Holm's method over all pairs that share enough cells; not "
            "tested over conditions).",
            *(f"{note}." for note in self.notes),
        )
        return Table(title, _COLUMNS, tuple(rows), notes, "metric").lettered()


def _cell(one: Agreement, of_scope: Sequence[Agreement]) -> Cell:
    """As shown; best is, of several, what reads as the highest and is not shown to be below."""
    if one.value is None:
        return Cell(text="too few" if "few" in one.reason else "–", notes=(one.reason,))
    ends = Interval(one.value, one.low, one.high, LEVEL, one.cells, one.items, "")
    values = [other.value for other in of_scope if other.value is not None]
    mark: Mark | None = "significant" if one.below else None
    if not mark and len(values) > 1 and round(one.value, 2) == round(values[0], 2):
        mark = "best"
    return Cell(one.value, ends, one.cells, (mark,) if mark else ())


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
    are asked for. An item is a clip of the run by its `clip`, or where it has none by its own
    name, which is the clip's id or the end of that. Raises `UserError` if ratings are of several
    tests, the run lacks a metric, bands are wrong, or nothing rated is in it.
    """
    known, edges, notes = rows.clip_metrics, _bands(bands), list[str]()
    if not known:
        text = f"the run {rows.name} has no scores of clips; add some by 'snacbench score'"
        raise UserError(text)
    for m in metrics:
        if m not in known:
            raise UserError(f"the run has no scores of clips by {m!r}; {did_you_mean(m, known)}")
    matched = _matched(rows, ratings, notes, anchors=anchors)
    found = pd.DataFrame(matched, columns=["listener", "item", "clip", "codec", "score"])
    table = found.pivot_table("score", "listener", ["item", "clip", "codec"])
    if repeated := len(found) - int(table.count().sum()):
        notes.append(f"{repeated} ratings are a listener's further ones of a cell: means are taken")
    if len(table) == 1:
        notes.append("one listener, or means alone: intervals are over other items only")
    cells = table.columns.to_frame(index=False)
    codecs = {name: rows.codec(name) for name in cells["codec"].unique()}
    pairs = [(codecs[name], clip) for name, clip in zip(cells["codec"], cells["clip"], strict=True)]
    lower = {spec.name for spec in rows.run.metrics if spec.better == "lower"}
    scores = {}
    for m in metrics or known:
        there = [m in c.scores and c.coded["ok"][k] and c.scores[m]["ok"][k] for c, k in pairs]
        at = zip(pairs, there, strict=True)
        values = np.array([c.scores[m]["value"][k] if ok else np.nan for (c, k), ok in at])
        scores[m] = np.where(np.isfinite(values), -values if m in lower else values, np.nan)
        if lacking := int(np.isnan(scores[m]).sum()):
            notes.append(f"{m} has no finite score of {lacking} of the {len(cells)} rated cells")
    rates = dict[str, float | None]()
    for name, codec in codecs.items():
        coded = codec.coded[np.unique(cells["clip"][cells["codec"] == name])]
        rates[name] = kbps_of(coded[coded["ok"]]) or codec.spec.nominal_kbps
    kbps = cells["codec"].map(rates).astype(float).round(3)  # to a bit per second
    cells["band"] = ""
    for band, (low, high) in edges.items():
        cells.loc[(kbps >= low) & (kbps < high), "band"] = band
    if without := set(cells["codec"][cells["band"] == ""]):
        notes.append(f"in no band of rates, or of a rate that is not known: {_some(without)}")
    cells["family"] = [codec.spec.family for codec, _ in pairs]
    cells["domain"] = [rows.clips[clip].domain for _, clip in pairs]
    units = cluster_clips([rows.clips[clip].cluster or f"\0{clip}" for _, clip in pairs]).index
    item, codec_of = (np.unique(cells[k], return_inverse=True)[1] for k in ("item", "codec"))
    groups = dict[str, dict[Scope, list[Agreement]]]()
    for group, column, chosen in _groups(cells, by, list(edges)):
        of = Rated(np.where(chosen, table.to_numpy(), np.nan), scores, item, codec_of, units)
        key = f"{group} ({column})" if group in groups else group  # as of a family "speech"
        groups[key] = {scope: agreements(of, scope, coefficient) for scope in LEAST}
    return Validity(groups, coefficient, tuple(notes))


def _bands(text: str) -> dict[str, tuple[float, float]]:
    """Lowest rate of a band, and the rate below which it ends, in kbps."""
    found = dict[str, tuple[float, float]]()
    for part in text.split(","):
        told = re.fullmatch(r"\s*(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)?\s*", part)
        low, high = (float(told[1]), float(told[2] or "inf")) if told else (1.0, 0.0)
        if low >= high:
            raise UserError(f"--bands takes rates in kbps such as {BANDS}; found {part!r}")
        if any(low < end and start < high for start, end in found.values()):
            raise UserError(f"--bands takes bands that do not overlap, as {BANDS}; found {text!r}")
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
    codecs, clips, aside, screened, tests = (set[str]() for _ in range(5))
    rated = set[tuple[int, str]]()
    for r in ratings:
        named = r.clip or r.item
        number, spec = ids.get(named, ends.get(named)), specs.get(r.condition)
        tests.add(r.test)
        if r.condition == REFERENCE:
            continue
        if not r.kept:
            screened.add(r.listener)
        elif not anchors and (r.condition in RESERVED or (spec and spec.anchor)):
            aside.add(r.condition)
        elif spec is None:
            codecs.add(r.condition)
        elif number is None:
            clips.add(named)
        else:
            rated.add((number, r.condition))
            yield r.listener, f"{r.test}/{r.item}", number, r.condition, r.score
    asked = {name for name, spec in specs.items() if anchors or not spec.anchor}
    left_out = {
        "rated codecs left out (not in the run)": codecs,
        "rated clips left out (not in the run)": clips,
        "rated anchors left out (not asked for)": aside,
        "rated listeners left out (by screening)": screened,
        "codecs of the run have no rating": asked - {name for _, name in rated},
        "clips of the run have no rating": set(rows.ids) - {rows.ids[k] for k, _ in rated},
    }
    notes += [f"{len(names)} {what}: {_some(names)}" for what, names in left_out.items() if names]
    if len(tests) > 1:
        several = f"ratings are of several tests ({_some(tests)}), whose scales may differ"
        raise UserError(f"{several}; name one by --test")
    if not rated:
        what = f"no rating is of a clip and codec of the run {rows.name}"
        raise UserError(f"{what}: {'; '.join(notes)}")


def _groups(
    cells: "pd.DataFrame", by: Sequence[str], bands: list[str]
) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Each group's name, what it is a group by, and which cells are in it."""
    yield "all", "", np.ones(len(cells), bool)
    for column in by:
        there = set(cells[column]) - {""}
        names = [b for b in bands if b in there] if column == "band" else sorted(there)
        for name in names if cells[column].nunique() > 1 else ():
            yield name, column, (cells[column] == name).to_numpy()


def _some(names: Iterable[str]) -> str:
    first, more = sorted(names)[:_NAMED], len(set(names)) - _NAMED
    return ", ".join(first) + (f" and {more} more" if more > 0 else "")
