"""The training tool, on seconds of synthetic audio and tiny networks."""

import csv
import functools
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import torch

pytest.importorskip("snac")
pytest.importorskip("dac")
pytest.importorskip("encodec")

from tools.train_minis import card, data, evaluate, export, models, quantize, train

pytestmark = pytest.mark.tools

FAMILIES = ("snac", "dac", "encodec")
RATE_HZ = models.SAMPLE_RATE_HZ
NUM_CODES = 128


COMMON = {"codebook_size": NUM_CODES, "codebook_dim": 8, "encoder_dim": 4, "decoder_dim": 32}
# The three architectures, tiny.
TINY: dict[str, dict[str, Any]] = {
    "snac-mini": {
        "family": "snac", "hop": 160, "num_codebooks": 3,
        "model": {
            "sampling_rate": RATE_HZ, "encoder_rates": [2, 4, 4, 5], "decoder_rates": [5, 4, 4, 2],
            "attn_window_size": None, "vq_strides": [4, 2, 1], **COMMON,
        },
    },
    "dac-mini": {
        "family": "dac", "hop": 320, "num_codebooks": 4,
        "model": {
            "sample_rate": RATE_HZ, "encoder_rates": [2, 4, 5, 8], "decoder_rates": [8, 5, 4, 2],
            "latent_dim": 16, "n_codebooks": 4, **COMMON,
        },
    },
    "encodec-mini": {
        "family": "encodec", "hop": 320, "num_codebooks": 4,
        "model": {
            "encoder": {
                "channels": 1, "dimension": 16, "n_filters": 4, "norm": "weight_norm",
                "causal": True, "ratios": [8, 5, 4, 2], "lstm": 0,
            },
            "quantizer": {"dimension": 16, "n_q": 4, "bins": NUM_CODES},
            "target_bandwidths": [1.5, 3.0],
        },
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def short_and_exact(monkeypatch):
    """Tiny networks, a few steps on short segments, and one thread, so that resuming is exact."""

    def plans(options):
        names = ("autoencoder", "refine", "decoder")
        return [
            train.StagePlan(name, steps, 2, 2560, 2e-3, 1e-3, flip=name != "autoencoder")
            for name, steps in zip(names, options.steps, strict=True)
        ]

    for name, architecture in TINY.items():
        monkeypatch.setitem(models.ARCHITECTURES, name, architecture)
    monkeypatch.setattr(train.Options, "plans", property(plans))
    held_out = functools.partial(data.held_out_batch, size=2, duration_s=0.32)
    monkeypatch.setattr(train, "held_out_batch", held_out)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def harmonic_clip(pitch_hz, duration_s=4.0):
    """Return a vibrato tone with overtones and a little noise."""
    time_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * pitch_hz * time_s + 2 * np.sin(2 * np.pi * 3 * time_s)
    tone = sum(np.sin(k * phase) / k for k in range(1, 6))
    noise = np.random.default_rng(int(pitch_hz)).standard_normal(len(time_s))
    return (0.1 * tone + 0.01 * noise).astype(np.float32)


@pytest.fixture
def corpus():
    """Return three synthetic clips, one of them held out."""
    clips = [harmonic_clip(pitch_hz) for pitch_hz in (110, 165, 220)]
    return data.Corpus({"speech": clips[:2]}, {"speech": clips[2:]})


def tiny_options(family, **changes):
    """Return options for a run of 4 + 4 + 6 steps."""
    values = {"steps": (4, 4, 6), "fit_segments": 10, "checkpoint_every": 5}
    return train.Options(f"{family}-mini", **(values | changes))


def built(family):
    """Return the untrained tiny model of a family."""
    torch.manual_seed(0)
    return models.build(family, models.ARCHITECTURES[f"{family}-mini"]["model"])


def fitted(family, corpus):
    """A model whose codebooks are fitted to latents."""
    draws = np.random.default_rng(0)
    few, many = (data.draw_batch(corpus.train, draws, size=n, num_samples=3840) for n in (4, 12))
    model = built(family)
    models.initialise(model, family, few)
    with torch.no_grad():
        quantize.fit_codebooks(
            models.stages_of(model, family), model.encoder(many), seed=0,
            fit_projections=family != "encodec",
        )  # fmt: skip
    return model


@pytest.mark.parametrize("family", FAMILIES)
def test_resumed_run_equals_uninterrupted_run(family, corpus, tmp_path):
    options, lines = tiny_options(family), list[dict[str, Any]]()

    def run_to(name, stop_after):
        checkpoint = tmp_path / name
        run = train.start_or_resume(options, corpus, checkpoint)
        return train.train(
            run, corpus, train.Journal(checkpoint, lines.append), stop_after=stop_after
        )

    whole = run_to("whole.pt", None)
    assert lines[0]["stage"] == "autoencoder"
    run_to("parts.pt", 11)  # its last checkpoint lies inside the second stage
    resumed = run_to("parts.pt", None)
    for key, value in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[key], value, rtol=0, atol=0)
    with pytest.raises(ValueError, match="give the same options, or another state folder"):
        train.start_or_resume(tiny_options(family, seed=1), corpus, tmp_path / "parts.pt")


@pytest.mark.parametrize("family", FAMILIES)
def test_saved_model_loads_strictly_and_round_trips(family, corpus, tmp_path):
    size = export.save_model(
        tmp_path, fitted(family, corpus), export.config_of(f"{family}-mini", {})
    )
    assert size < export.MAX_BYTES
    loaded, config = export.load_model(tmp_path)
    audio = torch.from_numpy(harmonic_clip(140, 1.0))[None, None]
    with torch.inference_mode():
        codes = evaluate.encode(loaded, family, audio)
        for depth in range(1, len(codes) + 1):
            decoded = evaluate.decode(loaded, family, codes[:depth], audio.shape[-1])
            assert decoded.shape == (1, audio.shape[-1])
            assert torch.isfinite(decoded).all()
    rates = np.cumsum(config["codebook_rates_hz"]) * np.log2(NUM_CODES) / 1000
    np.testing.assert_allclose(rates, config["bitrate_ladder_kbps"])


def test_evaluation_and_card(corpus, tmp_path):
    model = fitted("encodec", corpus)
    plans = tiny_options("encodec").plans
    training = {"seed": 0, "cpu_minutes": 1, "stages": [vars(plan) for plan in plans]}
    config = export.config_of("encodec-mini", training)
    export.save_model(tmp_path, model, config)
    header = ["path", "domain", "duration_s", "source_package", "licence"]
    with (tmp_path / "manifest.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([header, ["a.wav", "speech", 4.0, "synthetic", "CC0-1.0"]])
    sf.write(tmp_path / "a.wav", harmonic_clip(180), RATE_HZ)
    results = evaluate.evaluate(tmp_path, tmp_path / "manifest.csv")
    assert len(results["scores"]) == len(results["efficiency"]) == 4
    sources = card.summarise_sources(tmp_path / "manifest.csv")
    card.write_card(tmp_path / "CARD.md", config, results, sources)
    text = (tmp_path / "CARD.md").read_text()
    assert "A demonstration model, not a published EnCodec" in text
    assert "**missed**" in text
    assert str(tmp_path) not in text


def test_what_cannot_be_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="expected folders such as speech/"):
        data.load_corpus(tmp_path)
    with pytest.raises(ValueError, match="expected 'snac', 'dac' or 'encodec'"):
        models.build("mp3", {})
    model: Any = built("dac")
    with monkeypatch.context() as patched:
        patched.setattr(export, "MAX_BYTES", 1000)
        with pytest.raises(ValueError, match="narrow the model"):
            export.save_model(tmp_path, model, export.config_of("dac-mini", {}))
    with torch.no_grad():
        model.quantizer.quantizers[0].codebook.weight[0, 0] = 1e6
    with pytest.raises(ValueError, match="not finite in half precision"):
        export.save_model(tmp_path, model, export.config_of("dac-mini", {}))
