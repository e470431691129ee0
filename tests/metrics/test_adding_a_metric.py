"""The page on how a metric is added: its one file, scored by name."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import snacbench as sb
from snacbench import plugins
from snacbench.types import Audio
from tests.support import plugged

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-metric.md"


def test_the_file_of_the_page_adds_a_metric(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    plugged.install(tmp_path, "crest_metric", code, kinds=("metrics",))
    monkeypatch.syspath_prepend(tmp_path)
    plugins.discovered.cache_clear()
    try:
        metric = sb.metric("crest_diff")
        assert str(plugins.origin_of(plugins.metrics()["crest_diff"])) == "crest_metric 1.0"
    finally:
        plugins.discovered.cache_clear()
    sine = 0.5 * np.sin(2 * np.pi * 441 * np.arange(44_100) / 44_100)
    x, y = (Audio(s.astype(np.float32)[None], 44_100) for s in (sine, np.clip(sine, -0.1, 0.1)))
    found = metric(reference=x, degraded=y)
    assert found == pytest.approx(20 * np.log10(np.std(y.samples) / 0.1 * np.sqrt(2)), abs=1e-3)
    with pytest.raises(sb.Undefined, match="a signal is silent"):
        metric(reference=x, degraded=Audio(np.zeros((1, 44_100), np.float32), 44_100))
