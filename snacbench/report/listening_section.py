"""The report's section on listening tests: what listeners said, and which metrics agree."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from snacbench.errors import UserError
from snacbench.forms import FORMS
from snacbench.plots._ratings import figures_of
from snacbench.rows import ListenerScore, ListeningSummary
from snacbench.store.run_folder import RunFolder
from snacbench.tables.listening_tables import listening_tables
from snacbench.tables.run_rows import RunRows
from snacbench.tables.writers import html_fragment


@dataclass(frozen=True)
class Section:
    """One listening test as the page shows it; `table` and `agreement` are HTML."""

    summary: ListeningSummary
    form: str
    table: str
    figures: tuple[Mapping[str, str], ...]
    agreement: str


def listening_sections(folder: RunFolder, rows: RunRows, target: Path) -> list[Section]:
    """Every listening test whose results are in the run; draws their figures."""
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
        table = html_fragment(listening_tables(summary))
        agreement = ""
        if summary.conditions and rows.clip_metrics:
            with suppress(UserError):  # nothing of the test is in the run
                title = f"Which metrics rank as the listeners did{simulated}"
                agreement = html_fragment([validity_of(rows, of_test, by=()).table(title)])
        found.append(Section(summary, FORMS[summary.form].label, table, tuple(drawn), agreement))
    return found
