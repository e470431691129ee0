"""The plot of quality under conditions, and how other plots leave such points out."""

from itertools import combinations

import numpy as np
import pytest

from snacbench.errors import UserError
from snacbench.plots.drawing import plots, select_plots, to_draw
from snacbench.plots.plot_data import Options, PlotData
from tests.support.plots import (
    ANCHOR,
    CUT,
    DAC,
    OPUS,
    SEVERAL,
    SNAC,
    caption_of,
    draw,
    many,
    run_rows,
    texts,
    under,
)

KINDS = (
    "loss@0%,1%,20%,5%", "loss:burst=3@5%", "flips@1e-5,1e-3", "level@-40dB,6dB",
    "noise@20dB,0dB", "reverb@0.3s,0.9s", "cascade@2,5",
)  # fmt: skip
HEADS = {
    "packet loss": ["0", "1", "5", "20"],
    "packet loss burst 3": ["0", "5"],
    "bit flips": ["0", "1e−5", "1e−3"],
    "input level": ["−40", "0", "6"],
    "noise at the input against that input": ["∞", "20", "0"],
    "noise at the input against clean": ["∞", "20", "0"],
    "reverb at the input against that input": ["0", "0.3", "0.9"],
    "reverb at the input against clean": ["0", "0.3", "0.9"],
    "cascade": ["1", "2", "5"],
}


def curves(axes):
    """By name the heights of a line from left to right."""
    lines = {str(line.get_gid()): line for line in axes.lines}
    return {name[5:]: list(of.get_ydata()) for name, of in lines.items() if name[:5] == "line:"}


def ticks(axes):
    return [label.get_text() for label in axes.get_xticklabels()]


def head(axes):
    return axes.get_title(loc="left").replace("\n", " ").strip()


def test_every_kind_has_a_panel_whose_lines_begin_without_condition_and_get_worse_to_the_right():
    rows = run_rows(under([*OPUS[:2], *DAC[:1]], *KINDS))
    figure = draw("robustness", rows)
    assert {head(axes): ticks(axes) for axes in figure.axes if axes.get_visible()} == HEADS
    means = PlotData([rows], conditions=True).intervals("si_sdr", "all")
    loss, *_, level = figure.axes[:4]
    end = [f"opus@8kbps{more}" for more in ("", "+loss@1%", "+loss@5%", "+loss@20%")]
    assert curves(loss)["opus@8kbps"] == [means[name].mean for name in end]
    end = [f"dac-44khz@1.78kbps{more}" for more in ("+level@-40dB", "", "+level@6dB")]
    assert curves(level)["dac-44khz@1.78kbps"] == [means[name].mean for name in end]
    bar = loss.containers[0].lines[2][0].get_segments()[0][:, 1]
    start = means["opus@8kbps"]
    assert bar == pytest.approx([start.low, start.high])
    first, second = (loss.lines[i].get_color() for i in (0, 2))
    assert first != second  # two rates of one model
    assert "Concealment: all: silence" in caption_of(figure)
    assert "n = 24 clips in 12 clusters" in caption_of(figure)


def test_points_without_a_mean_are_crosses_and_those_over_fewer_clips_are_said():
    rows = run_rows(
        under([*SNAC, *CUT, *OPUS[:1]], "loss@5%,20%"),
        without=[("snac-24khz@0.98kbps+loss@20%", "si_sdr")],
    )
    few = next(c for c in rows.codecs if c.spec.name == "opus@8kbps+loss@5%")
    few.scores["si_sdr"]["ok"][:5] = False
    figure = draw("robustness", rows)
    said = caption_of(figure)
    assert "no score): snac-24khz@0.98kbps+loss@20%" in said
    assert "Hollow, over fewer clips: opus@8kbps+loss@5% (n = 19)" in said
    assert "n = 19 to 24 clips" in said  # it takes none from others
    assert "Trunc.: cut below" in said
    lost = [list(x.get_ydata()) for x in figure.axes[0].lines if x.get_gid() == "failed"]
    assert sorted(map(len, lost)) == [0, 0, 1]
    shown = draw("robustness", rows, codecs=["opus"], labels={"opus": "Opus"}, title="Loss")
    assert [t.get_text() for t in shown.legends[0].get_texts()] == ["Opus@8kbps"]
    assert "no points under conditions" in texts(draw("robustness", run_rows(OPUS)))
    assert not draw("robustness", rows, caption=False).get_supxlabel()


@pytest.mark.parametrize("width", ["single", "double"])
@pytest.mark.parametrize(("models", "kinds"), [(1, KINDS[:1]), (8, KINDS[:3]), (8, KINDS)])
def test_nothing_is_cut_and_nothing_overlaps(models, kinds, width):
    specs = under([of[0] for of in np.array(many(models), object).reshape(models, 3)], *kinds)
    figure = draw("robustness", run_rows(specs, clips=6), width=width)
    figure.draw_without_rendering()
    shown = [axes for axes in figure.axes if axes.get_visible()]
    words = [t for axes in shown for t in (axes._left_title, axes.xaxis.label)]
    words += [t for axes in shown for t in axes.get_xticklabels()]
    boxes = [word.get_window_extent() for word in words] + [figure.legends[0].get_window_extent()]
    assert all(b.x0 >= 0 and b.x1 <= figure.bbox.x1 and b.y0 >= 0 for b in boxes)
    assert not [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]


def test_other_plots_leave_such_points_out_unless_they_are_named():
    specs = under(SEVERAL, "loss@5%")
    rows, plain = run_rows(specs), run_rows(SEVERAL)
    for name in {*plots()} - {"robustness"}:
        said = caption_of(draw(name, rows))
        assert f"{len(SEVERAL)} operating points under conditions left out: see plot rob" in said
        assert "+loss" not in texts(draw(name, rows))
    data, whole = PlotData([rows]), PlotData([plain])
    assert data.intervals("si_sdr", "all") == whole.intervals("si_sdr", "all")
    named = PlotData([rows], codecs=["opus@8kbps", "opus@8kbps+loss@5%"])
    assert [*named.codecs] == ["opus@8kbps", "opus@8kbps+loss@5%"]
    assert [*PlotData([rows], codecs=["opus+loss@5%"]).codecs] == [
        s.name + "+loss@5%" for s in OPUS
    ]
    assert "robustness" not in {p.name for p, _ in to_draw(whole, select_plots("all"), Options())}
    with pytest.raises(UserError, match="no run has a codec 'opus\\+loss@6%'"):
        PlotData([rows], codecs=["opus+loss@6%"])
    assert ANCHOR[0].name in draw("quality-rate", rows).axes[0].texts[0].get_text()
