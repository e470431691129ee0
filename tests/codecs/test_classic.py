"""Opus, MP3 and AAC: true rates, packets weighed, declared delays and pre-skip removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from snacbench.audio.align import cross_correlation
from snacbench.codecs import classic
from snacbench.codecs.classic import declared_delay
from snacbench.errors import CodecError, UnknownPoint
from snacbench.plugins import codec_models
from snacbench.rate.bits import bits_of
from snacbench.selectors import select
from snacbench.types import Codec, Encoded
from tests.conftest import broadband, clip_at, si_sdr_db


@pytest.mark.parametrize(("name", "delay"), [("mp3", 1105), ("aac", 1024)])
@pytest.mark.parametrize("channels", [1, 2])
def test_declared_delays(name: str, delay: int, channels: int) -> None:
    assert declared_delay(name, channels) == delay


@pytest.mark.parametrize("selector", ["mp3@64", "mp3@128", "aac@64", "aac@128"])
@pytest.mark.parametrize("channels", [1, 2])
def test_nothing_is_late_and_the_rate_is_met(
    loaded: Callable[[str], Codec], selector: str, channels: int
) -> None:
    codec = loaded(selector)
    audio = broadband(4.0, 48_000, channels=channels)
    encoded = codec.encode(audio)
    lags = cross_correlation(reference=audio, degraded=codec.decode(encoded, seed=0), max_lag=2_400)
    assert int(np.argmax(lags)) == 2_400
    assert codec.spec.nominal_kbps is not None
    kbps = bits_of(encoded, codec.spec).total / 4000
    assert kbps == pytest.approx(codec.spec.nominal_kbps, rel=0.06)


@pytest.mark.parametrize("name", ["mp3", "aac"])
def test_quality_rises_with_rate(loaded: Callable[[str], Codec], name: str) -> None:
    audio = broadband(2.0, 48_000)
    scores = []
    for kbps in (32, 64, 128):
        codec = loaded(f"{name}@{kbps}")
        scores.append(si_sdr_db(audio, codec.decode(codec.encode(audio), seed=0)))
    assert scores == sorted(scores)


def test_mp3_has_a_floor_and_fixed_rates() -> None:
    assert [p.nominal_kbps for p in codec_models()["mp3"].points][:3] == [32, 40, 48]
    with pytest.raises(UnknownPoint, match="no operating point within 5 % of '24'"):
        select("mp3@24")


def test_aac_takes_any_rate_within_its_range() -> None:
    assert select("aac@50")[0][1].nominal_kbps == 50
    for text in ("7", "300", "fine"):
        with pytest.raises(UnknownPoint, match="any rate from 8 to 288 kbps"):
            select(f"aac@{text}")


@pytest.mark.parametrize("selector", ["mp3@64", "aac@64"])
def test_a_stream_that_ends_early_is_an_error(
    loaded: Callable[[str], Codec], selector: str
) -> None:
    codec = loaded(selector)
    encoded = codec.encode(broadband(1.0, 48_000))
    cut = Encoded(encoded.num_samples, 1, 48_000, packets=encoded.packets[:10])
    with pytest.raises(CodecError, match=r"returned \d+ samples, expected \d+ of delay and 48000"):
        codec.decode(cut, seed=0)


def test_versions_name_the_library() -> None:
    assert codec_models()["mp3"].versions()["libavcodec"]


# ---------------------------------------------------------------------------------------- Opus

# SI-SDR in dB with libopus 1.6.1, one clip each; the clips of the source are not known, so the
# figures hold within a few dB and their order holds exactly.
EXPECTED_SPEECH = {8: 9.3, 12: 11.2, 24: 13.1, 64: 25.0}


def test_rate_is_payload_without_container(loaded: Callable[[str], Codec]) -> None:
    codec = loaded("opus@24")
    encoded = codec.encode(broadband(3.0, 48_000))
    bits = bits_of(encoded, codec.spec)
    assert bits.payload == 8 * sum(map(len, encoded.packets))
    assert bits.codes == bits.side_info == 0
    assert len(encoded.packets) == -(-(3 * 48_000 + 312) // 960)
    assert bits.total / 3000 == pytest.approx(24, rel=0.25)


@pytest.mark.parametrize("kbps", [32, 64, 128])
def test_nothing_is_late_at_rates_coded_by_transform(
    loaded: Callable[[str], Codec], kbps: int
) -> None:
    codec = loaded(f"opus@{kbps}")
    audio = broadband(2.0, 48_000)
    decoded = codec.decode(codec.encode(audio), seed=0)
    lags = cross_correlation(reference=audio, degraded=decoded, max_lag=480)
    assert int(np.argmax(lags)) == 480


def test_si_sdr_on_real_speech_is_near_the_known_figures(
    loaded: Callable[[str], Codec], shared: Path
) -> None:
    audio = clip_at(shared / "audio/eval/speech/two_cities_a.flac", 48_000)
    measured = {}
    for kbps in EXPECTED_SPEECH:
        codec = loaded(f"opus@{kbps}")
        measured[kbps] = si_sdr_db(audio, codec.decode(codec.encode(audio), seed=0))
    assert list(measured.values()) == sorted(measured.values())
    for kbps, expected in EXPECTED_SPEECH.items():
        assert measured[kbps] == pytest.approx(expected, abs=6.0)


def test_stereo_keeps_its_channels_apart(loaded: Callable[[str], Codec]) -> None:
    codec = loaded("opus@128")
    audio = broadband(1.0, 48_000, channels=2)
    decoded = codec.decode(codec.encode(audio), seed=0)
    left, right = decoded.samples
    assert abs(float(np.corrcoef(left, right)[0, 1])) < 0.2


@pytest.mark.parametrize("text", ["5", "511", "fast", "-8"])
def test_rates_outside_the_codecs_range_are_refused(text: str) -> None:
    with pytest.raises(UnknownPoint, match="any rate from 6 to 510 kbps"):
        select(f"opus@{text}")


def test_any_rate_is_an_operating_point() -> None:
    assert select("opus@9.5")[0][1].nominal_kbps == 9.5


def test_an_opus_stream_that_ends_early_is_an_error(loaded: Callable[[str], Codec]) -> None:
    codec = loaded("opus@24")
    encoded = codec.encode(broadband(1.0, 48_000))
    cut = Encoded(encoded.num_samples, 1, 48_000, packets=encoded.packets[:10])
    with pytest.raises(CodecError, match=r"libopus returned \d+ of 48000 samples"):
        codec.decode(cut, seed=0)


def test_opus_versions_name_the_library_that_did_it() -> None:
    versions = codec_models()["opus"].versions()
    assert versions["libopus"].startswith("libopus 1.")
    assert "audio" in versions["opus options"]
    assert classic._pre_skip(1) == 312
