"""Opus: libopus at both ends, packets weighed, pre-skip removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from snacbench.audio.align import cross_correlation
from snacbench.codecs import opus as adapter
from snacbench.errors import CodecError, UnknownPoint
from snacbench.plugins import codec_models
from snacbench.rate.bits import bits_of
from snacbench.selectors import select
from snacbench.types import Codec, Encoded
from tests.conftest import broadband, clip_at, si_sdr_db

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


def test_a_stream_that_ends_early_is_an_error(loaded: Callable[[str], Codec]) -> None:
    codec = loaded("opus@24")
    encoded = codec.encode(broadband(1.0, 48_000))
    cut = Encoded(encoded.num_samples, 1, 48_000, packets=encoded.packets[:10])
    with pytest.raises(CodecError, match=r"libopus returned \d+ of 48000 samples"):
        codec.decode(cut, seed=0)


def test_versions_name_the_library_that_did_it() -> None:
    versions = codec_models()["opus"].versions()
    assert versions["libopus"].startswith("libopus 1.")
    assert "audio" in versions["opus options"]
    assert adapter._pre_skip(1) == 312
