"""A tiny run folder, written by hand."""

import pytest

from snacbench.tables.run_rows import RunRows
from tests.support.written_runs import tiny


@pytest.fixture
def folder(tmp_path):
    return tiny(tmp_path / "run")


@pytest.fixture
def rows(folder):
    return RunRows.load(folder)
