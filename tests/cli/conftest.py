"""Running the real command line on small folders of audio."""

from functools import partial
from pathlib import Path

import pytest

from tests.support.command_line import Run, make_clips, run_in


@pytest.fixture
def cli(tmp_path: Path) -> Run:
    """``cli("run", ...)`` runs snacbench in an empty folder."""
    return partial(run_in, tmp_path)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Five healthy clips for one test alone."""
    return make_clips(tmp_path / "clips")
