"""Plots of means against a rate, tokens, or time: points, bars, lines, names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from snacbench.plots._data import PlotData
from tests.plots.conftest import Draw, caption_of, texts
from tests.plots.synthetic import ANCHOR, CUT, DAC, OPUS, SEVERAL, SNAC, many, run_rows, spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def marks(axes: Axes) -> dict[tuple[float, float], tuple[float, float]]:
    """Every mark's place and the ends of its bar."""
    found = {}
    for container in axes.containers:
        line, _, (bars,) = container.lines
        for x, y, bar in zip(*line.get_data(), bars.get_segments(), strict=True):
            found[float(x), float(y)] = (float(bar[0][1]), float(bar[1][1]))
    return found


def lines(axes: Axes) -> dict[str, np.ndarray]:
    curves = [line for line in axes.lines if str(line.get_gid()).startswith("line:")]
    return {line.get_gid()[5:]: line.get_xdata() for line in curves}


def test_every_point_is_its_mean_and_every_bar_its_interval(draw: Draw) -> None:
    rows = run_rows()
    found = marks(draw("quality-rate", rows).axes[0])
    data = PlotData([rows])
    expected = {}
    for one in (*OPUS, *DAC, *SNAC, *CUT):
        mean = data.intervals("si_sdr", "all")[one.name]
        expected[data.fact(one.name, "all", "actual_kbps"), mean.mean] = (mean.low, mean.high)
    assert found.keys() == expected.keys()
    for place, ends in found.items():
        assert ends == pytest.approx(expected[place])


@pytest.mark.parametrize(("rate", "factor"), [("actual", 1.02), ("nominal", 1.0)])
def test_the_rate_asked_for_is_the_axis(draw: Draw, rate: str, factor: float) -> None:
    axes = draw("quality-rate", run_rows(OPUS), rate=rate).axes[0]
    assert sorted(x for x, _ in marks(axes)) == pytest.approx(
        [8 * factor, 14 * factor, 24 * factor]
    )
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == f"{rate} rate (kbps)"


def test_lines_never_pass_through_truncated_or_single_points(draw: Draw) -> None:
    axes = draw("quality-rate", run_rows(), rate="nominal").axes[0]
    found = lines(axes)
    assert set(found) == {"opus", "dac-44khz"}
    assert list(found["dac-44khz"]) == [1.78, 2.67, 7.75]
    hollow = [c.lines[0] for c in axes.containers if c.lines[0].get_markerfacecolor() == "white"]
    assert [list(line.get_xdata()) for line in hollow] == [[0.42]]


def test_labels_say_unit_and_direction(draw: Draw) -> None:
    rows = run_rows()
    assert draw("quality-rate", rows).axes[0].get_ylabel() == "SI-SDR (dB)  better →"
    lower = draw("quality-rate", rows, metric="mel_dac7").axes[0].get_ylabel()
    assert lower == "mel distance (7 scales) (log10)\n← better"


def test_caption_says_n_intervals_and_what_is_special(draw: Draw) -> None:
    demo = spec("dac-mini", 1.5, "dac", demonstration=True)
    figure = draw("quality-rate", run_rows([*SEVERAL, demo]))
    said = caption_of(figure)
    for text in (
        "n = 24 clips in 12 clusters", "95 % intervals (t interval on cluster means",
        "Demo: small demonstration models", "hollow, not joined",
    ):  # fmt: skip
        assert text in said
    assert "dac-mini (demo)" in texts(figure)


def test_few_models_are_named_beside_their_curves_in_their_colour(draw: Draw) -> None:
    figure = draw("quality-rate", run_rows())
    names = {t.get_text(): t for t in figure.axes[0].texts if t.get_gid() == "name"}
    assert set(names) == {"opus", "dac-44khz", "snac-24khz"}
    assert not figure.legends
    boxes = [t.get_window_extent() for t in names.values()]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_many_models_get_a_legend(draw: Draw) -> None:
    figure = draw("quality-rate", run_rows(many(14)))
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 14
    assert not [t for t in figure.axes[0].texts if t.get_gid() == "name"]


def test_names_that_find_no_room_give_way_to_a_legend(draw: Draw) -> None:
    crowd = [spec(f"codec-with-quite-a-long-name-{i}", 1 + i / 1000, "new") for i in range(9)]
    figure = draw("quality-rate", run_rows(crowd))
    assert len(figure.legends) == 1
    assert not [t for t in figure.axes[0].texts if t.get_gid() == "name"]


def test_long_names_are_shortened_and_keep_both_ends(draw: Draw) -> None:
    long = [spec("a-model-with-a-name-that-never-wants-to-end-v2", 1.0, "new")]
    assert "a-model-with-a…ver-wants-to-end-v2" not in texts(draw("speed", run_rows(long)))
    assert "a-model-with-a-…" in texts(draw("speed", run_rows(long)))


def test_anchors_are_lines_across_or_named_where_they_lie_far_off(draw: Draw) -> None:
    near = draw("quality-rate", run_rows())
    assert "lowpass@7kHz" in [t.get_text() for t in near.axes[0].texts]
    assert len(marks(near.axes[0])) == 8
    far = draw("quality-rate", run_rows([*SNAC, *ANCHOR]))
    assert "anchors beyond the axis): lowpass@7kHz at" in caption_of(far)


