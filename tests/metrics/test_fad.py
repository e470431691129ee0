"""Embeddings of signals: VGGish as torchvggish has it, log mel bands, and what is no embedding."""

import math
from dataclasses import replace

import numpy as np
import pytest

from snacbench.errors import Undefined, WeightsMismatch
from snacbench.metrics import fad
from snacbench.metrics._guards import set_level
from snacbench.metrics._learned import learned
from snacbench.models import HostedFile, WeightsSource
from snacbench.types import Audio, MetricOptions
from tests.support.cases import cases

TORCHVGGISH = cases(__file__)  # shapes of its weights, and what it gave


def signal():
    rng, time_s = np.random.default_rng(5), np.arange(40_000) / fad.RATE_HZ
    sweep = 0.3 * np.sin(2 * np.pi * (300 + 200 * time_s) * time_s)
    samples = sweep + 0.05 * rng.standard_normal(len(time_s))
    return Audio(samples.astype(np.float32)[None], fad.RATE_HZ)


def weights(width):
    """Random tensors, by one generator in torchvggish's order; `width` narrows all layers."""
    torch = pytest.importorskip("torch")
    rng, tensors = np.random.default_rng(0), {}
    for name, shape in TORCHVGGISH["shapes"].items():
        narrow = tuple(max(1, round(width * size)) if size > 3 else size for size in shape)
        scale = np.float32(math.sqrt(2 / np.prod(narrow[1:])))
        for part, of, gain in (("weight", narrow, scale), ("bias", narrow[:1], np.float32(0.1))):
            random = rng.standard_normal(of, dtype=np.float32) * gain
            tensors[f"{name}.{part}"] = torch.from_numpy(random)
    return tensors


def test_equals_torchvggish_with_the_same_random_weights():
    examples = fad.examples(signal())
    assert examples.shape == (2, 96, 64)
    np.testing.assert_allclose(examples[:, ::40, ::20], TORCHVGGISH["examples"], atol=2e-6)
    found = fad.vggish(weights(1 / 8), examples)
    assert found.shape == (2, 16)
    np.testing.assert_allclose(found[:, ::2], TORCHVGGISH["embeddings"], rtol=1e-4, atol=1e-4)


@pytest.fixture
def model(tmp_path):
    """VGGish in a folder, with narrow layers of the published names; and its folder."""
    torch = pytest.importorskip("torch")
    torch.save(weights(1 / 32), tmp_path / fad._FILE)
    source = WeightsSource("github", fad._REPOSITORY, (HostedFile(fad._FILE, "nowhere"),))
    return replace(fad.VGGISH, source=source), tmp_path


def test_embeddings_by_files_in_a_folder_and_few_examples_at_once(model, monkeypatch):
    vggish, folder = model
    metric = learned(fad.FAD, vggish, fad.load, fad.by_vggish, checked=set_level)
    metric = metric.configured(MetricOptions(weights=(f"vggish={folder}",), offline=True))
    metric.ready()
    of_reference, embed = metric.embed(signal())
    assert (of_reference.shape, of_reference.dtype) == ((2, 4), np.float16)
    monkeypatch.setattr(fad, "_AT_ONCE", 1)
    np.testing.assert_array_equal(embed(signal()), of_reference)
    expected = fad.vggish(weights(1 / 32), fad.examples(signal()))
    np.testing.assert_array_equal(of_reference, expected.astype(np.float16))
    torch = pytest.importorskip("torch")
    torch.save({"features.0.weight": torch.zeros(1)}, folder / fad._FILE)
    with pytest.raises(WeightsMismatch, match="cannot be loaded as vggish"):
        metric.ready()


def test_log_mel_embeddings_are_means_and_deviations_of_bands():
    found = fad.by_log_mel(signal())
    pieces = fad.examples(signal())
    np.testing.assert_allclose(found[1, :64], pieces[1].mean(axis=0))
    np.testing.assert_allclose(found[1, 64:], pieces[1].std(axis=0))
    assert fad.by_log_mel(Audio(np.zeros((1, 16_000), np.float32), 16_000))[0, 64:].max() < 1e-12


@pytest.mark.parametrize("metric", fad.METRICS[2:], ids=lambda metric: metric.spec.name)
def test_what_has_no_embedding(metric):
    audio = signal()
    brief, silent = Audio(audio.samples[:, :15_599], 16_000), Audio(0 * audio.samples, 16_000)
    with pytest.raises(Undefined, match=r"too short: the reference lasts 0\.975 s, 0\.975 s"):
        metric.embed(brief)
    with pytest.raises(Undefined, match="the reference is silent"):
        metric.embed(silent)
    of_reference, embed = metric.embed(audio)
    assert of_reference.shape == embed(silent).shape == (2, 128)  # silence counts
    with pytest.raises(Undefined, match="cut or pad"):
        embed(Audio(audio.samples[:, :-200], 16_000))
    with pytest.raises(Undefined, match="one pair has no value; score a set of clips"):
        metric(reference=audio, degraded=audio)


def test_embeddings_beyond_float16_are_none():
    metric = set_level(fad.FAD, lambda audio: np.full((1, 2), 1e6))
    with pytest.raises(Undefined, match=r"must be finite float16, up to 65504; found others"):
        metric.embed(signal())
