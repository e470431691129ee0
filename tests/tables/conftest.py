"""A tiny run folder, written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from snacbench.store.run_folder import RunFolder
from snacbench.tables.run_rows import RunRows
from tests.support.written_runs import tiny


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return tiny(tmp_path / "run")


@pytest.fixture
def rows(folder: RunFolder) -> RunRows:
    return RunRows.load(folder)
