"""The benchmark compares like with like."""

import pytest

from benchmarks import _costs, _processes, metrics
from benchmarks._material import Item
from benchmarks._memory import held_by
from benchmarks._ours import default_metrics, score_together
from benchmarks._peers import score_all
from benchmarks._processes import Pace, throughput_ratio
from snacbench.plugins import metrics as all_metrics
from tests.metrics.conftest import at_snr, voice

pytestmark = pytest.mark.tools


@pytest.fixture(scope="module")
def item():
    x = voice(44_100, 2.0)
    return Item("speech", x, (at_snr(x, 30), at_snr(x, 20, seed=2)))


def test_peers_score_what_we_score(item):
    chosen = default_metrics("speech")
    specs = [metric.spec for metric in chosen]
    ours = score_together(chosen, item, len(item.degraded))
    for degraded in item.degraded:
        theirs = score_all(item.reference, degraded, specs)
        assert theirs.keys() == {spec.name for spec in specs} - {"si_sdr_aligned"}
        for spec in specs:
            value = next(ours)
            if spec.name in theirs:  # other resamplers, so other digits
                assert value == pytest.approx(theirs[spec.name], rel=0.03, abs=0.03), spec.name


def test_costs_and_memory_of_a_metric(item, monkeypatch):
    monkeypatch.setattr(_costs, "PER_REFERENCE", (1, 2))
    costs = _costs.of_metric(all_metrics()["waveform_l1"], [item], 1)
    assert costs.ours.keys() == {1, 2}
    assert costs.ratio(2) == costs.peers / costs.ours[2]
    with pytest.raises(ValueError, match="loudness_diff_lu has no peer to compare with"):
        _costs.of_metric(all_metrics()["loudness_diff_lu"], [item], 1)
    with pytest.raises(SystemExit, match="no clip of the domain music"):
        metrics._print_items([item])
    held = held_by(all_metrics()["mel_dac7"], item)
    assert 500 < held.kept_kib < held.peak_kib < 5000
    assert _processes.peak_of("ours", item) > 100


def test_two_processes_by_the_clock_that_means_something():
    one, two = Pace(1, 10.0, 9.9), Pace(2, 10.5, 10.4)
    assert throughput_ratio(one, two) == (20 / 10.5, "wall time")
    ratio, clock = throughput_ratio(Pace(1, 40.0, 10.0), two)
    assert ratio == pytest.approx(2 * 10 / 10.4)
    assert clock.startswith("CPU time")
