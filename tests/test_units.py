from __future__ import annotations

import pytest

from snacbench.units import bits_per_code, kbps, lateness


def test_rates_and_delays():
    assert kbps(16_000, 2.0) == 8.0  # a kilobit is 1000 bits
    with pytest.raises(ValueError, match=r"duration above 0 s, found 0.0 s"):
        kbps(1, 0.0)
    assert [bits_per_code(size) for size in (2, 16, 1000, 1024, 4096)] == [1, 4, 10, 10, 12]
    with pytest.raises(ValueError, match="needs 2 entries or more, found 1"):
        bits_per_code(1)
    words = [lateness(delay_s) for delay_s in (0.0, 0.025, -0.5, -2 / 48_000)]
    assert words == ["in time", "25.0 ms late", "500.0 ms early", "0.04 ms early"]
