"""The training tool, on seconds of synthetic audio and tiny networks."""

from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("snac")
pytest.importorskip("dac")
pytest.importorskip("encodec")

from tests.support.cases import cases
from tools.train_minis import data, evaluate, export, models, quantize

pytestmark = pytest.mark.tools

FAMILIES = ("snac", "dac", "encodec")
RATE_HZ = models.SAMPLE_RATE_HZ
NUM_CODES = 128
TINY: dict[str, dict[str, Any]] = cases(__file__)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    for name, architecture in TINY.items():
        monkeypatch.setitem(models.ARCHITECTURES, name, architecture)


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
        how = {"seed": 0, "fit_projections": family != "encodec"}
        quantize.fit_codebooks(models.stages_of(model, family), model.encoder(many), **how)
    return model


@pytest.mark.parametrize("family", FAMILIES)
def test_saved_model_loads_strictly_and_round_trips(family, corpus, tmp_path):
    config = export.config_of(f"{family}-mini", {})
    size = export.save_model(tmp_path, fitted(family, corpus), config)
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
