"""Lyra V2 with Google's own models: the one published neural codec that tests can run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from snacbench.errors import WeightsMismatch, WeightsUnavailable
from snacbench.models import LocatedWeights
from snacbench.plugins import codec_models
from snacbench.rate.bits import bits_of
from snacbench.selectors import select
from snacbench.types import Codec, WeightsInfo
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.conftest import broadband, clip_at, si_sdr_db


def load(selector: str, folder: Path) -> Codec:
    ((model, spec),) = select(selector)
    return model.load(spec, locate(model, WeightsPolicy("auto", {"lyra-v2": folder})), "cpu")


def test_rates_are_exact_and_a_folder_must_be_named(monkeypatch):
    points = codec_models()["lyra-v2"].points
    assert [(p.nominal_kbps, len(p.streams)) for p in points] == [(3.2, 16), (6.0, 30), (9.2, 46)]
    monkeypatch.delenv("SNACBENCH_LYRA_DIR", raising=False)
    with pytest.raises(WeightsUnavailable, match=r"github.com/google/lyra.*SNACBENCH_LYRA_DIR"):
        locate(codec_models()["lyra-v2"], WeightsPolicy("embedded"))


def test_files_that_are_no_models_are_refused(tmp_path):
    model, spec = select("lyra-v2@6")[0]
    files = {}
    for hosted in model.source.files if model.source else ():
        files[hosted.name] = tmp_path / hosted.name
        files[hosted.name].write_bytes(b"not a model")
    with pytest.raises(WeightsMismatch, match="is not a TFLite model"):
        model.load(spec, LocatedWeights(files, WeightsInfo("folder")), "cpu")
    with pytest.raises(WeightsMismatch, match="cannot run without weights"):
        model.load(spec, None, "cpu")


@pytest.mark.lyra
def test_real_models_keep_lengths_and_are_better_at_higher_rates(lyra_folder, shared):
    speech = clip_at(shared / "audio/eval/speech/lyra_sample1.flac", 16_000)
    measured = []
    for kbps, quantizers in (("3.2", 16), ("6", 30), ("9.2", 46)):
        codec = load(f"lyra-v2@{kbps}", lyra_folder)
        measured.append(si_sdr_db(speech, codec.decode(codec.encode(speech), seed=0)))
        for samples in (1, 320, 8_001):
            encoded = codec.encode(broadband(samples / 16_000, 16_000))
            first, again = codec.decode(encoded, seed=0), codec.decode(encoded, seed=0)
            assert first.num_samples == samples
            assert np.array_equal(first.samples, again.samples)
            assert bits_of(encoded, codec.spec).codes == 4 * quantizers * -(-samples // 320)
    assert measured == sorted(measured)
    assert 4.0 < measured[0] < measured[-1] < 10.0
