"""Plots by name, from Python: choices, refusals, files, and one look per model."""

import subprocess
import sys

import matplotlib as mpl
import pytest

from snacbench.errors import StoreError, UserError
from snacbench.plots.drawing import plot, plots, select_plots, to_draw, write_plots
from snacbench.plots.plot_data import Options, PlotData
from snacbench.plots.style import GREY, looks
from snacbench.plugins import codec_models
from snacbench.tables.run_rows import scores_of
from tests.support import plots as runs
from tests.support.cases import cases


def written(folder, name, *formats, specs=runs.SEVERAL):
    data = PlotData([runs.run_rows(specs)])
    wanted = to_draw(data, select_plots(name), Options(), ["si_sdr"])
    (paths,) = write_plots(data, wanted, formats, folder)
    return [path.read_bytes() for path in paths]


def test_every_plot_is_found_drawn_for_each_metric_and_named_by_what_it_uses():
    names = "codebooks differences distribution domains macs quality-rate rates robustness"
    assert " ".join(plots()) == f"{names} speed tokens"
    assert list(select_plots("all")) == list(plots().values())
    data, both = PlotData([runs.run_rows()]), [plots()["codebooks"], plots()["speed"]]
    found = [(one.name, options.metric) for one, options in to_draw(data, both, Options())]
    assert found == [("codebooks", ""), ("speed", "si_sdr"), ("speed", "mel_dac7")]
    for stem, options in {
        "quality-rate-stoi": Options("stoi"),
        "quality-rate-stoi-nominal-music": Options("stoi", "nominal", "music"),
        "codebooks-speech": Options("stoi", domain="speech"),
        "domains-stoi": Options("stoi", domain="speech"),
        "domains-stoi-by-language": Options("stoi", by="language"),
        "tokens-stoi-speaker-p1-b": Options("stoi", by="speaker", domain="p1/b"),
        "differences-stoi-vs-opus@8kbps": Options("stoi", baseline="opus@8kbps"),
    }.items():
        (one,) = (one for name, one in plots().items() if stem.startswith(f"{name}-"))
        assert one.stem(options) == stem
    # A figure is of the runs first metric and any settings of the caller.
    with mpl.rc_context({"font.size": 23.0}):
        figure = plot(runs.run_rows(), "speed")
        assert mpl.rcParams["font.size"] == 23.0
    assert figure.axes[0].get_ylabel() == "SI-SDR (dB)  better →"
    assert figure.axes[0].yaxis.label.get_size() == 8


@pytest.mark.parametrize(("name", "options", "message"), cases(__file__)["mistakes"])
def test_mistakes_are_named(name, options, message):
    with pytest.raises(UserError, match=message):
        plot(runs.run_rows(), name, **options)
    with pytest.raises(UserError, match="no scores; add some with 'snacbench score RUN'"):
        plot(runs.run_rows(metrics=()), "speed")


@pytest.mark.parametrize("name", ["quality-rate", "differences"])
def test_codecs_are_chosen_by_name_model_or_family_and_called_otherwise(name):
    demo = runs.spec("dac-mini", 1.5, "dac", demonstration=True)
    chosen = ["opus@8kbps", "dac-mini", "snac"]
    labels = {"dac-mini": "Ours", "opus@8kbps": "Opus at 8"}
    rows = runs.run_rows([*runs.SEVERAL, demo])
    said = runs.texts(runs.draw(name, rows, codecs=chosen, labels=labels))
    assert "Ours" in said
    assert "(demo)" in said  # whatever it is called
    assert "opus" in said if name == "quality-rate" else "Opus at 8" in said  # there, by model
    assert "dac-44khz" not in said
    assert "opus@14kbps" not in said


@pytest.mark.parametrize("name", plots())
def test_a_title_stands_above_everything_and_a_caption_can_be_left_out(name):
    figure = runs.draw(name, runs.run_rows(), title="A title with $ signs $ " * 4, caption=False)
    assert runs.caption_of(figure) == ""
    title = figure._suptitle.get_window_extent()  # matplotlib has no other way to it
    assert title.x1 <= figure.bbox.x1
    legends = [legend.get_window_extent() for legend in figure.legends]
    boxes = [*legends, *(axes.get_tightbbox() for axes in figure.axes)]
    assert all(box.y1 <= title.y0 + 1 for box in boxes)
    assert all(box.y1 <= legend.y0 + 1 for legend in legends for box in boxes[len(legends) :])


