"""Plots with a row or a panel per codec: distribution, differences, codebooks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from snacbench.plots.per_codec import marks
from snacbench.plots.plot_data import PlotData
from snacbench.rows import CodeHistogram
from snacbench.store.run_folder import RunFolder
from snacbench.tables.run_rows import RunRows
from tests.support.plots import (
    CUT,
    DAC,
    OPUS,
    SEVERAL,
    SI_SDR,
    caption_of,
    coded,
    draw,
    many,
    run_rows,
    spec,
    texts,
)


def rows_named(figure):
    return [t.get_text().replace("\n", "") for t in figure.axes[0].get_yticklabels()]


def test_distribution_shows_every_clip_and_the_mean():
    rows = run_rows([*OPUS, *CUT])
    figure = draw("distribution", rows)
    assert rows_named(figure)[-1] == "snac-24khz@0.42kbps (trunc.)"
    axes = figure.axes[0]
    clips = [line for line in axes.lines if line.get_gid() == "clips"]
    means = [line for line in axes.lines if line.get_gid() == "mean"]
    for codec, points, mean in zip(rows.codecs, clips, means, strict=True):
        values = codec.scores["si_sdr"]["value"]
        assert np.array_equal(points.get_xdata(), values)
        assert mean.get_xdata() == pytest.approx([values.mean()])
    assert len(clips) == 4
    axes = draw("distribution", run_rows(OPUS, clips=400)).axes[0]  # many: the box alone
    assert not [line for line in axes.lines if line.get_gid() == "clips"]


def test_differences_are_paired_with_the_baseline():
    rows = run_rows()
    figure = draw("differences", rows, baseline="opus@14kbps")
    pairs = PlotData([rows]).differences("si_sdr", "all", "opus@14kbps")
    assert len(pairs) == len(SEVERAL) - 1
    stars = [t.get_text() for t in figure.axes[0].texts if t.get_gid() == "holm"]
    for pair, container, star in zip(pairs, figure.axes[0].containers, stars, strict=True):
        line, _, (bars,) = container.lines
        (segment,) = bars.get_segments()
        assert line.get_xdata() == [pair.difference.mean]
        assert segment[:, 0] == pytest.approx([pair.difference.low, pair.difference.high])
        assert star == (marks(pair.p_holm) or "n.s.")
    said = caption_of(figure)
    assert said.startswith("Minus opus@14kbps, on shared clips")
    assert f"after Holm over these {len(pairs)} pairs" in said
    assert "compared with opus@14kbps" in texts(figure)
    assert [marks(p) for p in (None, 0.051, 0.05, 0.01, 0.0002)] == ["", "", "*", "**", "***"]
    # By default with the first codec that is no anchor.
    assert caption_of(draw("differences", run_rows(SEVERAL[::-1]))).startswith("Minus snac-24khz@0")
    rows.codecs[1].scores["si_sdr"]["ok"][:3] = False
    lost = "3 clips that only one of a pair has were left out"
    assert lost in caption_of(draw("differences", rows, codecs=["opus"]))


@pytest.mark.parametrize("width", ["single", "double"])
@pytest.mark.parametrize("name", ["differences", "distribution"])
def test_forty_rows_fit_on_a_page_and_no_label_leaves_the_figure(name, width):
    """Names of rows leave their axes little room, and labels are as wide as they are."""
    metric = replace(SI_SDR, name="mel_dac7_22k", unit="log10 + linear")
    long = [spec("rather-long-48khz", kbps, "new") for kbps in (1, 2, 3)]
    figure = draw(name, run_rows([*long, *many(14)], metrics=[metric]), width=width)
    box = figure.axes[0].xaxis.label.get_window_extent()
    assert 0 < box.x0 < box.x1 < figure.bbox.x1
    assert figure.get_figheight() < 9
    assert len(rows_named(figure)) >= 44
    figure.draw_without_rendering()
    boxes = [t.get_window_extent() for t in figure.axes[0].get_yticklabels()]
    assert not any(a.overlaps(b) for a, b in pairwise(boxes))


def test_codebooks_show_entropy_against_the_most_there_is(tmp_path):
    two = spec("dac-mini", 1.5, "dac", codebooks=2, demonstration=True)
    one = spec("dac-mini", 0.75, "dac", codebooks=1, demonstration=True)
    folder = RunFolder.create(tmp_path / "run", run_rows([one, two, *OPUS]).run, [])
    every = np.arange(1024, dtype=np.int32)
    folder.append(
        [
            coded(0, two, "speech"),
            CodeHistogram("c0", two.name, 0, 1024, every, np.full(1024, 4)),
            CodeHistogram("c0", two.name, 1, 1024, every[:2], np.array([50, 50])),  # few tokens
        ]
    )
    figure = draw("codebooks", RunRows.load(folder))
    (axes,) = figure.axes
    most, entropy = axes.containers
    alone, ends = (line.get_ydata() for line in axes.lines)
    assert [bar.get_height() for bar in most] == [10, 10]
    assert entropy[0].get_height() == pytest.approx(10)
    assert np.isnan(alone).all()  # a clip has no interval
    assert entropy[1].get_height() == ends[0] == pytest.approx(1.0)  # plug-in
    assert ends[1] == 10
    assert [bool(bar.get_hatch()) for bar in entropy] == [True, True]  # a single clip
    assert "N = 100–4,096 used 50.1 %; dead codes: 1,022" in texts(figure)
    assert "dac-mini@1.5kbps (demo)" in axes.get_title(loc="left")
    assert "the line is a range and no interval" in caption_of(figure)
    assert "Hatched: few tokens per entry or few clips" in caption_of(figure)


EMPTY = {
    "quality-rate": "no codec has SI-SDR scores and actual rate",
    "tokens": "no codec has SI-SDR scores and tokens",
    "speed": "no codec has SI-SDR scores and speed",
    "domains": "no codec has SI-SDR scores and actual rate",
    "distribution": "no SI-SDR scores",
    "differences": "no SI-SDR differences: nothing to compare it with",
    "codebooks": "no codec of this run has codebooks whose codes were counted",
}


def test_where_nothing_can_be_shown_the_panel_says_so():
    rows = run_rows(DAC, without=[(s.name, "si_sdr") for s in DAC])
    assert all(text in texts(draw(name, rows)) for name, text in EMPTY.items())
