"""Making a report: everything that the page needs, into one folder, whole or not at all."""

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from snacbench import __version__
from snacbench.errors import StoreError, UserError
from snacbench.files import atomic, writing
from snacbench.forms import FORMS
from snacbench.plots._ratings import figures_of
from snacbench.plots.drawing import Plot, plots, to_draw, write_plots
from snacbench.plots.plot_data import Options as PlotOptions
from snacbench.plots.plot_data import PlotData
from snacbench.progress import Progress, Silent
from snacbench.report import players
from snacbench.rows import ListenerScore, ListeningSummary, Run
from snacbench.store.jsonl import to_jsonable
from snacbench.store.run_folder import RunFolder
from snacbench.tables.conditions import condition_notes, without_conditions
from snacbench.tables.footnotes import notes as table_notes
from snacbench.tables.from_runs import Options as TableOptions
from snacbench.tables.from_runs import tables_of
from snacbench.tables.listening_tables import listening_tables
from snacbench.tables.run_rows import ALL_DOMAINS, Grouping, RunRows, actual_kbps_of, scores_of
from snacbench.tables.table_model import Row, Table
from snacbench.tables.writers import html_fragment, to_csv
from snacbench.types import Floats

INDEX = "index.html"
STATIC_FILES = ("report.css", "report.js", "player.js")
_FILES = "snacbench.report", "files"

# A folder that can still be sent: of these 60 MB the pictures and scores take some 9.
_MOST_PREVIEW_BYTES = 49e6
_LEAST_PREVIEW_S = 5.0  # rather a larger folder than shorter previews
_CLIPS_UNDER_CONDITIONS = 3
_SHARE_OF_WORST = 3  # at most one clip in so many is there for being a codec's worst
_MOST_COLUMNS = 8  # metrics beside each other that a window of 1280 pixels shows
_VISQOL_AUDIO = "visqol_audio"
_VISQOL_AUDIO_LEAST_KBPS = 24.0  # what its model was trained on: docs/metrics.md
_FOR_EVERY_METRIC = "quality-rate"  # the other plots are drawn for the run's first metric
_ORDER = (
    _FOR_EVERY_METRIC, "domains", "robustness", "distribution", "differences", "codebooks",
    "tokens", "speed", "macs",
)  # fmt: skip


def build_report(  # noqa: PLR0913 - what can be chosen
    folder: RunFolder,
    target: Path,
    *,
    lossless: bool = False,
    clips: int,
    by: Grouping | None = None,
    about_sources: Sequence[str] = (),
    progress: Progress | None = None,
) -> Path:
    """Write the report of a run into a new folder, or in place of an older report; its page.

    So many clips get players, which play FLAC if `lossless`, else Opus at 130 kbps. Tables are also
    given of the groups of clips that are made `by` language, speaker, gender or corpus.
    `about_sources` are warnings about the recordings. What the report lacks is noted, and its size.
    A folder that holds something else, or cannot be written, is a `StoreError`.
    """
    if target.exists() and not target.is_dir():
        raise StoreError(f"{target} is a file; choose a folder for the report with -o")
    known = all((target / name).is_file() for name in (INDEX, *STATIC_FILES))
    if target.exists() and any(target.iterdir()) and not known:
        text = f"{target} is not empty and holds no report; choose a new or empty folder with -o"
        raise StoreError(text)
    rows, progress = RunRows.load(folder), progress or Silent()
    found = players.sources(folder) if folder.has_decoded else {}
    playable = {
        clip
        for clip, of in found.items()
        if any(row.decoded and (folder.path / row.decoded).is_file() for row in of.coded.values())
    }
    chosen = chosen_clips(rows, [clip for clip in rows.ids if clip in playable], clips)
    names = [codec.spec.name for codec in rows.codecs]
    plain = [codec.spec.name for codec in rows.codecs if not codec.spec.condition]
    # Points under conditions, which may be many, are played on few clips.
    under = {*np.linspace(0, len(chosen) - 1, min(len(chosen), _CLIPS_UNDER_CONDITIONS), dtype=int)}
    # Whole clips if they fit into a folder that can be sent, else as much of each as does.
    signals = len(chosen) * (len(plain) + 1) + len(under) * (len(names) - len(plain))
    fits_s = players.Preview.longest_within(_MOST_PREVIEW_BYTES, signals)
    durations_s = [clip.duration_s for id_ in chosen if (clip := found[id_].clip)]
    whole = lossless or max(durations_s, default=0) <= fits_s
    preview = players.Preview(lossless, float("inf") if whole else max(fits_s, _LEAST_PREVIEW_S))

    def write(number: int) -> dict[str, Any]:
        played = [name if number in under or name in plain else "" for name in names]
        of = found[chosen[number]]
        written = players.write_players(folder, partial, played, preview, number, of)
        progress.step("players")
        return written

    with writing(f"the report to {target}"), atomic(target) as partial:
        (partial / players.FOLDER).mkdir(parents=True)
        figures, problems = _write_figures(rows, partial)
        progress.begin("players", len(chosen))
        with ThreadPoolExecutor(os.cpu_count()) as threads:  # what takes long there is in C
            media = list(threads.map(write, range(len(chosen))))
        said = notes(rows, about_sources=about_sources)
        shown = {"preview": preview, "figures": figures, "notes": said}
        write_page(folder, rows, partial, dict(zip(chosen, media, strict=True)), by=by, shown=shown)
        size = sum(path.stat().st_size for path in partial.rglob("*") if path.is_file())
    problems += [problem for one in media for problem in one["problems"]]
    for problem in dict.fromkeys(problems):
        progress.note(problem, warning=True)
    progress.note(f"{len(chosen)} clips with players, {size / 1e6:.1f} MB")
    return target / INDEX


