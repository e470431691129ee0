"""What plots read of runs."""

from __future__ import annotations

import pytest

from snacbench.errors import UserError
from snacbench.plots._data import PlotData
from snacbench.stats.intervals import mean_interval
from snacbench.tables.run_rows import scores_of
from tests.plots.synthetic import DAC, OPUS, SNAC, run_rows


def test_what_the_run_lacks_is_named() -> None:
    data = PlotData([run_rows()])
    assert data.check_metric("si_sdr") == "si_sdr"
    with pytest.raises(UserError, match="was not scored with 'si_sd'; did you mean si_sdr"):
        data.check_metric("si_sd")
    with pytest.raises(UserError, match="no clips of 'environment'; there are: speech, music, all"):
        data.check_domain("environment")
    with pytest.raises(UserError, match="no codec 'opus@9kbps'; did you mean opus@8kbps"):
        data.check_codec("opus@9kbps")
    with pytest.raises(UserError, match="no scores; add some with 'snacbench score RUN'"):
        PlotData([run_rows(metrics=())]).check_metric("si_sdr")


def test_intervals_are_those_of_the_statistics() -> None:
    rows = run_rows(OPUS)
    found = PlotData([rows]).intervals("si_sdr", "speech")["opus@14kbps"]
    values = [v for v, c in zip(_values(rows), rows.clips, strict=True) if c.domain == "speech"]
    clusters = [c.cluster for c in rows.clips if c.domain == "speech"]
    assert found == mean_interval(values, clusters)


def _values(rows) -> list[float]:
    return [float(v) for v in rows.codecs[1].scores["si_sdr"]["value"]]


def test_a_codec_of_two_runs_is_taken_from_the_first() -> None:
    first, second = run_rows([*OPUS, *SNAC]), run_rows([*OPUS, *DAC], clips=20)
    data = PlotData([first, second])
    assert data.repeated == tuple(s.name for s in OPUS)
    assert len(scores_of(data.runs, "si_sdr", "all")["opus@8kbps"]) == 24
    # Means beside each other are over the clips that all have.
    assert {mean.n for mean in data.intervals("si_sdr", "all").values()} == {20}
    assert data.lost("si_sdr", "all").startswith("means: over the 20 clips that all codecs have")


def test_codecs_without_a_value_are_absent() -> None:
    data = PlotData([run_rows(OPUS, without=[("opus@8kbps", "si_sdr")])])
    assert set(data.intervals("si_sdr", "all")) == {"opus@14kbps", "opus@24kbps"}
    assert data.differences("si_sdr", "all", "opus@8kbps") == []
    assert data.fact("opus@8kbps", "all", "entropy_kbps") is None
    assert data.fact("opus@8kbps", "all", "actual_kbps") == pytest.approx(8.16)
