"""Drawing by several processes: the same files, whatever becomes of a helper."""

from __future__ import annotations

from pathlib import Path

import pytest

from snacbench.errors import StoreError
from snacbench.plots import batch
from snacbench.plots._data import PlotData
from snacbench.plots.batch import Share, draw_all, helpers_for
from snacbench.plots.plot import Options
from tests.plots.synthetic import SEVERAL, run_rows

WANTED = [(name, Options("si_sdr")) for name in ("speed", "codebooks", "tokens", "quality-rate")]


def share(folder: Path) -> Share:
    return Share(PlotData([run_rows(SEVERAL)]), WANTED, ["svg", "png"], folder)


def drawn(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_cores", lambda: 2)


@pytest.mark.usefixtures("two_processes")
def test_a_helper_draws_the_same_bytes(tmp_path: Path) -> None:
    alone = [path for paths in draw_all(share(tmp_path / "alone"), []) for path in paths]
    with helpers_for(24) as helpers:
        assert len(helpers) == 1
        together = [p for paths in draw_all(share(tmp_path / "both"), helpers) for p in paths]
        assert helpers[0].wait() == 0
    assert {path.name for path in together} == {path.name for path in alone}
    assert len(together) == len(alone) == 2 * len(WANTED)
    assert drawn(tmp_path / "both") == drawn(tmp_path / "alone")


@pytest.mark.usefixtures("two_processes")
def test_the_share_of_a_helper_that_died_is_drawn_all_the_same(tmp_path: Path) -> None:
    with helpers_for(24) as helpers:
        helpers[0].kill()
        helpers[0].wait()
        files = [path for paths in draw_all(share(tmp_path), helpers) for path in paths]
    assert len(files) == 2 * len(WANTED)


@pytest.mark.usefixtures("two_processes")
def test_what_goes_wrong_in_a_helper_is_said_here(tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "codebooks.svg").mkdir()  # the helper's first file
    with (
        helpers_for(24) as helpers,
        pytest.raises(StoreError, match=r"cannot write .*codebooks\.svg .*another folder"),
    ):
        list(draw_all(share(tmp_path / "plots"), helpers))


@pytest.mark.parametrize(("plots", "cores", "helpers"), [(11, 8, 0), (23, 8, 0), (61, 1, 0)])
def test_few_plots_or_one_core_need_no_helper(
    monkeypatch: pytest.MonkeyPatch, plots: int, cores: int, helpers: int
) -> None:
    monkeypatch.setattr(batch, "_cores", lambda: cores)
    with helpers_for(plots) as started:
        assert len(started) == helpers
