"""A run and its report."""

from pathlib import Path

import pytest

from snacbench.report.build import build_report
from snacbench.store.run_folder import RunFolder
from tests.support.reports import run_with_audio


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return run_with_audio(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="session")
def page(run_folder: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report's index.html; lossless, so that what plays can be compared to the sample."""
    target = tmp_path_factory.mktemp("page") / "report"
    about = ["1 of 3 clips is <odd>."]
    return build_report(run_folder, target, lossless=True, clips=30, about_sources=about)
