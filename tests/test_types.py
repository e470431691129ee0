from fractions import Fraction

import numpy as np
import pytest

from snacbench.errors import AudioError
from snacbench.types import Audio, CodecSpec, Stream, nominal_kbps_of
from snacbench.units import bits_per_code, kbps, lateness


def test_audio_knows_its_channels_length_and_duration_and_cannot_be_changed():
    audio = Audio(np.zeros((2, 8000), np.float32), 16_000)
    assert (audio.channels, audio.num_samples, audio.duration_s) == (2, 8000, 0.5)
    with pytest.raises(ValueError, match="read-only"):
        audio.samples[0, 0] = 1.0


@pytest.mark.parametrize(("samples", "rate_hz", "found"), [
    (np.zeros(4, np.float32), 8000, r"of shape \(channels, time\), found float32 \(4,\)"),
    (np.zeros((1, 4), np.int16), 8000, r"must be float32 .* found int16 \(1, 4\)"),
    (np.zeros((0, 5), np.float32), 8000, "no samples: 0 channels of 5 samples"),
    (np.zeros((1, 4), np.float32), 0, "rate must be positive, found 0 Hz"),
    (np.array([[0, np.nan, np.inf]], np.float32), 8000, "2 of 3 samples are NaN or infinite"),
])  # fmt: skip
def test_what_is_no_audio(samples, rate_hz, found):
    with pytest.raises(AudioError, match=found):
        Audio(samples, rate_hz)


def test_rates_of_streams():
    streams = (Stream(Fraction(44_100, 512), 1024), Stream(Fraction(75), 1000))
    assert streams[0].bit_per_s == Fraction(441_000, 512)
    assert nominal_kbps_of(streams) == pytest.approx((861.328125 + 750) / 1000)
    spec = CodecSpec("x", "x", "x", 24_000, (1,), (Stream(Fraction(12), 4096),) * 3)
    assert spec.tokens_per_s == 36.0
    assert CodecSpec("x", "x", "x", None, ()).tokens_per_s is None


def test_rates_and_delays():
    assert kbps(16_000, 2.0) == 8.0  # a kilobit is 1000 bits
    with pytest.raises(ValueError, match=r"duration above 0 s, found 0.0 s"):
        kbps(1, 0.0)
    assert [bits_per_code(size) for size in (2, 16, 1000, 1024, 4096)] == [1, 4, 10, 10, 12]
    with pytest.raises(ValueError, match="needs 2 entries or more, found 1"):
        bits_per_code(1)
    words = [lateness(delay_s) for delay_s in (0.0, 0.025, -0.5, -2 / 48_000)]
    assert words == ["in time", "25.0 ms late", "500.0 ms early", "0.04 ms early"]
