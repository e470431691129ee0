"""Files: every format, the same bytes again, text that stays text."""

from __future__ import annotations

from pathlib import Path

import pytest

from snacbench.errors import StoreError
from snacbench.plots._data import PlotData
from snacbench.plots.plot import Options, plots
from snacbench.plots.save import each_metric, write_plot
from tests.plots.synthetic import OPUS, SEVERAL, run_rows, spec

OPTIONS = Options("si_sdr")


def written(folder: Path, name: str, *formats: str, specs=tuple(SEVERAL)) -> list[bytes]:
    paths = write_plot(PlotData([run_rows(specs)]), plots()[name], OPTIONS, formats, folder)
    return [path.read_bytes() for path in paths]


@pytest.mark.parametrize(
    ("name", "formats"),
    [
        ("quality-rate", ("svg", "pdf", "png")),
        ("distribution", ("svg",)),
        ("differences", ("svg",)),
    ],
)
def test_a_second_run_gives_the_same_bytes(
    tmp_path: Path, name: str, formats: tuple[str, ...]
) -> None:
    first = written(tmp_path / "a", name, *formats)
    assert first == written(tmp_path / "b", name, *formats)
    assert {p.name for p in (tmp_path / "a").iterdir()} == {f"{name}-si_sdr.{f}" for f in formats}


def test_svg_keeps_text_and_pdf_embeds_whole_fonts(tmp_path: Path) -> None:
    svg, pdf = written(tmp_path, "quality-rate", "svg", "pdf")
    assert b">dac-44khz</text>" in svg
    assert b"<dc:date>" not in svg
    assert b"/CIDFontType2" in pdf
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf


def test_dollars_in_names_are_no_formula(tmp_path: Path) -> None:
    (svg,) = written(tmp_path, "quality-rate", "svg", specs=[spec("a$b$", 1.0, "new")])
    assert b">a$b$</text>" in svg


def test_metrics_are_drawn_one_by_one() -> None:
    both = [plots()["codebooks"], plots()["speed"]]
    drawn = [(p.name, o.metric) for p, o in each_metric(both, OPTIONS, ["stoi", "mel_dac7"])]
    assert drawn == [("codebooks", ""), ("speed", "stoi"), ("speed", "mel_dac7")]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*speed-si_sdr.svg .*another folder"):
        written(tmp_path / "file", "speed", "svg", specs=OPUS)
