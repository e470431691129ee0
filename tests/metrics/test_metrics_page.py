"""docs/metrics.md against the metrics themselves."""

from __future__ import annotations

from pathlib import Path

from snacbench.plugins import metrics
from tools.metric_table import HEADER, rows

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()


def test_the_table_is_that_of_the_specs():
    lines = PAGE.splitlines()
    start = lines.index(HEADER[0])
    expected = list(rows())
    assert lines[start : start + len(expected)] == expected, "run python -m tools.metric_table"
    assert not lines[start + len(expected)].startswith("|")


def test_every_metric_has_a_section():
    headings = " ".join(line for line in PAGE.splitlines() if line.startswith("## "))
    assert not [name for name in metrics() if not any(f"`{s}" in headings for s in stems(name))]


def stems(name: str) -> list[str]:
    """The name, and what is left of it without one ending after the other."""
    parts = name.split("_")
    return ["_".join(parts[:count]) for count in range(len(parts), 0, -1)]