def test_codecs_without_that_rate_are_listed(draw: Draw) -> None:
    figure = draw("quality-rate", run_rows([*OPUS, *SNAC]), rate="entropy")
    assert "no codec has SI-SDR scores and a rate" in texts(figure).replace("\n", " ")
    assert "Not shown (no entropy rate): opus@8kbps, opus@14kbps" in caption_of(figure)


def test_tokens_leave_out_codecs_without_tokens(draw: Draw) -> None:
    figure = draw("tokens", run_rows())
    *pairs, last = sorted(x for x, _ in marks(figure.axes[0]))
    assert last == 675
    # Where DAC and SNAC have as many tokens, they stand side by side.
    assert [np.sqrt(a * b) for a, b in (pairs[:2], pairs[2:])] == pytest.approx([150, 225])
    assert "Marks of several models at one place are drawn side by side" in caption_of(figure)
    assert "Not shown (no tokens): opus@8kbps, opus@14kbps, opus@24kbps" in caption_of(figure)


def test_speed_is_encoding_and_decoding_over_duration(draw: Draw) -> None:
    figure = draw("speed", run_rows([*OPUS, *DAC]))
    assert sorted({x for x, _ in marks(figure.axes[0])}) == pytest.approx(
        [0.1, 0.15, 0.175, 0.325], rel=1e-9
    )
    assert "median and range of repeats, on cpu" in caption_of(figure)
    assert "side by side" not in caption_of(figure)
    spreads = [line.get_xdata() for line in figure.axes[0].lines if line.get_gid() == "spread"]
    assert [0.05, 0.2] in [pytest.approx(ends) for ends in spreads]


def test_speeds_that_are_unstable_or_of_two_machines_are_said(draw: Draw) -> None:
    rows = run_rows(OPUS)
    first, second, _ = rows.codecs
    assert first.speed is not None
    first.speed = replace(first.speed, unstable="why", batch=4)
    second.speed = replace(first.speed, codec="b", machine="another", unstable="")
    caption = caption_of(draw("speed", rows))
    assert "Unstable: opus@8kbps" in caption
    assert "TIMED ON DIFFERENT MACHINES" in caption
    assert "Timed in batches" in caption
    first.speed = second.speed = None
    assert "Not shown (speed was not measured): opus@8kbps" in caption_of(draw("speed", rows))


def test_domains_have_a_panel_each_on_one_scale(draw: Draw) -> None:
    figure = draw("domains", run_rows())
    assert [a.get_title(loc="left") for a in figure.axes] == ["speech (n = 12)", "music (n = 12)"]
    first, second = figure.axes
    assert first.get_ylim() == second.get_ylim()
    assert marks(first) != marks(second)
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 3


def test_colours_are_the_same_in_every_plot(draw: Draw) -> None:
    for name in ("quality-rate", "tokens", "speed", "domains"):
        axes = draw(name, run_rows()).axes[0]
        colours = {c.lines[0].get_marker(): c.lines[0].get_color() for c in axes.containers}
        assert (colours["s"], colours["o"]) == ("#D55E00", "#0072B2"), name


def test_runs_on_different_sets_say_so(draw: Draw) -> None:
    figure = draw("quality-rate", run_rows(OPUS), run_rows(SNAC, set_sha256="cd" * 32))
    assert "DIFFERENT TEST SETS" in caption_of(figure)


def test_widths_are_those_of_a_paper(draw: Draw) -> None:
    assert draw("speed", run_rows(OPUS), width="single").get_figwidth() == 3.5
    assert draw("speed", run_rows(OPUS), width="double").get_figwidth() == 7.0


def test_one_clip_has_no_bars(draw: Draw) -> None:
    figure = draw("quality-rate", run_rows(OPUS, clips=1, domains=("speech",)))
    assert all(low == high for low, high in marks(figure.axes[0]).values())
    assert "No intervals: a single clip" in caption_of(figure)
    assert caption_of(figure).startswith("Speech, n = 1 clip.")


@pytest.mark.parametrize("name", ["quality-rate", "domains"])
def test_a_rate_that_is_a_range_is_a_band_across(
    draw: Draw, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = {"entropy_low_kbps": 1.6, "entropy_high_kbps": 2.5}
    monkeypatch.setattr(PlotData, "fact", lambda _, __, ___, column: ends.get(column))
    figure = draw(name, run_rows(DAC[:1]), rate="entropy")
    for axes in figure.axes:
        (band,) = (line for line in axes.lines if line.get_gid() == "range")
        assert tuple(band.get_xdata()) == (1.6, 2.5)
        assert [x for x, _ in marks(axes)] == pytest.approx([2.0])
    assert "the rate is a range, unreliable" in caption_of(figure)


@pytest.mark.parametrize("rate", ["coded", "conditional"])
def test_rates_of_written_bytes(draw: Draw, rate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {f"{rate}_kbps": 1.5}
    monkeypatch.setattr(PlotData, "fact", lambda _, __, ___, column: facts.get(column))
    figure = draw("quality-rate", run_rows(DAC[:1]), rate=rate)
    assert [x for x, _ in marks(figure.axes[0])] == [1.5]
    assert "entropy-coded rate" in figure.axes[0].get_xlabel()
    assert "Not shown" not in caption_of(figure)
