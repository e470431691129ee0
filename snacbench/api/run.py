"""Runs: made, gone on with, read as frames, tables, plots and reports, compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snacbench.errors import UnknownName, UserError, did_you_mean
from snacbench.later import Figure, pd
from snacbench.plugins import left_out
from snacbench.progress import Notes, Progress, Silent
from snacbench.rate.coding.coders import ENTROPY_CODERS
from snacbench.recipes.recipe import find_recipe
from snacbench.request import DEFAULT_SPEED_BUDGET_S, FromRecipe, OutsideFiles, Request
from snacbench.rows import CodedBytes
from snacbench.selectors import among, select
from snacbench.store.agree import check_agreement
from snacbench.store.run_folder import RunFolder
from snacbench.tables import from_runs, gate
from snacbench.tables.footnotes import late_warnings
from snacbench.tables.ladder import ladder_tables
from snacbench.tables.layouts import layouts
from snacbench.tables.run_rows import Grouping, RunRows, scores_frame
from snacbench.tables.savings import Saving, savings
from snacbench.tables.side_by_side import By
from snacbench.tables.table_model import Table
from snacbench.tables.writers import WRITERS
from snacbench.weights.policy import absolute_weights

if TYPE_CHECKING:
    from distributed import Client

    from snacbench.runner.engine import Look
    from snacbench.store.bundle import Bundle

Comparison = gate.Answer
_NOT_OF_A_RECIPE = ("offline", "jobs", "out")  # how a run is carried out, not what it is


def run(  # noqa: PLR0913 - all but the first three are keywords
    codecs: str | Sequence[str] = "",
    data: str | Path | None = None,
    out: str | Path | None = None,
    *,
    recipe: str | Path | None = None,
    resume: str | Path | None = None,
    retry_failed: bool = False,
    client: Client | str | Path | None = None,
    progress: Progress | None = None,
    look: Look | None = None,
    **asked: Any,
) -> Run:
    """Code a test set through codecs and score what comes out; what fails is a row of the `Run`.

    Raises `UserError` if the request is wrong, what it needs is not here, or it cannot go on.

    Parameters
    ----------
    codecs : str or sequence of str
        Families, models, operating points: ``"snac,dac-44khz@2.67,opus@6,14"``.
    data : str or Path
        Named set, corpus, manifest or folder; the embedded ``quick`` set by default.
    out : str or Path
        New run folder; by default one below ``runs``.
    recipe : str or Path
        A run that is written down; what is named beside it overrides it, which is recorded.
    resume : str or Path
        A run folder to go on with: nothing is repeated, nothing else may be asked for but
        `retry_failed` (what has failed is tried again), ``jobs`` and ``offline``.
    client : distributed.Client, str or Path
        A Dask cluster that does the work: a client of its scheduler, the scheduler's address, or
        a YAML file of dask-jobqueue; by default processes of this machine do it.
    progress : Progress
        Told of stages, steps and notes; without one, notes are among the run's `warnings`.
    look : callable
        Called with the plan and None before anything is computed, and again with the run's folder.
    **asked
        Other fields of `Request`, for example ``metrics=["pesq_wb"]``, ``weights="embedded"``,
        ``conditions=["loss@1%,5%"]``, ``device="cuda"``, ``limit=10``, ``seed=1``, ``jobs=4``.
    """
    from snacbench.runner import engine

    given = {"codecs": codecs, "data": data, "out": out, **asked}
    given = {name: value for name, value in given.items() if value not in ("", None)}
    shown = progress or Notes()
    how: dict[str, Any] = {"client": client, "progress": shown, "look": look}
    if resume is None:
        if retry_failed:
            raise UserError("to try again what failed, name its run: resume=RUN, or --resume RUN")
        return finished(engine.run(request_of(str(recipe or ""), given), **how), shown)
    if foreign := sorted([*(given.keys() - {"jobs", "offline"}), *(["recipe"] if recipe else [])]):
        raise UserError(
            f"resume takes up the request that {resume} was begun with; leave out "
            f"{', '.join(foreign)}"
        )
    how |= {"retry_failed": retry_failed, **given}
    return finished(engine.resume(RunFolder.open(Path(resume)), **how), shown)


def load(path: str | Path) -> Run:
    """A run that lies in a folder."""
    return Run(RunFolder.open(Path(path)))


def merge(
    runs: Sequence[Run | str | Path], out: str | Path, *, progress: Progress | None = None
) -> Run:
    """Join runs of one test set, of codecs or shards of their own, into a new one.

    Raises `StoreError` if they do not agree on what they must have in common; nothing is written.
    """
    from snacbench.store.merging import merge as merge_folders

    folders = [run.folder if isinstance(run, Run) else RunFolder.open(Path(run)) for run in runs]
    done = merge_folders(folders, Path(out))
    shown = progress or Notes()
    for text in done.lacking:
        shown.note(f"not among them: {text}", warning=True)
    gone = f", {done.missing} no longer there" if done.missing else ""
    shown.note(
        f"{len(runs)} runs merged; {done.repeated} rows were in several; "
        f"files: {done.linked} linked, {done.copied} copied{gone}"
    )
    return finished(done.folder, shown)


def score_files(  # noqa: PLR0913 - all but the first three are keywords
    reference: str | Path,
    degraded: str | Path,
    out: str | Path | None = None,
    *,
    name: str | None = None,
    kbps: float | None = None,
    align: bool = False,
    progress: Progress | None = None,
    **asked: Any,
) -> Run:
    """Score two files, or two folders matched by name, as the output of an outside codec.

    `name` is what to call the codec (by default as `degraded` is called), `kbps` its rate, as its
    maker states it; `align` first takes the delay that is found away from every file. `asked` are
    other fields of `Request`: ``metrics``, ``domain``, ``asr``, ``weights``, ``jobs``. Raises
    `UserError` if the files do not belong together, or a name is unknown.
    """
    from snacbench.runner.outside import score_files as score_outside

    given = {key: value for key, value in {**asked, "out": out}.items() if value is not None}
    outside = OutsideFiles(Path(degraded), name or Path(degraded).stem, kbps, align)
    request = Request(data=str(reference), outside=outside, **normal(given))
    shown = progress or Notes()
    return finished(score_outside(request, progress=shown), shown)


def compare(  # noqa: PLR0913 - keyword-only options of one comparison
    a: Run | str | Path,
    b: Run | str | Path,
    *,
    codecs: Sequence[str] = (),
    metrics: Sequence[str] = (),
    tolerances: Mapping[str, float] | None = None,
    strict: bool = False,
) -> Comparison:
    """Compare a candidate `b` with a baseline `a`, clip by clip.

    The answer has ``passed``, ``failures`` (sentences) and ``tables``. `codecs` are selectors, or
    ``"A=B"`` where `b` calls a codec otherwise; by default what both have. `tolerances` say by
    metric, in its unit, how much worse the candidate may be; if `strict`, what is not shown to be
    within them fails. Raises `UserError` if the runs cannot be compared, or a name is in neither.
    """
    one, other = (run.path if isinstance(run, Run) else Path(run) for run in (a, b))
    how: dict[str, Any] = {"codecs": codecs, "metrics": metrics, "strict": strict}
    return gate.compare(one, other, tolerances=tolerances or {}, **how)


def finished(folder: RunFolder, progress: Progress | None = None) -> Run:
    """A run whose summary lies in its folder; `Notes` that were taken are among its warnings."""
    run = Run(folder, progress.texts if isinstance(progress, Notes) else ())
    folder.write_text("summary.csv", from_runs.summary_csv([run.rows]))
    folder.write_text("summary.md", from_runs.summary_markdown([run.rows]))
    return run


class Run:
    """A run: its folder at `path`, and the `request` that it was asked for."""

    def __init__(self, folder: RunFolder, notes: Sequence[str] = ()) -> None:
        self.folder, self.path, self.request = folder, folder.path, folder.run.request
        self._notes = [text.removeprefix("warning: ") for text in notes]

    def __repr__(self) -> str:
        run = self.folder.run
        return (
            f"Run({str(self.path)!r}: {len(run.codecs)} operating points, {run.test_set}, "
            f"{len(run.metrics)} metrics)"
        )

    def _repr_html_(self) -> str:  # what a notebook shows
        from snacbench.tables.writers import html_fragment

        return html_fragment(from_runs.tables_of([self.rows]))

    @cached_property
    def rows(self) -> RunRows:
        """All numbers of the run, read once."""
        return RunRows.load(self.folder)

    def rows_for(self, *, histograms: bool) -> RunRows:
        """Its numbers; without `histograms`, which take longest to read, if nobody needs them."""
        whole = histograms or "rows" in self.__dict__
        return self.rows if whole else RunRows.load(self.folder, histograms=False)

    @property
    def ok(self) -> bool:
        """Whether no row failed; undefined scores are not failures."""
        return self.failed.empty

    @property
    def warnings(self) -> list[str]:
        """What to know of the recordings and decodes before believing the numbers.

        Of a run that was made just now, also what was noted on the way, such as of downloads.
        """
        from snacbench.runner.engine import source_warnings

        return [*self._notes, *source_warnings(self.folder), *late_warnings(self.rows)]

    @cached_property
    def scores(self) -> pd.DataFrame:
        """A tidy frame of all scores, one line per clip, codec and metric.

        Columns: ``clip``, ``domain``, ``cluster``, ``codec``, ``model``, ``condition`` (empty:
        none), ``kbps`` (bits spent over the clip's duration), ``tokens_per_s``, ``metric``,
        ``value``, ``status``, ``reason``.
        """
        return scores_frame(self.folder)

    @cached_property
    def failed(self) -> pd.DataFrame:
        """What failed: ``clip``, ``codec``, ``metric`` (empty: the coding itself), ``reason``.

        A coding that failed stands for its scores.
        """
        lost = self.rows_for(histograms=False).lost
        assert lost is not None  # of a folder
        found = lost[lost["status"] == "failed"].astype(object).fillna({"metric": ""})
        coding, pairs = found["metric"] == "", pd.MultiIndex.from_frame(found[["clip", "codec"]])
        kept = found[coding | ~pairs.isin(pairs[coding])]
        return kept[["clip", "codec", "metric", "reason"]].reset_index(drop=True)

    def summary(
        self,
        by: By | Grouping = "domain",
        *,
        ci: bool = True,
        group_seeds: Mapping[str, str] | None = None,
    ) -> pd.DataFrame:
        """One row per codec and domain: rates, speeds, means over clips, their n and intervals.

        `by` may also be ``language``, ``speaker``, ``gender`` or ``corpus``, a column then.
        `group_seeds` makes one row of checkpoints: ``{"mine": "mine-seed0,mine-seed1"}``.
        """
        return from_runs.summary_frame([self.rows], by, ci, group_seeds)

    def table(
        self,
        layout: str | None = None,
        format: str = "markdown",
        *,
        beside: Sequence[Run] = (),
        codecs: str = "",
        **options: Any,
    ) -> str:
        """The run's table as text, with the rows of other runs `beside` it.

        `layout` is one of ``sb.names("layouts")`` (by default the recipe's, else everything),
        `format` ``markdown``, ``latex``, ``html``, ``csv`` or ``json``, `codecs` selects rows, and
        `options` are fields of `tables.from_runs.Options`: ``by``, ``ci``, ``significance``,
        ``baseline``, ``digits``, ``labels``, ``title``, ``caption``, ``group_seeds``.
        """
        written = writer_named(format)
        return written(tables([self, *beside], layout, from_runs.Options(**options), codecs=codecs))

    def rates(
        self,
        format: str = "markdown",
        *,
        beside: Sequence[Run] = (),
        by: By = "all",
        codebooks: bool = False,
    ) -> str:
        """What codecs really need, as text: nominal, actual, entropy; with a line per codebook."""
        rows = [one.rows for one in (self, *beside)]
        return writer_named(format)(ladder_tables(rows, by=by, codebooks=codebooks))

    def savings(
        self,
        of: Sequence[str],
        *,
        against: Sequence[str] = (),
        metrics: Sequence[str] = (),
        domains: Sequence[str] = (),
        beside: Sequence[Run] = (),
    ) -> list[Saving]:
        """How much rate the models `of` save against others, all by default; see docs/rates.md."""
        how: dict[str, Any] = {"why": "cannot be set side by side", "metrics": metrics}
        for other in beside:
            check_agreement(self.folder, other.folder, **how)
        rows = [one.rows_for(histograms=False) for one in (self, *beside)]
        specs = list(gate.shared_metrics(rows, metrics).values())
        return savings(rows, specs, of=of, against=against, domains=domains)

    def plot(self, name: str, *, beside: Sequence[Run] = (), **options: Any) -> Figure:
        """Draw a plot, one of ``sb.names("plots")``; nothing is written.

        `options` are ``metric``, ``rate``, ``domain``, ``by``, ``width``, ``baseline``, ``codecs``,
        ``labels``, ``title`` and ``caption``, see docs/plots.md.
        """
        from snacbench.plots.drawing import plot

        return plot([self.rows, *(one.rows for one in beside)], name, **options)

    def report(
        self,
        out: str | Path | None = None,
        *,
        clips: int = 30,
        lossless: bool = False,
        by: Grouping | None = None,
        progress: Progress | None = None,
    ) -> Path:
        """Write a report with players into a folder (``report`` in the run's), and return that.

        Players of at most so many clips; they play Opus at 130 kbps, or FLAC if `lossless`. Beside
        tables of domains there are those of groups `by` ``language``, ``speaker``, ``gender`` or
        ``corpus``. Raises `StoreError` if the folder holds something else, or cannot be written.
        """
        from snacbench.report.build import build_report
        from snacbench.runner.engine import source_warnings

        about = [f"{text}." for text in source_warnings(self.folder)]
        how: dict[str, Any] = {"lossless": lossless, "clips": clips, "by": by, "progress": progress}
        place = Path(out) if out else self.path / "report"
        return build_report(self.folder, place, about_sources=about, **how).parent

    def export(self, path: str | Path, *, partial: bool = False) -> Bundle:
        """Write the run as one file to hand over, without audio; see docs/bundles.md.

        Raises `StoreError` if rows contradict each other, or, unless `partial`, some are missing.
        """
        from snacbench.api.bundles import export

        return export(self, Path(path), partial=partial)

    def score(  # noqa: PLR0913 - keyword-only options of one verb
        self,
        metrics: str | Sequence[str] = (),
        *,
        asr: str | None = None,
        weights: str | Sequence[str] = (),
        retry_failed: bool = False,
        client: Client | str | Path | None = None,
        jobs: int | None = None,
        offline: bool = False,
        progress: Progress | None = None,
    ) -> Run:
        """Score the decodes by metrics that the run lacks; nothing is coded again.

        `weights` say where files of the metrics' models are (``"utmos22-strong=DIR"``), by default
        as the run was asked. `client` is a cluster that does it, as for `run`.
        """
        asked = normal({"metrics": metrics, "weights": weights, "asr": asr})
        asked |= {"client": client, "jobs": jobs, "offline": offline}
        return self._with_more("score_again", progress, **asked, retry_failed=retry_failed)

    def measure_speed(
        self,
        budget_s: float = DEFAULT_SPEED_BUDGET_S,
        *,
        offline: bool = False,
        progress: Progress | None = None,
    ) -> Run:
        """Time all operating points again on this machine, `budget_s` seconds each."""
        return self._with_more("measure_speed", progress, budget_s=budget_s, offline=offline)

    def measure_cost(self, *, offline: bool = False, progress: Progress | None = None) -> Run:
        """Count operations and measure memory and delay of all operating points."""
        return self._with_more("measure_cost", progress, offline=offline)

    def _with_more(self, made_by: str, progress: Progress | None, **how: Any) -> Run:
        """The run with the rows that a function of `runner.engine` adds to it."""
        from snacbench.runner import engine

        shown = progress or Notes()
        getattr(engine, made_by)(self.folder, progress=shown, **how)
        return finished(RunFolder.open(self.path), shown)

    def entropy(  # noqa: PLR0913 - keyword-only options of one verb
        self,
        coders: Sequence[str] = ENTROPY_CODERS,
        *,
        codecs: str = "",
        shuffled: bool = False,
        seed: int = 0,
        save_tables: str | Path | None = None,
        progress: Progress | None = None,
    ) -> pd.DataFrame:
        """Write the codes that the run kept with entropy coders; the bytes become rows of the run.

        The frame has ``codec``, ``nominal_kbps``, ``coder``, ``shuffled``, ``actual_kbps``,
        ``coded_kbps``, ``ideal_kbps``, ``clips``, ``saves`` (share of the actual rate) and
        ``saves_by_context`` (share of what ``adaptive`` needs).

        `coders` are ``static``, ``adaptive`` and ``context``. `shuffled` also codes tokens permuted
        by `seed`, a control in which context can save nothing. `save_tables` is a folder for the
        trained tables.
        """
        from snacbench.rate.coding import heldout
        from snacbench.rate.coding.trained import write_tables
        from snacbench.runner.bitstreams import coder_frame, kept_clips, kept_codecs

        shown = progress or Silent()
        for name in coders or ("",):
            if name not in ENTROPY_CODERS:
                known = did_you_mean(name, ENTROPY_CODERS)
                raise UnknownName(f"no entropy coder {name!r}; {known}")
        kept = kept_codecs(self.folder)
        chosen = among([spec for spec, _ in kept], codecs) if codecs else ()
        kept = [(spec, rows) for spec, rows in kept if not codecs or spec in chosen]
        with self.folder.locked():
            for spec, rows in kept:
                name, sizes = spec.name, tuple(stream.codebook_size for stream in spec.streams)
                clips = kept_clips(self.folder, rows)
                shown.begin(name, len(clips) * len(coders) * (1 + shuffled))
                if save_tables:
                    Path(save_tables).mkdir(parents=True, exist_ok=True)
                    halves = heldout.cross_fitted(name, clips, sizes)
                    for number, (made, _) in enumerate(halves, start=1):
                        write_tables(Path(save_tables) / f"{name}.half{number}.npz", made)
                for control in (False, True) if shuffled else (False,):
                    how: dict[str, Any] = {"coders": coders, "shuffled": control, "seed": seed}
                    written = heldout.held_out_rows(name, clips, sizes, **how)
                    self.folder.append(_stepped(written, shown, name))
        return coder_frame(self.folder, kept)


def _stepped(rows: Iterable[CodedBytes], shown: Progress, stage: str) -> Iterator[CodedBytes]:
    for row in rows:
        shown.step(stage)
        yield row


def writer_named(format: str) -> Callable[[Sequence[Table]], str]:
    """What writes tables in a format; raises `UnknownName` if there is none of that name."""
    if format not in WRITERS:
        raise UnknownName(f"no format named {format!r}; {did_you_mean(format, WRITERS)}")
    return WRITERS[format]


def tables(
    runs: Sequence[Run], layout: str | None, options: from_runs.Options, *, codecs: str = ""
) -> list[Table]:
    """The tables of runs in a layout; by default that of the recipe which all of them followed."""
    if layout is None:
        followed = (run.request.from_recipe for run in runs)
        named = {recipe.table if recipe else "default" for recipe in followed}
        layout = named.pop() if len(named) == 1 and named <= layouts().keys() else "default"
    if layout not in layouts():
        text = f"no layout named {layout!r}; {did_you_mean(layout, layouts())}{left_out('layouts')}"
        raise UnknownName(text)
    rows = [run.rows_for(histograms=layouts()[layout].histograms) for run in runs]
    if codecs:
        specs = among([spec for one in rows for spec in one.run.codecs], codecs)
        rows = [one.only({spec.name for spec in specs}) for one in rows]
    if options.baseline:
        options = replace(options, significance=True)
    return from_runs.tables_of(rows, layouts()[layout], options)


# --------------------------------------------- from what a person names, and a recipe, to a request
def request_of(recipe: str, given: Mapping[str, Any]) -> Request:
    """What is asked for: the fields of a recipe, by name or path, and over them those `given`."""
    told = normal(given)
    if not recipe:
        if not told.get("codecs"):
            raise UserError(
                "name codecs with --codecs, for example --codecs snac,dac,encodec,opus, or a "
                "recipe: snacbench run quick; 'snacbench list recipes' shows them"
            )
        return Request(**told)
    from snacbench.runner.plan import missing

    found = find_recipe(recipe)
    written = found.options()
    if "codecs" not in written and not told.get("codecs"):
        raise UserError(
            f"the recipe {found.name} takes its codecs from the command line, for example "
            f"{found.recipe.hint or '--codecs snac,dac'}"
        )
    if "auto" in told.get("weights", ()):
        raise UserError(
            f"--weights auto: the recipe {found.name} never falls back to other weights; give "
            "published, embedded, DIR or MODEL=DIR, or leave it out"
        )
    changed = {
        name: written.get(name)
        for name, value in told.items()
        if name not in _NOT_OF_A_RECIPE and value != written.get(name)
    }
    expect = []
    for one in (one for figures in found.recipe.expect for one in figures.each()):
        points = [spec.name for _, spec in select(one.codec)] if one.codec else [""]
        if len(points) > 1:
            raise UserError(
                f"a recipe's figures are of one operating point each; found {one.codec!r} under "
                f"expect, which is {', '.join(points)}: write one of these"
            )
        expect.append(replace(one, codec=points[0]))
    limits = {str(name): limit for name, limit in found.recipe.limits.items()}
    table = found.recipe.table
    record = FromRecipe(found.name, found.sha256, table, changed, tuple(expect), limits)
    request = Request(**{**written, **told}, from_recipe=record)
    if absent := missing(request):
        lines = "".join(f"\n  - {text}" for text in absent)
        raise UserError(f"the recipe {found.name} needs what is not on this machine:{lines}")
    return request


def normal(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a `Request` from what a person may write for them: lists as text, paths as text."""
    known = [field.name for field in fields(Request)]
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise UserError(f"a run cannot be asked for {name!r}; {did_you_mean(name, known)}")
        if name in ("metrics", "weights", "root"):
            parts = value.split(",") if isinstance(value, str) else map(str, value)
            found[name] = tuple(part.strip() for part in parts if part.strip())
            if name == "weights":
                found[name] = absolute_weights(found[name])
        elif name == "conditions":  # whose strengths are separated by commas
            found[name] = (value,) if isinstance(value, str) else tuple(map(str, value))
        elif name == "asr" and value and ":" in value:  # a folder, looked for from elsewhere, too
            kind, _, folder = value.partition(":")
            found[name] = f"{kind}:{Path(folder).expanduser().absolute()}" if folder else value
        elif name == "codecs":
            found[name] = value if isinstance(value, str) else ",".join(value)
        else:
            found[name] = {"data": str, "out": Path}.get(name, lambda same: same)(value)
    return found
