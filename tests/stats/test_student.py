from __future__ import annotations

import numpy as np
from scipy import stats

from snacbench.stats.student import t_quantile, t_upper_tail

FREEDOM = np.array([np.nan, -1.0, 0.0, 0.5, 1.0, 4.3, 39.0, 2_999.0, np.inf])


def test_quantiles_and_tails_are_those_of_scipy_to_the_last_bit():
    for share in (0.025, 0.5, 0.975, 0.999):
        np.testing.assert_array_equal(t_quantile(share, FREEDOM), stats.t.ppf(share, FREEDOM))
    for t in (-3.0, 0.0, 0.7, 25.0, np.inf, np.nan):
        np.testing.assert_array_equal(t_upper_tail(t, FREEDOM), stats.t.sf(t, FREEDOM))


def test_the_tabled_value_for_ten_degrees_of_freedom():
    assert round(float(t_quantile(0.975, 10)), 3) == 2.228
    assert round(2 * float(t_upper_tail(2.228, 10)), 3) == 0.05
