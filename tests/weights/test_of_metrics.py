"""Models of metrics: from folders and hosts, recorded, and never others than those unseen."""

import hashlib
import importlib
import os
from pathlib import Path

import numpy as np
import pytest

from snacbench.errors import MissingPackage, WeightsMismatch, WeightsUnavailable
from snacbench.metrics._learned import Files, learned
from snacbench.models import HostedFile, MetricModel, WeightsSource
from snacbench.types import Audio, Metric, MetricOptions, MetricSpec
from snacbench.weights.of_metrics import absent_models, located
from tests.support.hosts import Host, Reply

SOURCE = WeightsSource("github", "owner/gain", (HostedFile("gain.json", "a/gain.json"),), "v1")
MODEL = MetricModel("gain-model", SOURCE, "MIT")
SPEC = MetricSpec("gain", "1", "higher", (0, 9), 8000, "nobody", any_length=True, default=False)
SIGNAL = Audio(np.array([[0.5, -0.25]], np.float32), 8000)


loaded: list[float] = []


def load(files: Files) -> float:
    loaded.append(float(files["gain.json"].read_text()))
    return loaded[-1]


METRIC = learned(SPEC, MODEL, load, lambda gain, _: lambda y: gain * float(y.samples.max()))


def folder_of(path: Path, gain: str) -> tuple[str, ...]:
    path.mkdir(exist_ok=True)
    (path / "gain.json").write_text(gain)
    return (f"gain-model={path}",)


def by(*weights: str, offline: bool = False, recorded: tuple[tuple[str, str], ...] = ()) -> Metric:
    return METRIC.configured(MetricOptions("", weights, offline, recorded))


def value(metric: Metric) -> float:
    return metric(reference=SIGNAL, degraded=SIGNAL)


def test_runs_of_one_process_have_each_its_own_folder_and_see_what_changes(tmp_path: Path) -> None:
    one, other = (folder_of(tmp_path / name, gain) for name, gain in (("a", "2"), ("b", "4")))
    assert [value(by(*where)) for where in (one, other, one)] == [1.0, 2.0, 1.0]
    digest = hashlib.sha256(b"2").hexdigest()[:16]
    then = by(*one).versions()["gain-model"]
    assert then == f"gain.json sha256 {digest}"
    recorded = (("gain-model", then),)
    assert value(by(*one, recorded=recorded)) == 1.0
    folder_of(tmp_path / "a", "6")
    os.utime(tmp_path / "a" / "gain.json", ns=(1, 1))
    assert value(by(*one)) == 3.0
    with pytest.raises(WeightsMismatch, match=f"gain-model have changed since .* sha256 {digest}"):
        value(by(*one, recorded=recorded))
    info = located(MODEL, by(*one).options).info
    (tmp_path / "a").rename(tmp_path / "gone")  # on a worker of a run, which this ends
    with pytest.raises(WeightsUnavailable, match="a: no such folder"):
        value(by(*one))
    assert (info.source, info.verified) == ("folder", None)


def test_one_version_before_and_after_it_is_recorded(all_hosts: Host, tmp_path: Path) -> None:
    all_hosts.replies["/a/gain.json"] = Reply(b"8")
    elsewhere = tmp_path / "codecs"  # a folder for a run's codecs, which lacks it
    elsewhere.mkdir()
    first, again = by(str(elsewhere)), by("embedded")
    loaded.clear()
    first.ready()
    assert (value(first), value(first), loaded) == (4.0, 4.0, [8.0])  # once for both
    assert located(MODEL, first.options).info.pinned_by == {"gain.json": "first use"}
    then = first.versions()
    (tmp_path / "cache" / "weights" / "gain-model" / "gain.json").touch()
    assert located(MODEL, again.options).info.pinned_by == {"gain.json": "lock"}
    assert again.versions() == then == by(*folder_of(tmp_path / "same", "8")).versions()


def test_what_does_not_load_is_told_before_a_run(tmp_path, monkeypatch):
    told = r"one/gain.json cannot be loaded as gain-model: expected the published file, found Value"
    with pytest.raises(WeightsMismatch, match=told):
        by(*folder_of(tmp_path / "one", "loud")).ready()
    (tmp_path / "unlinked.py").write_text("raise OSError('undefined symbol')")
    monkeypatch.syspath_prepend(str(tmp_path))
    metric = learned(SPEC, MODEL, lambda _: importlib.import_module("unlinked"), lambda *_: float)
    with pytest.raises(MissingPackage, match=r"unlinked .*does not load.* undefined symbol"):
        metric.configured(MetricOptions(weights=folder_of(tmp_path / "one", "2"))).ready()


def test_what_is_absent_is_named_unless_a_folder_is(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable, match="run 'snacbench weights fetch gain-model' where"):
        by(offline=True).ready()
    (said,) = absent_models([MODEL], MetricOptions(offline=True))
    assert said.startswith("gain-model: not on this disk, published at 127.0.0.1")
    assert "snacbench weights fetch gain-model" in said
    assert "--weights MODEL=DIR" in said
    named = MetricOptions(weights=folder_of(tmp_path / "a", "2"), offline=True)
    assert list(absent_models([MODEL], named)) == []
