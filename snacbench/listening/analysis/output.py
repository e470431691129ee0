"""An analysis as files: the paragraph, tables for people and programs, figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from snacbench.errors import StoreError
from snacbench.listening.analysis.analyse import Analysis
from snacbench.listening.analysis.estimates import Record
from snacbench.listening.tidy import safe_cell
from snacbench.rows import ListenerScore, ListeningSummary
from snacbench.tables.listening_tables import listening_tables
from snacbench.tables.writers import escaped, to_latex, to_markdown

FIGURE_FORMATS = ("svg", "pdf", "png")
_FIGURES = ("scores", "distribution", "rate", "answers")


def write_all(
    analysis: Analysis, summary: ListeningSummary, scores: Sequence[ListenerScore], folder: Path
) -> list[Path]:
    """Write everything into a folder, in place of what an earlier analysis left there."""
    from snacbench.plots._ratings import figures_of
    from snacbench.plots.style import paper_style, write_figure

    tables, numbers = listening_tables(summary), records_of(analysis)
    out = [f"Excluded {one.listener}: {one.reason}" for one in analysis.screening.exclusions]
    notes = "\n".join(f"- {escaped(note)}" for note in (*summary.notes, *out))
    parts = [
        f"# {escaped(summary.title)}",
        escaped(summary.text),
        to_markdown(tables).rstrip(),
        f"### Notes\n\n{notes}" if notes else "",
    ]
    texts = {
        "summary.md": "\n\n".join(filter(None, parts)) + "\n",
        "paragraph.txt": summary.text + "\n",
        "tables.tex": to_latex(tables),
        **{f"{name}.csv": csv_text(records) for name, records in numbers.items() if records},
    }
    # What this study does not give must not stay from one that did.
    earlier = [f"{name}.{form}" for name in _FIGURES for form in FIGURE_FORMATS]
    earlier += [f"{name}.csv" for name, records in numbers.items() if not records]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in earlier:
            (folder / name).unlink(missing_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8")
    except OSError as error:
        raise StoreError(
            f"cannot write to {folder} ({error.strerror or error}); choose another folder with -o"
        ) from error
    paths = [folder / name for name in texts]
    with paper_style():
        for name, figure in figures_of(summary, scores).items():
            paths += write_figure(figure, folder / name, FIGURE_FORMATS)
    return paths


def csv_text(records: Sequence[Record]) -> str:
    """Records as CSV: numbers in full, what is not known empty, no cell a formula."""
    from pandas import DataFrame

    safe = [
        {key: safe_cell(v) if isinstance(v, str) else v for key, v in record.items()}
        for record in records
    ]
    return str(DataFrame(safe, dtype=object).to_csv(index=False, lineterminator="\n"))


def records_of(analysis: Analysis) -> Mapping[str, Sequence[Record]]:
    """Every table of numbers by the name of its file, those that the form has not empty."""
    out = dict[str, str]()
    for left in analysis.screening.exclusions:
        out[left.listener] = "; ".join(filter(None, (out.get(left.listener), left.reason)))
    answers = {one.id: one.answers for one in analysis.whole.listeners}
    means = {"after": analysis.means, "before": analysis.means_before}
    form = analysis.study.form
    compared = [one.record for one in analysis.comparisons]
    return {
        "scores": [{"screening": when, **vars(m)} for when, of in means.items() for m in of],
        "pairs": compared if form.startswith("mushra") else [],
        "preferences": compared if form == "ab" else [],
        "abx": compared if form == "abx" else [],
        "abx-listeners": [result for c in analysis.comparisons for result in c.by_listener],
        "items": analysis.items,
        "listeners": [
            vars(check)
            | {"kept": "no" if check.listener in out else "yes"}
            | {"excluded": out.get(check.listener, "")}
            | {f"said_{question}": said for question, said in answers[check.listener].items()}
            for check in analysis.screening.checks
        ],
    }
