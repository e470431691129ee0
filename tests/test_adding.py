"""The pages on how to add something: the one file that each shows is installed, found and used."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import snacbench as sb
from snacbench import plugins
from snacbench.testsets import open_test_set
from snacbench.types import Audio
from tests.support.command_line import write_wav
from tests.support.plots import run_rows
from tests.support.plugged import install

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def added(tmp_path, monkeypatch) -> Callable[..., None]:
    """Install the file of a page, of several one, as a package of somebody's own."""

    def add(page: str, kind: plugins.Kind, *, number: int = 0, of: int = 1) -> None:
        text = (DOCS / f"{page}.md").read_text("utf-8")
        files = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        assert len(files) == of
        code = files[number]
        name = f"shown_{kind}_{number}"
        install(tmp_path / "site", name, code, kinds=(kind,))
        monkeypatch.syspath_prepend(tmp_path / "site")
        plugins.discovered.cache_clear()
        assert not plugins.refused(kind)

    yield add
    monkeypatch.undo()
    plugins.discovered.cache_clear()


def sine(peak: float) -> Audio:
    wave = np.clip(0.5 * np.sin(2 * np.pi * 441 * np.arange(44_100) / 44_100), -peak, peak)
    return Audio(wave.astype(np.float32)[None], 44_100)


def test_a_codec(added):
    added("adding-a-codec", "codecs")
    codec = sb.codec("mulaw")
    assert codec.spec.nominal_kbps == 128
    decoded = codec.roundtrip(sine(1.0))
    assert (decoded.rate_hz, decoded.samples.shape) == (16_000, (1, 16_000))
    scored = sb.score(sine(1.0), decoded, metrics=["si_sdr"])
    assert scored["value"].item() > 30  # dB


def test_a_metric(added):
    added("adding-a-metric", "metrics", of=2)
    metric = sb.metric("crest_diff")
    clipped = sine(0.1)
    found = metric(reference=sine(1.0), degraded=clipped)
    assert found == pytest.approx(20 * np.log10(np.std(clipped.samples) / 0.1 * 2**0.5), abs=1e-3)
    with pytest.raises(sb.Undefined, match="a signal is silent"):
        metric(reference=sine(1.0), degraded=sine(0.0))


def test_a_metric_of_a_set_of_clips(added):
    added("adding-a-metric", "metrics", number=1, of=2)
    spoken = Audio(sine(1.0).samples[:, :40_000], 16_000)
    of_reference, embed = plugins.metrics()["fad_levels"].embed(spoken)
    assert of_reference.shape == embed(spoken).shape == (2, 16)
    with pytest.raises(sb.Undefined, match="one pair has no value"):
        sb.metric("fad_levels")(reference=spoken, degraded=spoken)


def test_a_corpus(added, tmp_path):
    added("adding-a-corpus", "corpora")
    for name in ("anna/001", "anna/002", "ben/001"):
        write_wav(tmp_path / f"tiny-1.0/wav/{name}.wav", 1.0, 16_000)
        text = tmp_path / f"tiny-1.0/txt/{name}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(f"says {name}\n")
    found = open_test_set("tiny", root=[str(tmp_path)])
    told = [(c.id, c.cluster, c.transcript, c.licence) for c in found.clips]
    expected = [("anna", "001"), ("anna", "002"), ("ben", "001")]
    assert told == [(f"tiny/{w}/{n}", w, f"says {w}/{n}", "CC0-1.0") for w, n in expected]
    assert found.missing == ("tiny: 3 files, a complete copy has 4",)


def test_a_table_layout(added):
    from snacbench.tables.from_runs import tables_of
    from snacbench.tables.layouts import layouts

    added("adding-a-layout", "layouts")
    (table,) = tables_of([run_rows()], layouts()["speech"])
    assert [column.heading for column in table.columns][:2] == ["rate", "tokens/s"]


def test_a_plot(added):
    from snacbench.plots.drawing import plot

    added("adding-a-plot", "plots")
    rows = run_rows()
    figure = plot(rows, "boxes", metric=rows.metrics[0])
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == [codec.spec.name for codec in rows.codecs]