def chosen_clips(rows: RunRows, playable: Sequence[str], number: int) -> list[str]:
    """Ids of `number` clips in the run's order: the worst of each codec, then evenly by domain.

    A codec's worst clip is that of the first metric of the run.
    """
    if len(playable) <= number:
        return list(playable)
    worst: dict[str, None] = {}
    for metric in rows.clip_metrics[:1]:
        better = next((m.better for m in rows.run.metrics if m.name == metric), "higher")
        lowest = min if better == "higher" else max
        for values in scores_of(without_conditions([rows])[0], metric, ALL_DOMAINS).values():
            if known := {clip: value for clip, value in values.items() if clip in playable}:
                worst[lowest(known, key=known.__getitem__)] = None
    chosen = set(list(worst)[: number // _SHARE_OF_WORST])
    domains: dict[str, list[str]] = {}
    for clip in rows.clips:
        if clip.id in playable and clip.id not in chosen:
            domains.setdefault(clip.domain, []).append(clip.id)
    by_size = sorted(domains.values(), key=len)
    for index, clips in enumerate(by_size):
        count = min(len(clips), (number - len(chosen)) // (len(by_size) - index))
        chosen |= {clips[i] for i in np.linspace(0, len(clips) - 1, count).round().astype(int)}
    return [clip.id for clip in rows.clips if clip.id in chosen]


# ------------------------------------------------------------------------------------ the page
def write_page(  # noqa: PLR0913 - all that stands on it
    folder: RunFolder,
    rows: RunRows,
    target: Path,
    media: Mapping[str, Mapping[str, Any]],
    *,
    by: Grouping | None,
    shown: Mapping[str, Any],
) -> None:
    """Write the page of what is `shown`, of `media` by clip id, and tables; and its data."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    data = score_data(rows, {clip: number for number, clip in enumerate(media)})
    data |= {"media": list(media.values()), "preview": shown["preview"].label}
    (target / "data.js").write_text(f"snacbench.data({players.script_json(data)});\n", "utf-8")
    made = tables_of([rows], options=TableOptions(complete=True))
    grouped = tables_of([rows], options=TableOptions(by, ci=True)) if by else ()
    (target / "summary.csv").write_text(to_csv(made), "utf-8")
    for name in STATIC_FILES:
        text = resources.files(_FILES[0]).joinpath(_FILES[1], name).read_text("utf-8")
        (target / name).write_text(text, "utf-8")
    domains = {clip.id: clip.domain for clip in rows.clips}
    coded = [codec.coded[codec.tried(ALL_DOMAINS)] for codec in rows.codecs]
    longest_s = max((float(of["duration_s"][of["ok"]].sum()) for of in coded), default=0.0)
    plain, under = without_conditions([rows])[0][0].codecs, {c.spec.condition for c in rows.codecs}
    content = {
        **shown,
        **players.picture_scale(),
        "run": rows.run,
        "title": f"{rows.run.test_set}: {len(plain)} codecs on {len(rows.clips)} clips",
        "tiles": [
            (f"{len(rows.clips):,}", "clips"),
            (f"{longest_s / 60:.1f}", "minutes of audio"),
            (f"{len({c.spec.model for c in plain})}", "models"),
            (f"{len(plain)}", "operating points"),
            *([(f"{len(under - {''})}", "conditions")] if any(under) else []),
            (f"{len(rows.metrics)}", "metrics"),
            (f"{sum(int((~of['ok']).sum()) for of in coded):,}", "failed codings"),
        ],
        "tables": summary_tables(rows, made, shown["notes"], grouped),
        "troubles": troubles(rows),
        "provenance": provenance(rows.run),
        "num_clips": len(rows.clips),
        "version": __version__,
        "clips": [
            {"number": number, "id": id_, "domain": domains[id_], **of}
            for number, (id_, of) in enumerate(media.items())
        ],
        "listening": listening_sections(folder, rows, target),
    }
    environment = Environment(
        loader=PackageLoader(*_FILES),
        autoescape=True,
        undefined=StrictUndefined,  # what the template names and `content` lacks is an error
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page = environment.get_template("index.html").render(content)
    (target / INDEX).write_text(page, "utf-8")


def summary_tables(
    rows: RunRows, made: Sequence[Table], said: Sequence[str] = (), grouped: Sequence[Table] = ()
) -> list[tuple[str, str]]:
    """The run's complete tables as HTML, all domains together first: domain, what stands there.

    Those of groups of clips come last. Rates and then metrics, as many beside each other as a
    window shows; footnotes that are `said` elsewhere are left out. What must be known before any
    number is believed stands in each.
    """
    demo = {codec.spec.name for codec in rows.codecs if codec.spec.demonstration}
    under = {codec.spec.name for codec in rows.codecs if codec.spec.condition}
    found = []
    above = made[0].above if made else ()
    for table in (*(made[:1] if len(made) == 2 else made), *grouped):  # all are of one domain
        domain = " ".join(table.group or ()) or table.title.rpartition(", ")[2]
        marked, folded = list[Row](), list[Row]()
        for row in table.rows:
            label = f"{row.label} (demo)" if row.label in demo else row.label
            (folded if row.label in under else marked).append(replace(row, label=label))
        metrics = [column for column in table.columns if column.kind == "mean"]
        count = max(1, -(-len(metrics) // _MOST_COLUMNS))
        parts = [(f"Rates, {domain}", tuple(c for c in table.columns if c not in metrics))]
        split = np.array_split(np.array(metrics, object), count)
        parts += [(f"Quality, {domain}", tuple(part)) for part in split]
        footnotes = tuple(note for note in table.footnotes if note not in said)
        whole = replace(table, rows=tuple(marked), footnotes=footnotes, above=())
        shown = [replace(whole, title=title, columns=of).lettered() for title, of in parts if of]
        text = html_fragment([replace(shown[0], above=above), *shown[1:]])
        if folded:
            below = tuple(condition_notes([rows]))
            more = [replace(one, rows=tuple(folded), footnotes=below).lettered() for one in shown]
            heading = f"{len(folded)} operating points under conditions, {domain}"
            text += f"<details><summary>{heading}</summary>{html_fragment(more)}</details>"
        found.append((domain, text))
    return sorted(found, key=lambda pair: pair[0] != "all clips")


def _write_figures(rows: RunRows, target: Path) -> tuple[list[dict[str, str]], list[str]]:
    data, known = PlotData([rows]), plots()
    wanted, problems = list[tuple[Plot, PlotOptions]](), list[str]()
    drawn = list[dict[str, str]]()
    for plot in (known[name] for name in dict.fromkeys((*_ORDER, *known))):
        if not plot.useful(data):
            continue
        metrics = data.metrics if plot.name == _FOR_EVERY_METRIC else data.metrics[:1]
        try:
            wanted += to_draw(data, [plot], PlotOptions(), metrics)
        except UserError as error:
            problems.append(f"no figure {plot.name}: {error}")
    every = write_plots(data, wanted, ["svg"], target / "figures")
    for (plot, options), written in zip(wanted, every, strict=True):
        if isinstance(written, UserError):
            problems.append(f"no figure {plot.name}: {written}")
            continue
        title = plot.description[:1].upper() + plot.description[1:]
        of = f": {options.metric}" if options.metric else ""
        drawn.append({"file": f"figures/{written[0].name}", "title": title + of})
    return drawn, problems


def listening_sections(folder: RunFolder, rows: RunRows, target: Path) -> list[dict[str, Any]]:
    """Every listening test whose results are in the run, as the page has it; draws their figures.

    Of each its ``summary``, ``form`` and ``figures``; ``table`` and ``agreement`` are HTML.
    """
    from snacbench.plots.style import WIDTH_IN, write_figure
    from snacbench.tables.validity import validity_of  # takes scipy along

    summaries = {row.test: row for row in folder.read(ListeningSummary)}
    scores = list(folder.read(ListenerScore)) if summaries else []
    found = []
    for number, (test, summary) in enumerate(summaries.items(), start=1):
        of_test = [score for score in scores if score.test == test]
        simulated = " (simulated)" if summary.simulated else ""
        drawn: list[Mapping[str, str]] = []
        for name, figure in figures_of(summary, of_test, [c.spec for c in rows.codecs]).items():
            # Numbered, not named: a test's name is anybody's, a file's is ours.
            stem = target / "figures" / f"listening-{number}-{name}"
            (path,) = write_figure(figure, stem, ["svg"])
            title = name.capitalize() + simulated.upper()
            wide = "yes" if figure.get_figwidth() > WIDTH_IN["single"] else ""
            drawn.append({"file": f"figures/{path.name}", "title": title, "wide": wide})
        section: dict[str, Any] = {"summary": summary, "form": FORMS[summary.form].label}
        section |= {"figures": drawn, "table": html_fragment(listening_tables(summary))}
        section["agreement"] = ""
        if summary.conditions and rows.clip_metrics:
            with suppress(UserError):  # nothing of the test is in the run
                title = f"Which metrics rank as the listeners did{simulated}"
                agreement = validity_of(rows, of_test, by=()).table(title)
                section["agreement"] = html_fragment([agreement])
        found.append(section)
    return found


# ---------------------------------------------------------------------------------- every score
def score_data(rows: RunRows, media: Mapping[str, int]) -> dict[str, Any]:
    """Clips, with the numbers of their players' files in `media`, codecs, metrics, and scores.

    ``rows`` holds columns of one length: ``clip`` and ``codec`` are indices, ``kbps`` is the clip's
    actual rate, ``scores`` one column per metric. A cell without a number is "undefined", or None
    where the metric failed or is not meant for the clip.
    """
    columns: dict[str, list[Any]] = {"clip": [], "codec": [], "kbps": [], "ok": []}
    scores: list[list[Any]] = [[] for _ in rows.clip_metrics]
    codecs = []
    for index, codec in enumerate(rows.codecs):
        spec, kbps, tried = codec.spec, actual_kbps_of(codec, ALL_DOMAINS), codec.tried(ALL_DOMAINS)
        coded = codec.coded[tried]
        with np.errstate(divide="ignore", invalid="ignore"):
            rates = coded["bits"] / coded["duration_s"] / 1000
        columns["clip"] += tried.tolist()
        columns["codec"] += [index] * len(tried)
        columns["kbps"] += _rounded(rates)
        columns["ok"] += coded["ok"].astype(int).tolist()
        for column, metric in zip(scores, rows.clip_metrics, strict=True):
            values: list[Any] = [None] * len(tried)
            if metric in codec.scores:
                found = codec.scores[metric][tried]
                values = _rounded(np.where(found["ok"], found["value"], np.nan))
                for place in np.flatnonzero(found["undefined"]).tolist():
                    values[place] = "undefined"
            column.extend(values)
        told: dict[str, Any] = {"name": spec.name, "model": spec.without_condition.model}
        told |= {"kbps": kbps and round(kbps, 3), "base": spec.without_condition.name}
        told |= {"condition": spec.condition, "anchor": spec.anchor}
        codecs.append(told | {"demonstration": spec.demonstration})
    specs = {metric.name: metric for metric in rows.run.metrics}
    known_specs = [(name, specs.get(name)) for name in rows.clip_metrics]
    return {
        "metrics": [
            {"name": name, "unit": m.unit if m else "", "better": m.better if m else "higher"}
            for name, m in known_specs
        ],
        "codecs": codecs,
        "clips": [{"id": c.id, "domain": c.domain, "media": media.get(c.id)} for c in rows.clips],
        "rows": {**columns, "scores": scores},
    }


def _rounded(values: Floats) -> list[Any]:
    """Numbers to five digits; what is no finite number becomes None."""
    there = np.isfinite(values) & (values != 0)
    size = np.log10(np.abs(values), where=there, out=np.zeros(len(values)))
    digits = 4 - np.floor(np.maximum(size, -300))
    up, down = (10.0 ** np.maximum(sign * digits, 0) for sign in (1, -1))  # exact powers of ten
    rounded = np.rint(values * up / down) * down / up
    return [v if math.isfinite(v) else None for v in rounded.tolist()]


# ------------------------------------------------------------------------ notes and provenance
def notes(rows: RunRows, *, about_sources: Sequence[str] = ()) -> list[str]:
    """Sentences on the numbers and, given `about_sources`, on the recordings."""
    least = _VISQOL_AUDIO_LEAST_KBPS
    plain = without_conditions([rows])[0][0].codecs
    scored = [codec for codec in plain if _VISQOL_AUDIO in codec.scores]
    names = [c.spec.name for c in scored if (actual_kbps_of(c, ALL_DOMAINS) or least) < least]
    outside = f"{_VISQOL_AUDIO} was trained on codecs at {least:g} kbps and more; outside of that "
    below = [f"{outside}domain here: {', '.join(names)}."] if names else []
    return [*table_notes([rows]), *below, *about_sources]


def troubles(rows: RunRows) -> list[dict[str, Any]]:
    """Kinds of rows without a number: how many, what, why, and the first clip concerned.

    Failed codings and scores, and undefined scores, by reason, the most frequent first.
    """
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for row in rows.lost.to_dict("records") if rows.lost is not None else ():
        named = f"{row['metric']} of" if isinstance(row["metric"], str) else "coding with"
        kind = row["status"], f"{named} {row['codec']}", row["reason"]
        kinds.setdefault(kind, []).append(row["clip"])
    ordered = sorted(kinds.items(), key=lambda one: (one[0][0] != "failed", -len(one[1])))
    return [
        {"status": status, "what": what, "reason": reason, "count": len(of), "example": of[0]}
        for (status, what, reason), of in ordered[:12]
    ]


def provenance(run: Run) -> dict[str, dict[str, str]]:
    """How the run was made: group -> label -> text."""

    def words(value: object) -> str:
        if isinstance(value, Mapping):
            value = [f"{key} {item}" for key, item in value.items()]
        return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

    weights = {}
    for spec in run.codecs:
        info = spec.weights
        digests = words({name: digest[:12] for name, digest in info.sha256.items()})
        checked = {True: "verified", False: "differs from its pinned digest", None: ""}
        parts = (f"{info.source} weights", info.origin, info.revision, digests)
        known = "; ".join(filter(None, (*parts, checked[info.verified])))
        weights[spec.name] = spec.citation if info.source == "none" else known
    told: dict[str, object] = to_jsonable(run.request)
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
        "Request": {name: words(value) for name, value in told.items() if value not in (None, [])},
        "Codecs": weights,
        "Metrics": {
            m.name: f"version {m.version}, {m.implementation}; {m.citation}" for m in run.metrics
        },
        "Facts": dict(run.facts),
        "Packages": dict(run.packages),
        "Machine": dict(run.machine),
    }
