"""Speaker similarity: vectors as the networks' own code computes them, and what has no value."""

import functools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torchaudio

from snacbench.errors import Undefined, WeightsMismatch
from snacbench.metrics import _speaker_networks as networks
from snacbench.metrics import speaker_similarity
from snacbench.types import Audio, MetricOptions
from snacbench.weights.policy import weights_folder
from tests.conftest import clip_at
from tests.support import speaker_models
from tests.support.speaker_models import RATE_HZ, RECORDED, voices

METRICS = {m.spec.name.removeprefix("speaker_sim_"): m for m in speaker_similarity.METRICS}
FETCHED = weights_folder() / "resemblyzer"  # the user's, before tests have a cache of their own
MODELS = dict(zip(METRICS, speaker_similarity.MODELS, strict=True))


@pytest.fixture(autouse=True)
def small_wavlm(monkeypatch):
    """Torchaudio's WavLM at the size of the small files."""
    layers = [(16, width, stride) for width, stride in [(10, 5), *[(3, 2)] * 4, *[(2, 2)] * 2]]
    sizes = ("layer_norm", layers, False, 32, 0.0, 128, 16, 3, 4, 320, 800, 0.0, 48, 0.0, 0.0)
    small = functools.partial(torchaudio.models.wavlm_model, *sizes, True, 0.0, None)
    monkeypatch.setattr(torchaudio.models, "wavlm_large", small)


def embedding(name, folder):
    files = {file.name: folder / file.name for file in MODELS[name].source.files}
    return getattr(networks, name)(files)


def in_folder(name, folder):
    """A metric that takes whatever files are in a folder for those of its model."""
    model = MODELS[name]
    files = tuple(replace(file, sha256="") for file in model.source.files)
    unpinned = replace(model, source=replace(model.source, files=files))
    given = MetricOptions(weights=(f"{model.name}={folder}",), offline=True)
    return speaker_similarity._metric(name, unpinned, "").configured(given)


@pytest.mark.parametrize("name", RECORDED)
def test_vectors_are_those_of_the_defining_code(name, tmp_path):
    if name == "resemblyzer":
        pytest.importorskip("webrtcvad")
    embed = embedding(name, speaker_models.write(name, tmp_path))
    vectors = {voice: embed(audio) for voice, audio in voices().items()}
    recorded = RECORDED[name]
    for voice, vector in vectors.items():
        assert vector[:6].tolist() == pytest.approx(recorded["vectors"][voice], rel=1e-4, abs=1e-5)
        found = speaker_similarity.cosine(vectors["slt_market"], vector)
        assert found == pytest.approx(recorded["similarities"][voice], abs=1e-6), voice


@pytest.mark.parametrize("normalise", [True, False])
def test_wavlm_base_plus_is_what_transformers_computes(normalise, tmp_path):
    transformers = pytest.importorskip("transformers")
    folder = speaker_models.write_xvector(tmp_path, normalise=normalise)
    model = transformers.WavLMForXVector.from_pretrained(folder)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    metric, x = in_folder("wavlm_base_plus", folder), voices()["slt_market"]
    metric.ready()
    assert "pytorch_model.bin sha256" in metric.versions()["wavlm-base-plus-sv"]
    score = metric.prepare(x)
    for voice, y in voices().items():
        given = [audio.samples[0] for audio in (x, y)]
        heard = extractor(given, sampling_rate=RATE_HZ, return_tensors="pt", padding=True)
        with torch.inference_mode():
            one, other = model(**heard).embeddings
        expected = float(torch.nn.functional.cosine_similarity(one, other, dim=0))
        assert score(degraded=y) == pytest.approx(expected, abs=1e-5), voice
    assert score(degraded=voices()["awb_weather"]) < 0.9999 < score(degraded=x) <= 1


