"""The pages on how to add something: the one file that each shows is installed, found and used."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import snacbench as sb
from snacbench import plugins
from snacbench.bitstream.container import parse
from snacbench.rows import Bits, Coded, SpotCheck
from snacbench.store.run_folder import RunFolder
from snacbench.tables.from_runs import summary_frame
from snacbench.tables.run_rows import RunRows, scores_frame
from snacbench.testsets import open_test_set
from snacbench.types import Audio
from snacbench.units import bits_per_code
from tests.conftest import broadband
from tests.support.command_line import FAST, call, run_in, write_wav
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
        install(tmp_path / "site", f"shown_{kind}_{number}", code, kinds=(kind,))
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
    added("adding-a-codec", "codecs", of=2)
    codec = sb.codec("mulaw")
    assert codec.spec.nominal_kbps == 128
    decoded = codec.roundtrip(sine(1.0))
    assert (decoded.rate_hz, decoded.samples.shape) == (16_000, (1, 16_000))
    assert sb.score(sine(1.0), decoded, metrics=["si_sdr"])["value"].item() > 30  # dB


@pytest.fixture(scope="module")
def hum(tmp_path_factory):
    """A run of the codec with segments: of a tone in silence, and of noise."""
    folder = tmp_path_factory.mktemp("hum")
    text = (DOCS / "adding-a-codec.md").read_text("utf-8")
    (folder / "hum.py").write_text(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[1])
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)
    for name, samples in (
        ("music/tone", wave),
        ("speech/noise", broadband(2.0, 16_000).samples[0]),
    ):
        path = folder / f"clips/{name}.wav"
        path.parent.mkdir(parents=True)
        soundfile.write(path, np.where(np.arange(32_000) < 16_000, 0, samples), 16_000)
    codecs = ("--codecs", "hum.py@16frames,hum.py@4frames,lowpass@3.5kHz", "--data", "clips")
    run_in(folder, "run", *codecs, "--keep-codes", "-o", "r", *FAST)
    return RunFolder.open(folder / "r")


def test_a_codec_with_segments_has_the_rates_of_its_file(hum):
    rows = [row for row in hum.read(Coded) if row.codes and row.tokens]
    assert len(rows) == 4
    assert all(row.passed for row in hum.read(SpotCheck))
    for row in rows:
        summary = parse((hum.path / row.codes).read_bytes())
        (lengths,) = summary.parts[0].encoded.segment_lengths
        longest = int(row.codec.removeprefix("hum@").removesuffix("frames"))
        assert (lengths.sum(), lengths.max()) == (100, longest)  # 2 s at 50 Hz; silence
        *parts, whole = summary.costs.values()
        assert sum(parts) == whole == (hum.path / row.codes).stat().st_size
        count, each = len(lengths), bits_per_code(longest)
        assert summary.bits == row.bits == Bits(8 * count, each * count)
        assert (summary.costs["side_info"], row.tokens) == (-(-each * count // 8), 2 * count)
        by_frame = np.sort(np.repeat(50 * (8 + each) / lengths / 1000, lengths))
        assert [*vars(row.rate).values()] == pytest.approx([*by_frame[[4, 49, 94]]])
    highest = {(row.codec, row.domain): row.rate.high_kbps for row in rows}
    assert highest["hum@16frames", "music"] < highest["hum@16frames", "speech"] == 0.6


def test_a_codec_with_segments_goes_through_tables_coders_and_resume(hum):
    from snacbench.plots.drawing import plot

    rows = list(hum.read(Coded))
    row = next(r for r in rows if (r.codec, r.domain) == ("hum@16frames", "music"))
    of = "codec == 'hum@16frames' and domain == 'music'"
    (found,) = summary_frame([RunRows.load(hum)]).query(of).to_dict("records")
    ends = [found[f"over_time_kbps{end}"] for end in ("_low", "", "_high")]
    assert ends == pytest.approx([*vars(row.rate).values()])
    of_clips = scores_frame(hum).query(of)["tokens_per_s"]
    assert {*of_clips, found["tokens_per_s"]} == {row.tokens / 2.0}
    for verb, said, *options in (
        ("entropy", "context", "--codecs", "hum"),
        ("rates", "Spread of the rates, speech", "--by", "domain", "--codebooks"),
        ("table", "- Over time: the rate within clips"),
    ):
        assert said in call(verb, hum.path, *options).output
    lines = [
        x for x in plot(RunRows.load(hum), "rates").axes[0].lines if x.get_gid() == "over_time"
    ]
    assert [*lines[1].get_xdata()] == pytest.approx(ends[::2])  # the second domain is music
    assert len(lines) == 4
    run_in(hum.path.parent, "check-codec", "hum.py@16frames")
    file = hum.path / "coded.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:1]))
    run_in(hum.path.parent, "run", "--resume", "r", "--jobs", "1")
    again = {(r.codec, r.clip): (r.bits, r.rate, r.codes_sha256) for r in hum.read(Coded)}
    assert again == {(r.codec, r.clip): (r.bits, r.rate, r.codes_sha256) for r in rows}


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
