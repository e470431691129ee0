"""Layouts: which columns a table has, one file or family of them each."""

from snacbench.plugins import declared
from snacbench.tables.layouts.parts import Layout


def layouts() -> dict[str, Layout]:
    """Every layout by name; the one with everything is ``default``."""
    return dict(sorted(declared("layouts", Layout).items()))
