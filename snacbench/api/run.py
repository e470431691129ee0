"""Runs: made, gone on with, read as frames, tables, plots and reports, compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snacbench.api.requests import normal, request_of
from snacbench.errors import UserError, did_you_mean
from snacbench.progress import Progress
from snacbench.request import DEFAULT_SPEED_BUDGET_S
from snacbench.rows import Coded, Score
from snacbench.runner import engine
from snacbench.selectors import among
from snacbench.store.run_folder import RunFolder
from snacbench.tables.footnotes import late_warnings
from snacbench.tables.from_runs import (
    Options,
    summary_csv,
    summary_frame,
    summary_markdown,
    tables_of,
)
from snacbench.tables.gate import compare as compare_folders
from snacbench.tables.layouts import LAYOUTS
from snacbench.tables.layouts._parts import Layout
from snacbench.tables.run_pair import Answer
from snacbench.tables.run_rows import RunRows, scores_frame
from snacbench.tables.side_by_side import By
from snacbench.tables.table_model import Table
from snacbench.tables.writers import WRITERS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Comparison = Answer


def run(  # noqa: PLR0913 - all but the first three are keywords
    codecs: str | Sequence[str] = "",
    data: str | Path | None = None,
    out: str | Path | None = None,
    *,
    recipe: str | Path | None = None,
    resume: str | Path | None = None,
    retry_failed: bool = False,
    progress: Progress | None = None,
    **asked: Any,
) -> Run:
    """Code a test set through codecs and score what comes out.

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
        `retry_failed`, ``jobs`` and ``offline``.
    retry_failed : bool
        With `resume`: what has failed is tried again.
    progress : Progress
        Told of stages, steps and notes.
    **asked
        Other fields of `Request`, for example ``metrics=["pesq"]``, ``weights="embedded"``,
        ``device="cuda"``, ``limit=10``, ``seed=1``, ``jobs=4``.

    Returns
    -------
    Run
        What failed is among its rows, with the reason.

    Raises
    ------
    UserError
        If the request is wrong, what it needs is not here, or the run cannot go on.
    """
    given = {
        name: value
        for name, value in (("codecs", codecs), ("data", data), ("out", out), *asked.items())
        if value not in ("", None)
    }
    if resume is None:
        if retry_failed:
            raise UserError("retry_failed tries again what failed in a run; name it by resume")
        folder = engine.run(request_of(str(recipe) if recipe else None, given), progress=progress)
        return finished(folder)
    if foreign := sorted([*(given.keys() - {"jobs", "offline"}), *(["recipe"] if recipe else [])]):
        raise UserError(
            f"resume takes up the request that {resume} was begun with; leave out "
            f"{', '.join(foreign)}"
        )
    folder = RunFolder.open(Path(resume))
    engine.resume(folder, retry_failed=retry_failed, progress=progress, **given)
    return finished(folder)


def load(path: str | Path) -> Run:
    """A run that lies in a folder.

    Raises
    ------
    StoreError
        If there is none.
    """
    return Run(RunFolder.open(Path(path)))


def compare(  # noqa: PLR0913 - keyword-only options of one comparison
    a: Run | str | Path,
    b: Run | str | Path,
    *,
    codecs: Sequence[str] = (),
    metrics: Sequence[str] = (),
    tolerances: Mapping[str, float] | None = None,
    strict: bool = False,
    shared_clips: bool = False,
) -> Comparison:
    """Compare a candidate `b` with a baseline `a`, clip by clip.

    Parameters
    ----------
    codecs : sequence of str
        Selectors, or ``"A=B"`` where `b` calls a codec otherwise; by default what both have.
    tolerances : mapping of str to float
        How much worse the candidate may be, by metric, in the metric's unit.
    strict : bool
        What is not shown to be within its tolerance fails.
    shared_clips : bool
        Allow other test sets: only clips that are the same in both count.

    Returns
    -------
    Comparison
        ``passed``, ``failures`` (sentences) and ``tables``.

    Raises
    ------
    UserError
        If the runs cannot be compared, or a name is in neither.
    """
    one, other = (run.path if isinstance(run, Run) else Path(run) for run in (a, b))
    return compare_folders(
        one,
        other,
        codecs=codecs,
        metrics=metrics,
        tolerances=tolerances or {},
        strict=strict,
        shared_clips=shared_clips,
    )


def finished(folder: RunFolder) -> Run:
    """A run whose summary lies in its folder."""
    run = Run(folder)
    folder.write_text("summary.csv", summary_csv([run.rows]))
    folder.write_text("summary.md", summary_markdown([run.rows]))
    return run


class Run:
    """A run folder.

    Attributes
    ----------
    path : Path
    request : Request
        What was asked for.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder, self.path, self.request = folder, folder.path, folder.run.request

    def __repr__(self) -> str:
        run = self.folder.run
        return (
            f"Run({str(self.path)!r}: {len(run.codecs)} operating points, {run.test_set}, "
            f"{len(run.metrics)} metrics)"
        )

    def _repr_html_(self) -> str:  # what a notebook shows
        from snacbench.tables.writers import html_fragment

        return html_fragment(tables_of([self.rows], LAYOUTS["default"]))

    @cached_property
    def rows(self) -> RunRows:
        """All numbers of the run, read once."""
        return RunRows.load(self.folder)

    @cached_property
    def outcome(self) -> engine.Outcome:
        """How many rows there are, how many failed, and the first of those."""
        return engine.outcome_of(self.folder)

    @property
    def ok(self) -> bool:
        """Whether no row failed; undefined scores are not failures."""
        return self.outcome.all_ok

    @property
    def warnings(self) -> list[str]:
        """What to know of the recordings and decodes before believing the numbers."""
        return [*engine.source_warnings(self.folder), *late_warnings(self.rows)]

    @cached_property
    def scores(self) -> pd.DataFrame:
        """A tidy frame of all scores, one line per clip, codec and metric.

        Columns: ``clip``, ``domain``, ``cluster``, ``codec``, ``model``, ``kbps`` (bits spent over
        the clip's duration), ``tokens_per_s``, ``metric``, ``value``, ``status``, ``reason``.
        """
        return scores_frame(self.folder)

    @property
    def failed(self) -> pd.DataFrame:
        """What failed: ``clip``, ``codec``, ``metric`` (empty: the coding itself), ``reason``."""
        import pandas as pd

        lost = [row for row in self.folder.read(Coded) if row.status == "failed"]
        gone = {(row.clip, row.codec) for row in lost}
        rows = [(row.clip, row.codec, "", row.reason) for row in lost]
        rows += [
            (row.clip, row.codec, row.metric, row.reason)
            for row in self.folder.read(Score)
            if row.status == "failed" and (row.clip, row.codec) not in gone
        ]
        return pd.DataFrame(rows, columns=["clip", "codec", "metric", "reason"])

    def summary(self, by: By = "domain", *, ci: bool = True) -> pd.DataFrame:
        """One row per codec and domain: rates, speeds, means over clips, their n and intervals."""
        return summary_frame([self.rows], by, ci)

    def table(
        self,
        layout: str | None = None,
        format: str = "markdown",
        *,
        beside: Sequence[Run] = (),
        codecs: str = "",
        **options: Any,
    ) -> str:
        """The run's table as text.

        Parameters
        ----------
        layout : str
            One of ``sb.names("layouts")``; by default the recipe's, else everything.
        format : {"markdown", "latex", "html", "csv", "json"}
        beside : sequence of Run
            Other runs whose rows stand in the same table.
        codecs : str
            Selectors: only these.
        **options
            Fields of `tables.from_runs.Options`: ``by``, ``ci``, ``significance``, ``baseline``,
            ``digits``, ``published``, ``labels``, ``title``, ``caption``.

        Raises
        ------
        UserError
            If a name is none of those there are.
        """
        if format not in WRITERS:
            raise UserError(f"no format named {format!r}; {did_you_mean(format, WRITERS)}")
        runs = [self, *beside]
        chosen = layout_named(layout, [one.folder for one in runs])
        return WRITERS[format](tables(runs, chosen, Options(**options), codecs=codecs))

    def plot(self, name: str, *, beside: Sequence[Run] = (), **options: Any) -> Figure:
        """Draw a plot, one of ``sb.names("plots")``; nothing is written.

        `options` are ``metric``, ``rate``, ``domain``, ``width``, ``baseline``, ``codecs``,
        ``labels``, ``title`` and ``caption``, see docs/plots.md.

        Raises
        ------
        UserError
            If a name is none of those there are.
        """
        from snacbench.plots.drawing import plot

        return plot([self.rows, *(one.rows for one in beside)], name, **options)

    def report(
        self, out: str | Path | None = None, *, clips: int | None = None, lossless: bool = False
    ) -> Path:
        """Write a report with players into a folder (``report`` in the run's), and return that.

        Raises
        ------
        StoreError
            If the folder holds something else, or cannot be written.
        """
        from snacbench.report.build import DEFAULT_CLIPS, build_report

        made = build_report(
            self.folder,
            Path(out) if out else self.path / "report",
            lossless=lossless,
            clips=DEFAULT_CLIPS if clips is None else clips,
            about_sources=self.warnings,
        )
        return made.index.parent

    def score(  # noqa: PLR0913 - keyword-only options of one verb
        self,
        metrics: str | Sequence[str] = (),
        *,
        asr: str | None = None,
        retry_failed: bool = False,
        jobs: int | None = None,
        offline: bool = False,
        progress: Progress | None = None,
    ) -> Run:
        """Score the decodes by metrics that the run lacks; nothing is coded again.

        Raises
        ------
        UserError
            If no metric is named or known, or one lacks what it needs.
        """
        names = normal({"metrics": metrics})["metrics"]
        engine.score_again(
            self.folder,
            names,
            asr=asr,
            retry_failed=retry_failed,
            jobs=jobs,
            offline=offline,
            progress=progress,
        )
        return finished(RunFolder.open(self.path))

    def measure_speed(
        self, budget_s: float = DEFAULT_SPEED_BUDGET_S, *, progress: Progress | None = None
    ) -> Run:
        """Time all operating points again on this machine, `budget_s` seconds each.

        Raises
        ------
        UserError
            If the codecs are no longer those of the run.
        """
        engine.measure_speed(self.folder, budget_s=budget_s, progress=progress)
        return finished(RunFolder.open(self.path))