def test_a_codec_of_two_runs_is_taken_from_the_first_and_one_without_a_value_is_absent():
    first = runs.run_rows([*runs.OPUS, *runs.SNAC])
    second = runs.run_rows([*runs.OPUS, *runs.DAC], clips=20)
    data = PlotData([first, second])
    assert data.repeated == tuple(s.name for s in runs.OPUS)
    assert len(scores_of(data.runs, "si_sdr", "all")["opus@8kbps"]) == 24
    # Means beside each other are over the clips that all have.
    assert {mean.n for mean in data.intervals("si_sdr", "all").values()} == {20}
    assert data.lost("si_sdr", "all").startswith("means: over the 20 clips that all codecs have")
    data = PlotData([runs.run_rows(runs.OPUS, without=[("opus@8kbps", "si_sdr")])])
    assert set(data.intervals("si_sdr", "all")) == {"opus@14kbps", "opus@24kbps"}
    assert data.differences("si_sdr", "all", "opus@8kbps") == []
    assert data.rate("opus@8kbps", "all", "entropy") is None
    assert data.rate("opus@8kbps", "all", "actual").value == pytest.approx(8.16)


def test_a_second_run_gives_the_same_bytes_in_which_text_is_text(tmp_path):
    specs = [*runs.DAC, runs.spec("a$b$", 1.0, "n")]
    forms = ("svg", "pdf", "png")
    first = written(tmp_path / "a", "quality-rate", *forms, specs=specs)
    assert first == written(tmp_path / "b", "quality-rate", *forms, specs=specs)
    svg, pdf, _ = first
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names == {f"quality-rate-si_sdr.{form}" for form in forms}
    assert b">dac-44khz</text>" in svg
    assert b">a$b$</text>" in svg  # no formula
    assert b"<dc:date>" not in svg
    assert b"/Type3" not in pdf
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*speed-si_sdr.svg .*another folder"):
        written(tmp_path / "file", "speed", "svg", specs=runs.OPUS)


def shape(look):
    """What is left of a mark without its colour."""
    mark = look.mark()
    return mark["marker"], mark["fillstyle"], mark["markerfacecolor"] == look.colour


def test_no_two_models_share_mark_and_colour():
    known = [model.points[-1] for model in codec_models().values()]
    for specs in (known, runs.many(28), [*known, *runs.many(4)], [*runs.SEVERAL, *runs.many(20)]):
        drawn = [look for look in looks(specs).values() if look.line]  # without the anchors
        assert len({(shape(look), look.colour) for look in drawn}) == len(drawn)
        assert len({(look.line, look.colour) for look in drawn}) == len(drawn)


def test_a_family_shares_marker_and_colour_as_far_as_lines_reach_and_anchors_are_grey():
    own = [runs.spec(name, 9, "dac") for name in "ABCDE"]
    found = looks([*own, runs.spec("snac-mini", 1, "snac"), *runs.ANCHOR])
    family = [found[name] for name in "ABCD"]
    assert {look.colour for look in family} == {"#D55E00"}
    assert len({look.line for look in family}) == len({shape(look) for look in family}) == 4
    assert found["snac-mini"].colour == "#0072B2"
    assert found["E"].colour not in ("#D55E00", "#0072B2")
    assert found["A"].marker == found["E"].marker != found["snac-mini"].marker
    assert (found["lowpass"].colour, found["lowpass"].line) == (GREY, "")


def test_processes_share_the_drawing_and_one_that_is_killed_loses_no_figure(tmp_path):
    script = f"""
import os, signal
from pathlib import Path
from dataclasses import replace
from snacbench.plots.drawing import plots, to_draw, write_plots
from snacbench.plots.plot_data import Options, PlotData
from tests.support.plots import run_rows

kill, data, here = GIVEN, PlotData([run_rows()]), os.getpid()
os.sched_getaffinity = lambda _: range(2)
plot = plots()["speed"]

def draw(*given):
    if kill and os.getpid() != here:
        os.kill(os.getpid(), signal.SIGKILL)
    os.write(1, b"elsewhere\\n" if os.getpid() != here else b"here\\n")
    return plot.draw(*given)

wanted = to_draw(data, [replace(plot, draw=draw)], Options())
print([p.name for (p,) in write_plots(data, wanted, ["svg"], Path("{tmp_path}"))])
"""
    for kill in (False, True):
        command = [sys.executable, "-c", script.replace("GIVEN", str(kill))]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        *elsewhere, names = done.stdout.splitlines()
        assert elsewhere == ["here" if kill else "elsewhere"] * 2
        assert names == "['speed-si_sdr.svg', 'speed-mel_dac7.svg']"
