"""Loaded embedded models."""

import pytest

from snacbench.selectors import select
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy


@pytest.fixture(scope="session")
def loaded():
    """``loaded("dac-mini@2q")``: a codec with embedded weights or none, loaded once."""
    cache = {}

    def load(selector):
        if selector not in cache:
            ((model, spec),) = select(selector)
            cache[selector] = model.load(spec, locate(model, WeightsPolicy("embedded")), "cpu")
        return cache[selector]

    return load
