"""MP3 and AAC: true rates, declared delays removed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from snacbench.audio.align import cross_correlation
from snacbench.codecs.classic import declared_delay
from snacbench.errors import CodecError, UnknownPoint
from snacbench.plugins import codec_models
from snacbench.rate.bits import bits_of
from snacbench.selectors import select
from snacbench.types import Codec, Encoded
from tests.conftest import broadband, si_sdr_db


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
