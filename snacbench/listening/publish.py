"""An analysis as rows of a run, where tables and reports find it beside the objective metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from snacbench.errors import UserError
from snacbench.listening.analysis.analyse import Analysis
from snacbench.listening.analysis.comparisons import POOLED_CAVEAT
from snacbench.listening.analysis.paragraph import paragraph
from snacbench.listening.read import Source
from snacbench.listening.words import SIMULATED
from snacbench.rows import ListenerScore, ListeningSummary
from snacbench.store.run_folder import RUN_FILE, RunFolder


@dataclass(frozen=True)
class Published:
    """The rows of one test."""

    summary: ListeningSummary
    scores: tuple[ListenerScore, ...]


def published(source: Source, analysis: Analysis) -> Published:
    """The rows that an analysis comes to; comments and questionnaires stay out of them."""
    study, answered, kept = source.study, analysis.study, set(analysis.screening.kept)
    scores = []
    for r in study.ratings:
        place = (r.listener, r.item, study.clips.get(r.item, ""), r.condition)
        scores.append(ListenerScore(study.name, *place, r.score, kept=r.listener in kept))
    summary = ListeningSummary(
        test=study.name,
        title=source.test.title if source.test else study.name,
        form=study.form,
        simulated=study.simulated,
        listeners_before=len(analysis.screening.before),
        listeners=len(kept),
        items=len({r.item for r in answered.ratings} | {c.item for c in answered.choices}),
        level=analysis.level,
        conditions=analysis.means,
        comparisons=tuple(one.row for one in analysis.comparisons),
        text=paragraph(source, analysis),
        notes=tuple(notes_of(source, analysis)),
    )
    return Published(summary, tuple(scores))


def notes_of(source: Source, analysis: Analysis) -> Iterator[str]:
    """What a reader must know of the figures, in sentences."""
    screening, form = analysis.screening, analysis.study.form
    if analysis.study.simulated:
        yield SIMULATED
    for note in source.notes:
        yield f"{note[:1].upper()}{note[1:]}."
    if screening.broken_pages:
        first = screening.broken_pages[0]
        yield (
            f"{len(screening.broken_pages)} pages lacked a condition that others rated there and "
            f"were left out, such as {first.item} of {first.listener}, without "
            f"{', '.join(first.missing)}."
        )
    if screening.silent:
        yield f"{len(screening.silent)} listeners began and answered no page."
    if form.startswith("mushra") and not analysis.ratings.complete:
        yield (
            "Not every listener rated every item: means are means of item means, and tests "
            "compare systems within each listener, on the items that this one rated."
        )
    if 0 < len(screening.kept) < 15:
        yield (
            f"{len(screening.kept)} listeners are few: BS.1534-3 takes 20 for a usual test of "
            "experienced ones."
        )
    if form == "abx":
        yield f"{POOLED_CAVEAT[:1].upper()}{POOLED_CAVEAT[1:]}."


def write_rows(rows: Published, folder: RunFolder) -> None:
    """Put the rows into a run, in place of those of an earlier analysis of the same test.

    `StoreError` if another process is writing to the run, or it cannot be written.
    """
    test = rows.summary.test
    with folder.locked():
        folder.replace(ListenerScore, rows.scores, of=lambda row: row.test == test)
        folder.replace(ListeningSummary, [rows.summary], of=lambda row: row.test == test)


def run_of(source: Source, chosen: Path | None) -> RunFolder | None:
    """The run to write to: the one that was chosen, or the test's own if it is still there.

    Answers that nobody gave go into a run only if one was chosen. `UserError` if the chosen run is
    of other clips than the test, or has none of its codecs.
    """
    test, systems = source.test, source.study.systems
    if chosen is None:
        if test is None or source.folder is None or source.study.simulated:
            return None
        path = (source.folder / test.run).resolve()
        own = RunFolder.open(path) if (path / RUN_FILE).is_file() else None
        return own if own and own.run.id == test.run_id else None
    folder = RunFolder.open(chosen)
    if test and test.set_sha256 != folder.run.set_sha256:
        raise UserError(
            f"--run {folder.path}: the run is of another test set ({folder.run.test_set}) than the "
            "listening test; give the run that the test was designed from"
        )
    if not {spec.name for spec in folder.run.codecs} & set(systems):
        raise UserError(
            f"--run {folder.path}: the run has none of the systems that were listened to "
            f"({', '.join(systems)})"
        )
    return folder
