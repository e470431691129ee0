"""The mappings, against visqol-python's, which run LIBSVM and TensorFlow Lite themselves."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from visqol import quality_mapper, visqol_manager

from snacbench.errors import MissingPackage
from snacbench.metrics import _visqol_map
from snacbench.metrics._visqol_map import Features, mapper


def features(seed: int, bands: int) -> Features:
    rng = np.random.default_rng(seed)
    means = np.clip(rng.uniform(0.2, 1.05) + 0.2 * rng.standard_normal(bands), -0.2, 1)
    return Features(
        means=means,
        lowest_means=means - 0.1 * rng.random(bands),
        deviations=0.2 * rng.random(bands),
        energies=40 * rng.random(bands),
    )


def of_package(program: quality_mapper.SimilarityToQualityMapper, seen: Features) -> float:
    return float(
        program.predict_quality(seen.means, seen.lowest_means, seen.deviations, seen.energies)
    )


def test_support_vector_regression_is_that_of_libsvm():
    model = _visqol_map._model(_visqol_map.SUPPORT_VECTORS)
    program = quality_mapper.SvrSimilarityToQualityMapper(str(model))
    program.init()
    for seed in range(20):
        seen = features(seed, 32)
        assert mapper("audio")(seen) == pytest.approx(of_package(program, seen), abs=1e-9)


def test_lattice_is_that_of_tensorflow_lite():
    program = quality_mapper.TFLiteSpeechQualityMapper(visqol_manager._DEFAULT_LATTICE_MODEL)
    program.init()
    for seed in range(20):
        seen = features(seed, 21)
        assert mapper("speech")(seen) == of_package(program, seen)


@pytest.mark.parametrize(
    ("mode", "scaled"), [("speech_exponential", True), ("speech_exponential_unscaled", False)]
)
def test_exponential(mode, scaled):
    program = quality_mapper.SpeechSimilarityToQualityMapper(scale_to_max_mos=scaled)
    for seed in range(20):
        seen = features(seed, 21)
        assert mapper(mode)(seen) == pytest.approx(of_package(program, seen), abs=1e-9)


def test_a_model_is_loaded_once():
    assert mapper("audio") is mapper("audio")


def test_package_with_the_models_is_missing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match="comes with the package visqol-python"):
        _visqol_map._model("any")
