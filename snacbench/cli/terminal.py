"""What the verbs show: tables on standard output, progress and notes on standard error."""

from __future__ import annotations

import shutil
import textwrap
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from snacbench.later import pd
from snacbench.progress import Unit

if TYPE_CHECKING:  # packages for which a list should not wait
    from rich.console import Console
    from rich.progress import Task

    from snacbench.tables.table_model import Table as Numbers

_SECONDS_BETWEEN_LINES = 15.0
_LINES_SHOWN, _FAILURES_SHOWN = 20, 8

_WIDTH = 200  # where there is no terminal


@cache
def out() -> Console:
    """Standard output."""
    from rich.console import Console

    return Console(width=None if Console().is_terminal else _WIDTH, highlight=False, emoji=False)


@cache
def err() -> Console:
    """Standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, emoji=False)


class ProgressBar:
    """A bar with ETA per stage; where there is no terminal, a line now and then.

    Stages overlap: the clock of each starts with its first step.
    """

    def __init__(self) -> None:
        from rich import progress as parts

        self._bar = parts.Progress(
            parts.TextColumn("{task.description:<18}", markup=False), parts.BarColumn(bar_width=30),
            parts.TextColumn("{task.fields[count]}"), parts.TimeElapsedColumn(),
            parts.TextColumn("ETA"), parts.TimeRemainingColumn(), console=err(),
            disable=not err().is_terminal,
        )  # fmt: skip
        self._printed_s = time.monotonic()

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, stage: str, steps: int | None, *, done: int = 0, unit: Unit = "") -> None:
        """A stage of so many steps is to be done; of files, bytes."""
        for again in [task for task in self._bar.tasks if task.description == stage]:
            self._bar.remove_task(again.id)
        fields: Any = {"count": "", "unit": unit, "failed": 0}
        self._bar.add_task(stage, start=False, total=steps, completed=done, **fields)
        size = f"{steps / 1e6:.1f} MB" if steps is not None else "size unknown"
        if not err().is_terminal:
            say(f"fetching {stage}: {size}" if unit else f"{stage}: {steps} to do")

    def step(self, stage: str = "", steps: int = 1, *, failed: int = 0) -> None:
        """So many steps of a stage are done: of the one that was named last, if none is named."""
        task = [task for task in self._bar.tasks if stage in ("", task.description)][-1]
        now = time.monotonic()
        if not task.started:
            self._bar.start_task(task.id)
        task.fields["failed"] += failed
        self._bar.update(task.id, advance=steps)
        self._bar.update(task.id, count=_count(task))
        ended = task.completed == task.total and not task.fields["unit"]
        if (ended or now - self._printed_s > _SECONDS_BETWEEN_LINES) and not err().is_terminal:
            self._printed_s = now
            say("; ".join(map(_state, self._bar.tasks)))

    def note(self, text: str, *, warning: bool = False) -> None:
        """A sentence that a person should read, above the bars."""
        say(f"warning: {text}" if warning else text, style="yellow" if warning else None)


def _count(task: Task) -> str:
    scale, digits, unit = (1e6, 1, " MB") if task.fields["unit"] else (1, 0, "")
    of = f" of {task.total / scale:.{digits}f}" if task.total is not None else ""
    failed = f", {task.fields['failed']} failed" if task.fields["failed"] else ""
    return f"{task.completed / scale:.{digits}f}{of}{unit}{failed}"


def _state(task: Task) -> str:
    """A stage in words, with the time it still takes at its own pace."""
    text = f"{task.description}: {_count(task)}"
    if not task.elapsed or task.total is None or task.completed in (0, task.total):
        return text
    left_s = task.elapsed / task.completed * (task.total - task.completed)
    return f"{text}, ETA {left_s:.0f} s"


def say(text: str, *, style: str | None = None) -> None:
    """A line for a person, on standard error, as it is: no markup, no wrapping."""
    err().print(text, style=style, markup=False, soft_wrap=True)


def show_line(text: str) -> None:
    """A line on standard output, as it is."""
    out().print(text, markup=False, soft_wrap=True)


def show_warnings(sentences: Sequence[str]) -> None:
    """What to know before believing the numbers."""
    for sentence in sentences:
        say(f"warning: {sentence}", style="yellow")


def show_first(lines: Sequence[str]) -> None:
    """The first lines, and how many more there are."""
    for line in lines[:_LINES_SHOWN]:
        show_line(f"  {line}")
    if len(lines) > _LINES_SHOWN:
        show_line(f"  ... and {len(lines) - _LINES_SHOWN} more")


def show_facts(facts: Mapping[str, str], *, to: Console | None = None) -> None:
    """Labels and their texts, aligned; labels without text are left out."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in facts.items():
        if text:
            grid.add_row(Text(label), Text(text))
    (to or out()).print(grid)


def show_rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table, whose last column is wrapped."""
    widths = [max(map(len, texts)) for texts in zip(columns, *rows, strict=True)][:-1]
    terminal = shutil.get_terminal_size((_WIDTH, 0)).columns
    room = max(terminal - sum(widths) - 2 * len(widths), len(columns[-1]), 20)
    for row in (columns, *rows):
        for index, last in enumerate(textwrap.wrap(row[-1], room) or [""]):
            cells = [("" if index else text).ljust(w) for text, w in zip(row, widths, strict=False)]
            click.secho("  ".join((*cells, last)).rstrip(), bold=row is columns)


def show_tables(tables: Sequence[Numbers]) -> None:
    """Tables with their notes, as wide as the terminal."""
    from snacbench.tables.writers import to_terminal

    for part in to_terminal(tables, width=out().width):
        out().print(part)


def show_failures(failed: pd.DataFrame) -> None:
    """Which rows failed and why, the first few of each kind; of a codec that was stopped, one."""
    from snacbench.runner.schedule import STOPPED

    of_codings = failed["metric"] == ""
    for what, rows in (("codings", failed[of_codings]), ("scores", failed[~of_codings])):
        if rows.empty:
            continue
        say(f"{len(rows)} {what} failed:", style="bold red")
        stopped = rows["reason"].str.startswith(STOPPED)
        shown = rows[~(stopped & rows["codec"].where(stopped).duplicated())][:_FAILURES_SHOWN]
        for row in shown.to_dict("records"):
            metric = f"{row['metric']} of " if row["metric"] else ""
            say(f"  {metric}{row['codec']} on {row['clip']}: {row['reason']}")
        if more := len(rows) - len(shown):
            say(f"  ... and {more} more, in the run's rows")
