"""Which plots there are and how their files are named."""

from __future__ import annotations

import subprocess
import sys

import pytest

from snacbench.errors import UnknownName
from snacbench.plots.plot import Options, plots, select_plots


def test_every_plot_is_found_and_says_what_it_shows() -> None:
    assert set(plots()) == {
        "quality-rate", "domains", "distribution", "differences", "codebooks", "tokens", "speed",
        "rate-ladder",
    }  # fmt: skip
    assert all(plot.description for plot in plots().values())
    assert list(select_plots("all")) == list(plots().values())
    assert [plot.name for plot in select_plots("speed")] == ["speed"]


def test_an_unknown_plot_is_named_with_its_neighbour() -> None:
    with pytest.raises(UnknownName, match="no plot named 'sped'; did you mean speed"):
        select_plots("sped")


@pytest.mark.parametrize(
    ("name", "options", "stem"),
    [
        ("quality-rate", Options("stoi"), "quality-rate-stoi"),
        ("quality-rate", Options("stoi", "nominal", "music"), "quality-rate-stoi-nominal-music"),
        ("speed", Options("stoi", "nominal"), "speed-stoi"),
        ("codebooks", Options("stoi", domain="speech"), "codebooks-speech"),
        ("domains", Options("stoi", domain="speech"), "domains-stoi"),
        ("differences", Options("stoi", baseline="opus@8kbps"), "differences-stoi-vs-opus@8kbps"),
    ],
)
def test_files_are_named_by_what_a_plot_uses(name: str, options: Options, stem: str) -> None:
    assert plots()[name].stem(options) == stem


def test_finding_and_drawing_load_neither_torch_nor_pyplot() -> None:
    program = (
        "import sys\n"
        "from snacbench.plots.plot import plots\n"
        "plots()\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from snacbench.plots._data import PlotData\n"
        "from snacbench.plots.plot import Options\n"
        "from tests.plots.synthetic import run_rows\n"
        "plots()['quality-rate'].draw(PlotData([run_rows()]), Options('si_sdr'))\n"
        "heavy = {'torch', 'matplotlib.pyplot', 'pandas', 'av'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
