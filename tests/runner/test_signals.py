"""Which signal goes where: channels, rates and lengths, the same for every codec."""

from __future__ import annotations

import numpy as np
import pytest

from snacbench.errors import AudioError
from snacbench.plugins import metrics
from snacbench.runner import signal_rules as signals
from snacbench.selectors import select
from snacbench.types import Audio
from tests.conftest import broadband


def spec_of(selector):
    ((_, spec),) = select(selector)
    return spec


def test_a_source_is_limited_downmixed_or_refused():
    left = broadband(0.1, 48_000).samples
    six, stereo = (broadband(0.1, 48_000, channels=n) for n in (6, 2))
    mono = signals.source_signal(six, "mono")
    assert np.allclose(mono.samples[0], six.samples.mean(axis=0), atol=1e-7)
    with pytest.raises(AudioError, match="clips of 1 or 2 channels, found 6; use --channels mono"):
        signals.source_signal(six, "stereo")
    opposite = Audio(np.concatenate([left, -left]), 48_000)
    with pytest.raises(AudioError, match=r"its 2 channels cancel in the downmix .*--channels ster"):
        signals.source_signal(opposite, "mono")
    for both in (stereo, opposite):
        assert signals.source_signal(both, "stereo") is both
    quieter = Audio(np.concatenate([left, np.float32(-0.9) * left]), 48_000)
    for audio in (quieter, Audio(np.zeros((2, 4800), np.float32), 48_000)):
        assert signals.source_signal(audio, "mono").channels == 1
    loud = Audio(np.array([[3.25, 1.25, 0.75], [-2.75, 1.25, -0.25]], np.float32), 48_000)
    top = np.float32(1 - 2**-23)
    limited = np.array([[top, top, 0.75], [-1.0, top, -0.25]], np.float32)
    assert np.array_equal(signals.source_signal(loud, "stereo").samples, limited)
    mono = signals.source_signal(loud, "mono")
    assert np.array_equal(mono.samples, limited.mean(axis=0, keepdims=True))


@pytest.mark.parametrize(
    ("codec", "channels", "parts", "rule"),
    [
        ("snac-24khz", 1, [1], "mono"),
        ("snac-24khz", 2, [1, 1], "each channel alone"),
        ("encodec-48khz@6", 1, [2], "mono in both channels"),
        ("encodec-48khz@6", 2, [2], "stereo"),
        ("opus@24", 1, [1], "mono"),
        ("opus@24", 2, [2], "stereo"),
        ("identity", 2, [2], "stereo"),
    ],
)
def test_what_a_codec_gets(codec, channels, parts, rule):
    spec = spec_of(codec)
    inputs, found = signals.codec_inputs(broadband(0.2, 44_100, channels=channels), spec)
    assert [audio.channels for audio in inputs] == parts
    assert found == rule
    assert all(audio.rate_hz == (spec.rate_hz or 44_100) for audio in inputs)
    assert signals.decoded_signal(inputs, channels).channels == channels


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 192_000])
@pytest.mark.parametrize("samples", [4_001, 7_777])
def test_lengths_agree_at_the_metrics_rate_after_any_codecs_rate(rate_hz, samples):
    full = broadband(1.0, rate_hz)
    source = Audio(full.samples[:, :samples], rate_hz)
    for codec in ("dac-44khz@3q", "dac-16khz@3q", "snac-32khz"):
        (given,), _ = signals.codec_inputs(source, spec_of(codec))
        for metric in metrics().values():
            reference = signals.for_metric(source, metric.spec)
            degraded = signals.match_length(
                reference=reference, degraded=signals.for_metric(given, metric.spec)
            )
            assert degraded.num_samples == reference.num_samples


def test_metrics_of_one_rate_get_the_very_same_object():
    mono, longer = broadband(1.0, 24_000), broadband(1.0001, 44_100)
    every_channel, downmixed = (
        signals.for_metric(mono, metrics()[name].spec) for name in ("si_sdr", "lsd")
    )
    assert every_channel is downmixed is signals.at_rate(mono, 44_100)
    fitted = signals.match_length(reference=longer, degraded=downmixed)
    assert fitted is signals.match_length(reference=longer, degraded=every_channel)
    assert fitted.num_samples == longer.num_samples
    shorter = broadband(0.9, 44_100)  # by more than rounding, and left alone
    assert signals.match_length(reference=longer, degraded=shorter) is shorter
