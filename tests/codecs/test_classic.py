"""Opus, MP3 and AAC: true rates, packets weighed, declared delays and pre-skip removed."""

from __future__ import annotations

import numpy as np
import pytest

from snacbench.audio.align import cross_correlation
from snacbench.codecs.classic import declared_delay
from snacbench.errors import CodecError, UnknownPoint
from snacbench.plugins import codec_models
from snacbench.rate.bits import bits_of
from snacbench.selectors import select
from snacbench.types import Encoded
from tests.conftest import broadband, clip_at, si_sdr_db


# Of Opus, the rates that are coded by transform, which does not shift; its rate is only a wish.
@pytest.mark.parametrize(
    ("selector", "tolerance"),
    [("mp3@64", 0.06), ("mp3@128", 0.06), ("aac@64", 0.06), ("aac@128", 0.06),
     ("opus@32", 0.25), ("opus@128", 0.25)],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 2])
def test_nothing_is_late_and_the_rate_is_met(loaded, selector, tolerance, channels):
    codec = loaded(selector)
    delay = {"mp3": 1105, "aac": 1024, "opus": 0}[codec.spec.model]
    assert codec.format.pre_skip or declared_delay(codec.format, channels) == delay
    audio = broadband(3.0, 48_000, channels=channels)
    encoded = codec.encode(audio)
    decoded = codec.decode(encoded, seed=0)
    lags = cross_correlation(reference=audio, degraded=decoded, max_lag=1_200)
    assert int(np.argmax(lags)) == 1_200
    bits = bits_of(encoded, codec.spec)
    assert bits.total == bits.payload == 8 * sum(map(len, encoded.packets))
    assert bits.total / 3000 == pytest.approx(codec.spec.nominal_kbps, rel=tolerance)


def test_stereo_keeps_its_channels_apart(loaded):
    codec = loaded("opus@128")
    decoded = codec.decode(codec.encode(broadband(1.0, 48_000, channels=2)), seed=0)
    assert abs(float(np.corrcoef(*decoded.samples)[0, 1])) < 0.2


def test_quality_rises_with_rate(loaded):
    audio = broadband(2.0, 48_000)
    for name in ("mp3", "aac"):
        codecs = [loaded(f"{name}@{kbps}") for kbps in (32, 64, 128)]
        scores = [si_sdr_db(audio, c.decode(c.encode(audio), seed=0)) for c in codecs]
        assert scores == sorted(scores)


# SI-SDR in dB with libopus 1.6.1, one clip each; the clips of the source are not known, so the
# figures hold within a few dB and their order holds exactly.
EXPECTED_SPEECH = {8: 9.3, 12: 11.2, 24: 13.1, 64: 25.0}


def test_opus_on_real_speech_is_near_the_known_figures(loaded, shared):
    audio = clip_at(shared / "audio/eval/speech/two_cities_a.flac", 48_000)
    measured = {}
    for kbps in EXPECTED_SPEECH:
        codec = loaded(f"opus@{kbps}")
        encoded = codec.encode(audio)
        assert len(encoded.packets) == -(-(audio.num_samples + 312) // 960)
        measured[kbps] = si_sdr_db(audio, codec.decode(encoded, seed=0))
    assert list(measured.values()) == sorted(measured.values())
    for kbps, expected in EXPECTED_SPEECH.items():
        assert measured[kbps] == pytest.approx(expected, abs=6.0)


def test_rates_that_codecs_take():
    assert [p.nominal_kbps for p in codec_models()["mp3"].points][:3] == [32, 40, 48]
    with pytest.raises(UnknownPoint, match="no operating point within 5 % of '24'"):
        select("mp3@24")
    for selector, kbps in (("aac@50", 50), ("opus@9.5", 9.5)):
        assert select(selector)[0][1].nominal_kbps == kbps
    for name, text, limits in (
        *(("aac", text, "8 to 288") for text in ("7", "300", "fine")),
        *(("opus", text, "6 to 510") for text in ("5", "511", "fast", "-8")),
    ):
        with pytest.raises(UnknownPoint, match=f"any rate from {limits} kbps"):
            select(f"{name}@{text}")


@pytest.mark.parametrize(
    ("selector", "delay"), [("mp3@64", "1105"), ("aac@64", "1024"), ("opus@24", "0")]
)
def test_a_stream_that_ends_early_is_an_error(loaded, selector, delay):
    codec = loaded(selector)
    for kept in (0, 10):
        packets = codec.encode(broadband(1.0, 48_000)).packets[:kept]
        cut = Encoded(48_000, 1, 48_000, packets=packets)
        text = rf"returned \d+ of 48000 samples after a delay of {delay}"
        with pytest.raises(CodecError, match=text):
            codec.decode(cut, seed=0)


def test_versions_name_the_library_that_did_it():
    assert codec_models()["mp3"].versions()["libavcodec"]
    versions = codec_models()["opus"].versions()
    assert versions["libopus"].startswith("libopus 1.")
    assert "audio" in versions["opus options"]
