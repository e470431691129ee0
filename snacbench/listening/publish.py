"""An analysis as rows of a run, where tables and reports find it beside the objective metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from snacbench.errors import UserError
from snacbench.listening.analysis.analyse import Analysis
from snacbench.listening.analysis.paragraph import paragraph
from snacbench.listening.read import Source
from snacbench.rows import ListenerScore, ListeningSummary
from snacbench.store.run_folder import RUN_FILE, RunFolder


def published(source: Source, analysis: Analysis) -> tuple[ListeningSummary, list[ListenerScore]]:
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
        simulated=False,
        listeners_before=len(analysis.screening.before),
        listeners=len(kept),
        items=len({answer.item for answer in answered.answers}),
        level=analysis.level,
        conditions=analysis.means,
        comparisons=tuple(one.row for one in analysis.comparisons),
        text=paragraph(source, analysis),
        notes=tuple(_notes(source, analysis)),
    )
    return summary, scores


def _notes(source: Source, analysis: Analysis) -> Iterator[str]:
    """What a reader must know of the figures, in sentences."""
    screening, form = analysis.screening, analysis.study.form
    for note in source.notes:
        yield f"{note[:1].upper()}{note[1:]}."
    if broken := screening.broken_pages:
        (listener, item), missing = next(iter(broken.items()))
        yield (
            f"{len(broken)} pages lacked a condition that others rated there and were left out, "
            f"such as {item} of {listener}, without {', '.join(sorted(missing))}."
        )
    if silent := len(analysis.whole.listeners) - len(screening.before):
        yield f"{silent} listeners began and answered no page."
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
        yield (
            "p over all trials tests that nobody hears any difference (every answer a coin flip); "
            "a small one says that somebody does, not that most listeners do: see the listeners "
            "one by one."
        )


def write_rows(
    summary: ListeningSummary, scores: Sequence[ListenerScore], folder: RunFolder
) -> None:
    """Put the rows into a run, in place of those of an earlier analysis of the same test.

    `StoreError` if another process is writing to the run, or it cannot be written.
    """
    with folder.locked():
        folder.replace(ListenerScore, scores, of=lambda row: row.test == summary.test)
        folder.replace(ListeningSummary, [summary], of=lambda row: row.test == summary.test)


def run_of(source: Source, chosen: Path | None) -> RunFolder | None:
    """The run to write to: the one that was chosen, or the test's own if it is still there.

    `UserError` if the chosen run is of other clips than the test, or has none of its codecs.
    """
    test, systems = source.test, source.study.systems
    if chosen is None:
        if test is None or source.folder is None:
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
