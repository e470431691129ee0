from __future__ import annotations

import numpy as np
import pytest

from snacbench.errors import Undefined
from snacbench.metrics import _guards
from snacbench.metrics._provenance import versions_of
from snacbench.metrics.si_sdr import SI_SDR
from snacbench.types import Audio


def test_finite_passes_numbers_and_refuses_the_rest():
    assert _guards.finite(1.5, SI_SDR) == 1.5
    for value in (float("nan"), float("inf"), float("-inf")):
        with pytest.raises(Undefined, match="si_sdr came out as"):
            _guards.finite(value, SI_SDR)


def test_durations():
    audio = Audio(np.ones((1, 800), np.float32), 8000)
    _guards.min_duration(audio, 0.1, which="reference")
    _guards.max_duration(audio, 0.1, which="reference")
    with pytest.raises(Undefined, match=r"too short: the reference lasts 0\.100 s, 0\.200 s are"):
        _guards.min_duration(audio, 0.2, which="reference")
    with pytest.raises(Undefined, match=r"too long: the reference lasts 0\.100 s, at most 0\.050"):
        _guards.max_duration(audio, 0.05, which="reference")


def test_one_silent_channel_is_named():
    audio = Audio(np.array([[0.1, 0.2], [0.3, 0.3]], np.float32), 8000)
    with pytest.raises(Undefined, match=r"silent in channel 1: all 2 samples are 0\.3"):
        _guards.not_silent(audio, which="reference")


def test_versions_say_when_a_package_is_missing():
    versions = versions_of("numpy", "no-such-package-at-all", mapper="lattice")()
    assert versions == {
        "numpy": np.__version__,
        "no-such-package-at-all": "not installed",
        "mapper": "lattice",
    }