@pytest.mark.parametrize("name", ["wavlm_large", "ecapa"])
def test_a_run_scores_with_a_folder_of_files_and_says_what_has_no_value(name, tmp_path):
    metric = in_folder(name, speaker_models.write(name, tmp_path))
    metric.ready()
    x, y = voices()["slt_market"], voices()["awb_weather"]
    longer = Audio(np.tile(y.samples, 2), RATE_HZ)
    found = metric(reference=x, degraded=y)
    assert found == pytest.approx(RECORDED[name]["similarities"]["awb_weather"], abs=1e-5)
    assert -1 <= metric(reference=x, degraded=longer) < 1
    short = Audio(y.samples[:, : RATE_HZ // 3], RATE_HZ)
    silent = Audio(np.zeros_like(y.samples), RATE_HZ)
    for bad, said in ((short, r"lasts 0\.333 s, 0\.500 s are needed"), (silent, "is silent")):
        for pair, which in (((bad, y), "reference"), ((x, bad), "degraded signal")):
            with pytest.raises(Undefined, match=f"the {which} {said}"):
                metric(reference=pair[0], degraded=pair[1])
    least = Audio(x.samples[:, 8000:16000], RATE_HZ)
    assert metric(reference=least, degraded=least) == pytest.approx(1)


@pytest.mark.parametrize(("name", "file"), [
    ("wavlm_large", "wavlm_large_finetune.pth"), ("ecapa", "embedding_model.ckpt"),
])  # fmt: skip
def test_files_that_are_not_the_published_ones(name, file, tmp_path):
    speaker_models.write(name, tmp_path)
    model = MODELS[name].name
    pinned = METRICS[name].configured(MetricOptions(weights=(f"{model}={tmp_path}",)))
    with pytest.raises(WeightsMismatch, match=f"holds other weights than the published {model}"):
        pinned.ready()
    theirs = torch.load(tmp_path / file, weights_only=True)
    tensors = theirs.get("model", theirs)
    tensors.pop(next(key for key in tensors if key.endswith("running_mean")))
    torch.save(theirs, tmp_path / file)
    with pytest.raises(WeightsMismatch, match=f"cannot be loaded as {model}.*running_mean"):
        in_folder(name, tmp_path).ready()


def test_what_is_no_number_stays_none():
    assert math.isnan(speaker_similarity.cosine(torch.zeros(2), torch.ones(2)))


def test_voices_are_found_before_resemblyzer_hears_them(tmp_path):
    pytest.importorskip("webrtcvad")
    x = voices()["slt_market"].samples[0]
    pause = np.zeros(RATE_HZ, np.float32)
    voiced = networks.voiced(np.concatenate([x, pause, x, pause]))
    assert 2 * len(networks.voiced(x)) < len(voiced) < 2.2 * len(x)
    assert np.sqrt(np.mean(networks.voiced(0.001 * x) ** 2)) > 10 ** (-30 / 20)
    embed = embedding("resemblyzer", speaker_models.write("resemblyzer", tmp_path))
    word = Audio(np.concatenate([x[8000:11000], pause])[np.newaxis], RATE_HZ)
    with pytest.raises(Undefined, match=r"too short: the detector finds 0\.240 s of voice in 1\.1"):
        embed(word)
    for seconds, partials in ((0.5, 1), (1.6, 1), (1.9, 1), (2.0, 2), (2.7, 2), (2.8, 3)):
        samples = np.resize(x, round(seconds * RATE_HZ))
        assert networks.mel_partials(samples).shape == (partials, 160, 40), seconds


@pytest.mark.skipif(not FETCHED.is_dir(), reason="run snacbench weights fetch resemblyzer")
def test_published_resemblyzer_is_the_package_and_tells_speakers_apart(shared):
    pytest.importorskip("webrtcvad")
    given = MetricOptions(weights=(f"resemblyzer={FETCHED}",), offline=True)
    metric, x = METRICS["resemblyzer"].configured(given), voices()["slt_market"]
    for voice, y in voices().items():
        expected = RECORDED["resemblyzer"]["published"][voice]
        assert metric(reference=x, degraded=y) == pytest.approx(expected, abs=1e-5), voice
    folder = shared / "audio" / "eval" / "speech"
    names = ("ljspeech_0004", "ljspeech_0005", "kerstin_0322", "two_cities_a")
    first, same, *others = (clip_at(folder / f"{n}.flac", RATE_HZ, seconds=5) for n in names)
    score = metric.prepare(first)
    assert score(degraded=first) == pytest.approx(1)
    assert score(degraded=same) > 0.8 > max(score(degraded=other) for other in others)
