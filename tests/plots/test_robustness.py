"""The plot of quality under conditions, and how other plots leave such points out."""

from itertools import combinations

import pytest

from snacbench.errors import UserError
from snacbench.plots.drawing import plots, select_plots, to_draw
from snacbench.plots.plot_data import Options, PlotData
from tests.support import plots as runs
from tests.support.cases import cases
from tests.support.plots import OPUS, SEVERAL, caption_of, draw, run_rows, texts, under

CASES = cases(__file__)


def heights(axes, name):
    """Those of a line, from left to right."""
    (line,) = [line for line in axes.lines if line.get_gid() == f"line:{name}"]
    return list(line.get_ydata())


def test_every_kind_has_a_panel_whose_lines_begin_without_condition_and_get_worse_to_the_right():
    rows = run_rows(under([*OPUS[:2], *runs.DAC[:1]], *CASES["kinds"]))
    figure = draw("robustness", rows)
    found = {}
    for axes in (axes for axes in figure.axes if axes.get_visible()):
        ticks = [label.get_text() for label in axes.get_xticklabels()]
        found[axes.get_title(loc="left").replace("\n", " ").strip()] = ticks
    assert found == CASES["heads"]
    means = PlotData([rows], conditions=True).intervals("si_sdr", "all")
    loss, *_, level = figure.axes[:4]
    ends = ("", "+loss@1%", "+loss@5%", "+loss@20%")
    assert heights(loss, "opus@8kbps") == [means[f"opus@8kbps{end}"].mean for end in ends]
    ends = ("+level@-40dB", "", "+level@6dB")
    expected = [means[f"dac-44khz@1.78kbps{end}"].mean for end in ends]
    assert heights(level, "dac-44khz@1.78kbps") == expected
    bar, start = loss.containers[0].lines[2][0].get_segments()[0][:, 1], means["opus@8kbps"]
    assert bar == pytest.approx([start.low, start.high])
    colours = [line.get_color() for line in loss.lines if str(line.get_gid()).startswith("line:")]
    assert len(set(colours)) == 3  # also of two rates of a model


def test_points_without_a_mean_are_crosses_and_those_over_fewer_clips_are_said():
    series = ("loss@5%,20%", "loss:burst=3@5%", "loss:packet=40ms@5%")
    specs, lost = under([*runs.SNAC, *runs.CUT, *OPUS[:1]], *series), "snac-24khz@0.98kbps+loss@20%"
    specs += [spec.under("loss:repeat@5%") for spec in runs.SNAC]
    rows = run_rows(specs, without=[(lost, "si_sdr")])
    few = next(c for c in rows.codecs if c.spec.name == "opus@8kbps+loss@5%")
    few.scores["si_sdr"]["ok"][:5] = False
    figure = draw("robustness", rows)
    assert [text for text in CASES["said"] if text not in caption_of(figure)] == []
    crosses = [x.get_ydata() for x in figure.axes[0].lines if x.get_gid() == "failed"]
    assert sorted(map(len, crosses)) == [0, 0, 1]
    shown = draw("robustness", rows, codecs=["opus"], labels={"opus": "Opus"}, caption=False)
    assert [t.get_text() for t in shown.legends[0].get_texts()] == ["Opus@8kbps"]
    assert not caption_of(shown)
    assert "no points under conditions" in texts(draw("robustness", run_rows(OPUS)))


@pytest.mark.parametrize("width", ["single", "double"])
@pytest.mark.parametrize(("models", "kinds"), [(1, 1), (8, 3), (8, 7)])
def test_nothing_is_cut_and_nothing_overlaps(models, kinds, width):
    specs = under(runs.many(models)[:: 3 if models > 1 else 1], *CASES["kinds"][:kinds])
    figure = draw("robustness", run_rows(specs, clips=6), width=width)
    figure.draw_without_rendering()
    shown = [axes for axes in figure.axes if axes.get_visible()]
    words = [t for axes in shown for t in (axes._left_title, axes.xaxis.label)]
    words += [t for axes in shown for t in axes.get_xticklabels()]
    boxes = [word.get_window_extent() for word in (*words, figure.legends[0])]
    assert all(b.x0 >= 0 and b.x1 <= figure.bbox.x1 and b.y1 <= figure.bbox.y1 for b in boxes)
    assert not [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]


def test_other_plots_leave_such_points_out_unless_they_are_named():
    rows, whole = run_rows(under(SEVERAL, "loss@5%")), PlotData([run_rows(SEVERAL)])
    for name in {*plots()} - {"robustness"}:
        figure = draw(name, rows)
        said = f"{len(SEVERAL)} operating points under conditions left out: see plot robustness"
        assert said in caption_of(figure)
        assert "+loss" not in texts(figure)
    assert PlotData([rows]).intervals("si_sdr", "all") == whole.intervals("si_sdr", "all")
    both = ["opus@8kbps", "opus@8kbps+loss@5%"]
    for named, expected in ((both, both), (["opus+loss@5%"], [f"{s.name}+loss@5%" for s in OPUS])):
        assert [*PlotData([rows], codecs=named).codecs] == expected
    assert "robustness" not in {p.name for p, _ in to_draw(whole, select_plots("all"), Options())}
    with pytest.raises(UserError, match="no run has a codec 'opus\\+loss@6%'"):
        PlotData([rows], codecs=["opus+loss@6%"])