def layout_named(name: str | None, folders: Sequence[RunFolder]) -> Layout:
    """A layout by name; without one, that of the runs' recipe if they followed the same.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if name is None:
        followed = {folder.run.request.from_recipe for folder in folders}
        tables = {recipe.table if recipe else "default" for recipe in followed}
        named = tables.pop() if len(tables) == 1 else "default"
        return LAYOUTS.get(named, LAYOUTS["default"])
    if name not in LAYOUTS:
        raise UserError(f"no layout named {name!r}; {did_you_mean(name, LAYOUTS)}")
    return LAYOUTS[name]


def tables(
    runs: Sequence[Run], layout: Layout, options: Options, *, codecs: str = ""
) -> list[Table]:
    """The tables of runs in a layout.

    Raises
    ------
    UserError
        If a codec is none of the runs, or the layout has no published figures and these are
        asked for.
    """
    if options.published and not layout.published:
        having = ", ".join(name for name, one in LAYOUTS.items() if one.published)
        raise UserError(
            f"there are no published figures for the layout {layout.name}; choose {having}"
        )
    rows = [run.rows for run in runs]
    if codecs:
        specs = among([spec for one in rows for spec in one.run.codecs], codecs)
        rows = [one.only({spec.name for spec in specs}) for one in rows]
    if options.baseline:
        options = replace(options, significance=True)
    return tables_of(rows, layout, options)
