"""Plots of means against a rate, tokens or time, and plots with a row or panel per codec."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from snacbench.plots.drawing import select_plots, to_draw
from snacbench.plots.per_codec import marks
from snacbench.plots.plot_data import Options, PlotData
from snacbench.rows import CodeHistogram, Cost
from snacbench.store.run_folder import RunFolder
from snacbench.tables.run_rows import RunRows
from snacbench.tables.side_by_side import Entry, Span
from tests.support import plots as runs
from tests.support.cases import cases
from tests.support.plots import DAC, OPUS, SEVERAL, caption_of, draw, run_rows, spec, texts


def places(axes):
    """Every mark's place and the ends of its bar."""
    found = {}
    for container in axes.containers:
        line, _, (bars,) = container.lines
        for x, y, bar in zip(*line.get_data(), bars.get_segments(), strict=True):
            found[float(x), float(y)] = (float(bar[0][1]), float(bar[1][1]))
    return found


def bands(axes):
    return [list(line.get_xdata()) for line in axes.lines if line.get_gid() == "range"]


def entries(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_every_point_is_its_mean_every_bar_its_interval_and_the_caption_says_what_they_are():
    rows = run_rows([*SEVERAL, spec("dac-mini", 1.5, "dac", demonstration=True)])
    figure, data = draw("quality-rate", rows), PlotData([rows])
    found, expected = places(figure.axes[0]), {}
    for one in data.specs:
        if not one.anchor:
            mean = data.intervals("si_sdr", "all")[one.name]
            expected[data.rate(one.name, "all", "actual").value, mean.mean] = (mean.low, mean.high)
    assert found.keys() == expected.keys()
    for place, ends in found.items():
        assert ends == pytest.approx(expected[place])
    for text in (
        "n = 24 clips in 12 clusters", "95 % intervals (t interval on cluster means",
        "Demo: small demonstration models", "hollow, not joined",
    ):  # fmt: skip
        assert text in caption_of(figure)
    assert "dac-mini (demo)" in entries(figure)
    anchors = [t.get_text() for t in figure.axes[0].texts]  # a line across
    assert "lowpass@7kHz" in anchors
    far = draw("quality-rate", run_rows([*runs.SNAC, *runs.ANCHOR]))
    assert "Not shown (anchors beyond the axis): lowpass@7kHz at" in caption_of(far)
    figure = draw("quality-rate", run_rows(OPUS), run_rows(runs.SNAC, set_sha256="cd" * 32))
    assert "DIFFERENT TEST SETS" in caption_of(figure)
    figure = draw("quality-rate", run_rows(OPUS, clips=1, domains=("speech",)))
    assert all(low == high for low, high in places(figure.axes[0]).values())
    assert caption_of(figure).startswith("Speech, n = 1 clip. No intervals: a single clip")


def test_lines_never_pass_through_truncated_or_single_points():
    axes = draw("quality-rate", run_rows(), rate="nominal", metric="mel_dac7").axes[0]
    assert (axes.get_xscale(), axes.get_xlabel()) == ("log", "nominal rate (kbps)")
    curves = [line for line in axes.lines if str(line.get_gid()).startswith("line:")]
    found = {line.get_gid()[5:]: list(line.get_xdata()) for line in curves}
    assert found == {"opus": [8, 14, 24], "dac-44khz": [1.78, 2.67, 7.75]}
    hollow = [c.lines[0] for c in axes.containers if c.lines[0].get_markerfacecolor() == "white"]
    assert [list(line.get_xdata()) for line in hollow] == [[0.42]]
    assert axes.get_ylabel() == "mel distance (7 scales) (log10)\n← better"


@pytest.mark.parametrize(("width", "inches"), [("single", 3.5), ("double", 7.0)])
def test_every_model_is_in_the_legend_and_numbers_of_the_axis_stand_clear(width, inches):
    long = spec("a-model-with-a-name-that-never-wants-to-end-v2", 0.0004, "new")
    figure = draw("quality-rate", run_rows([*runs.many(14), long]), rate="nominal", width=width)
    assert len(entries(figure)) == 15
    assert entries(figure)[-1] == "a-model-with-a-…ants-to-end-v2"
    assert figure.get_figwidth() == inches
    box = figure.legends[0].get_window_extent()
    assert 0 <= box.x0 <= box.x1 <= figure.bbox.x1
    for rates in ((), (1, 1.4), (0.004, 0.009, 0.05), (2000,)):
        specs = [spec(f"m{i}", rate, "new") for i, rate in enumerate(rates)] or [
            *runs.many(14),
            long,
        ]
        figure = draw("quality-rate", run_rows(specs), rate="nominal", width=width)
        figure.draw_without_rendering()
        boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
        assert all(a.x1 + 2 < b.x0 for a, b in pairwise(boxes))


def test_codecs_without_that_rate_or_tokens_are_listed():
    figure = draw("quality-rate", run_rows([*OPUS, *runs.SNAC]), rate="entropy")
    assert "no codec has SI-SDR scores and entropy rate" in texts(figure)
    assert "Not shown (no entropy rate): opus@8kbps, opus@14kbps" in caption_of(figure)
    figure = draw("tokens", run_rows())
    assert sorted({x for x, _ in places(figure.axes[0])}) == [150, 225, 675]
    assert "Not shown (no tokens): opus@8kbps, opus@14kbps, opus@24kbps" in caption_of(figure)


def test_speed_is_encoding_and_decoding_over_duration_and_unstable_ones_are_said():
    figure = draw("speed", run_rows([*OPUS, *DAC]))
    expected = pytest.approx([0.1, 0.15, 0.175, 0.325])
    assert sorted({x for x, _ in places(figure.axes[0])}) == expected
    assert "one numerical thread. On cpu, a machine" in caption_of(figure)
    assert [0.05, 0.2] in [pytest.approx(ends) for ends in bands(figure.axes[0])]
    assert "line at" in [line.get_gid() for line in figure.axes[0].lines]  # real time is near
    rows = run_rows(OPUS)
    first, second, third = rows.codecs
    first.speed = replace(first.speed, unstable="why", batch=4)
    second.speed = replace(first.speed, codec="b", machine="another", unstable="")
    third.speed = None
    for said in (
        "RTF of opus@8kbps is unstable: why", "MEASURED ON DIFFERENT MACHINES", "in batches",
        "Not shown (no speed): opus@24kbps",
    ):  # fmt: skip
        assert said in caption_of(draw("speed", rows))


def test_macs_are_of_both_sides_and_drawn_unasked_only_where_some_were_counted():
    rows = run_rows([*OPUS, *DAC])
    options = Options(metric="si_sdr")
    rows.codecs[0].cost = Cost(OPUS[0].name, "cpu")
    wanted = to_draw(PlotData([rows]), select_plots("all"), options)
    assert "macs" not in {plot.name for plot, _ in wanted}
    for codec in rows.codecs:
        macs = {"encoder": 1e9 * len(codec.spec.streams)} if codec.spec.streams else {}
        codec.cost = Cost(codec.spec.name, "cpu", encode_macs_per_s=macs, decode_macs_per_s=macs)
    wanted = to_draw(PlotData([rows]), select_plots("all"), options)
    assert "macs" in {plot.name for plot, _ in wanted}
    figure = draw("macs", rows)
    expected = [2.0 * len(spec.streams) for spec in DAC]
    assert sorted({x for x, _ in places(figure.axes[0])}) == pytest.approx(sorted(expected))
    assert "Not shown (no MACs): opus@8kbps" in caption_of(figure)


def test_domains_have_a_panel_each_on_one_scale():
    first, second = draw("domains", run_rows()).axes
    titles = [axes.get_title(loc="left") for axes in (first, second)]
    assert titles == ["speech (n = 12)", "music (n = 12)"]
    assert first.get_ylim() == second.get_ylim()


def test_groups_of_clips_take_the_place_of_domains():
    rows = run_rows([*OPUS, *DAC])
    german = {clip.id for clip in rows.clips[::3]}
    clips = (replace(c, language="de" * (c.id in german), speaker=c.id) for c in rows.clips)
    rows = replace(rows, clips=tuple(clips))
    figure = draw("domains", rows, by="language")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["de (n = 8)", "not stated (n = 16)"]
    assert caption_of(figure).startswith("Per language, n = 8 to 16 clips")
    means = [codec.scores["si_sdr"]["value"][::3].mean() for codec in rows.codecs]
    assert sorted(y for _, y in places(figure.axes[0])) == pytest.approx(sorted(means))
    alone = draw("quality-rate", rows, by="language", domain="de")
    assert places(alone.axes[0]) == places(figure.axes[0])
    assert caption_of(alone).startswith("Language de, n = 8 clips")
    row = draw("distribution", rows, by="language", domain="de").axes[0].lines[0]
    assert len(row.get_xdata()) == 8
    data = PlotData([rows], by="language")
    (pair, *_) = data.differences("si_sdr", "de", OPUS[0].name)
    assert pair.difference.mean == pytest.approx(means[1] - means[0])
    assert data.rate(OPUS[0].name, "de", "actual").value == pytest.approx(8.16)
    assert caption_of(draw("quality-rate", rows, by="language")).startswith("All clips, n = 24")
    for width, columns in (("single", 2), ("double", 4)):  # runs.many groups fit on a page
        figure = draw("domains", rows, by="speaker", width=width)
        assert figure.axes[0].get_gridspec().ncols == columns
        assert figure.get_figheight() < 25


def test_a_rate_that_is_a_range_is_a_band_across(monkeypatch):
    monkeypatch.setattr(Entry, "record", lambda *_: {"entropy_kbps": Span(None, 1.6, 2.5)})
    figure = draw("domains", run_rows(DAC[:1]), rate="entropy")
    for axes in figure.axes:
        assert bands(axes) == [[1.6, 2.5]]
        assert [x for x, _ in places(axes)] == pytest.approx([2.0])
    assert "the rate is a range, unreliable" in caption_of(figure)
    monkeypatch.setattr(Entry, "record", lambda *_: {"entropy_kbps": Span(None, 0.0, 2.5)})
    figure = draw("quality-rate", run_rows(DAC), rate="entropy")
    assert "no codec has SI-SDR scores and entropy rate" in texts(figure)


def test_distribution_shows_every_clip_and_the_mean():
    rows = run_rows([*OPUS, *runs.CUT])
    axes = draw("distribution", rows).axes[0]
    assert axes.get_yticklabels()[-1].get_text().replace("\n", "") == "snac-24khz@0.42kbps (trunc.)"
    clips = [line for line in axes.lines if line.get_gid() == "clips"]
    means = [line for line in axes.lines if line.get_gid() == "mean"]
    for codec, points, mean in zip(rows.codecs, clips, means, strict=True):
        values = codec.scores["si_sdr"]["value"]
        assert np.array_equal(points.get_xdata(), values)
        assert mean.get_xdata() == pytest.approx([values.mean()])
    whiskers = [x for line in axes.lines[2:4] for x in line.get_xdata()]
    first = rows.codecs[0].scores["si_sdr"]["value"]
    assert sorted(whiskers) == pytest.approx(np.percentile(first, [5, 25, 75, 95]))
    assert len(clips) == 4
    axes = draw("distribution", run_rows(OPUS, clips=400)).axes[0]  # runs.many: the box alone
    assert not [line for line in axes.lines if line.get_gid() == "clips"]


def test_differences_are_paired_with_the_baseline():
    rows = run_rows()
    figure = draw("differences", rows, baseline="opus@14kbps")
    pairs = PlotData([rows]).differences("si_sdr", "all", "opus@14kbps")
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


def test_codebooks_show_entropy_against_the_most_there_is(tmp_path):
    two = spec("dac-mini", 1.5, "dac", codebooks=2, demonstration=True)
    one = spec("dac-mini", 0.75, "dac", codebooks=1, demonstration=True)
    folder = RunFolder.create(tmp_path / "run", run_rows([one, two, *OPUS]).run, [])
    every = np.arange(1024, dtype=np.int32)
    full = CodeHistogram("c0", two.name, 0, 1024, every, np.full(1024, 4))
    few = CodeHistogram("c0", two.name, 1, 1024, every[:2], np.array([50, 50]))  # few tokens
    folder.append([runs.coded(0, two, "speech"), full, few])
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


def test_where_nothing_can_be_shown_the_panel_says_so():
    rows = run_rows(DAC, without=[(s.name, "si_sdr") for s in DAC])
    assert all(text in texts(draw(name, rows)) for name, text in cases(__file__)["empty"].items())
