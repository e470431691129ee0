"""What decoders make of packets that they lack or refuse."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snacbench.codecs import classic
from snacbench.conditions.channel import concealed, transmitted
from snacbench.conditions.condition import condition_named
from snacbench.errors import CodecError
from snacbench.selectors import select
from snacbench.types import Audio, Encoded
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.conftest import broadband, clip_at, si_sdr_db


def codec_of(selector: str, lyra: Path | None = None) -> Any:
    ((model, spec),) = select(selector, families="embedded")
    policy = WeightsPolicy("embedded", {"lyra-v2": lyra} if lyra else {})
    return model.load(spec, locate(model, policy), "cpu")


def sent(selector: str, channels: int = 1) -> tuple[Any, Audio, Encoded]:
    codec = codec_of(selector)
    sound = broadband(2.0, codec.spec.rate_hz, channels=channels)
    return codec, sound, codec.encode(sound)


def received(codec: Any, encoded: Encoded, name: str, seed: int = 0) -> Audio:
    condition = condition_named(name)
    parts, _ = transmitted([encoded], codec.spec, condition, seed=seed, clip="a")
    decoded = [codec.decode(part, seed=0) for part in parts]
    (heard,) = concealed(decoded, parts, codec.spec, condition)
    return heard


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kbps", [6, 14, 24, 32, 96])  # SILK, hybrid and CELT
def test_opus_by_ffmpeg_and_by_its_library_are_equal(kbps: int, channels: int) -> None:
    codec, _, encoded = sent(f"opus@{kbps}", channels)
    arrived = replace(encoded, lost=(False,) * len(encoded.packets))
    ordinary = codec.decode(encoded, seed=0)
    assert np.array_equal(codec.decode(arrived, seed=0).samples, ordinary.samples)
    lost = [i == 40 for i in range(len(encoded.packets))]
    came = tuple(b"" if gone else p for p, gone in zip(encoded.packets, lost, strict=True))
    got = replace(encoded, packets=came, lost=tuple(lost))
    heard, begins = codec.decode(got, seed=0).samples, 40 * 960 - 312
    assert np.array_equal(heard[:, :begins], ordinary.samples[:, :begins])
    assert not np.array_equal(heard[:, begins:], ordinary.samples[:, begins:])
    assert np.std(heard[:, begins : begins + 480]) > 0.1 * np.std(ordinary.samples)


@pytest.mark.parametrize(("selector", "samples", "delay"), [("mp3@64", 1152, 1105),
                                                            ("aac@64", 1024, 1024)])  # fmt: skip
@pytest.mark.parametrize("channels", [1, 2])
def test_silence_takes_the_place_of_lost_packets(selector, samples, delay, channels):
    codec, _, encoded = sent(selector, channels)
    ordinary = codec.decode(encoded, seed=0).samples
    for name in ("loss@10%", "loss:zero@10%"):
        parts, _ = transmitted([encoded], codec.spec, condition_named(name), seed=0, clip="a")
        assert any(parts[0].lost)
        heard = received(codec, encoded, name).samples
        lost = np.repeat(parts[0].lost, samples)[delay : delay + heard.shape[1]]
        assert not heard[:, lost].any()
        assert np.mean(heard[0, ~lost] != 0) > 0.99
        first = max(0, parts[0].lost.index(True) * samples - delay)
        assert np.array_equal(heard[:, :first], ordinary[:, :first])


@pytest.mark.parametrize("selector", ["opus@14", "opus@64", "mp3@64", "aac@64"])
def test_refused_packets_count_as_lost(selector: str) -> None:
    codec, sound, encoded = sent(selector)
    assert received(codec, encoded, "flips@0.3").num_samples == sound.num_samples
    # Opus' code 3 without a count of frames, and no MP3 or AAC at all.
    bad = b"\xff" if selector[:4] == "opus" else b" " * 5
    refused = (*encoded.packets[:30], bad, *encoded.packets[31:])
    with pytest.raises(Exception, match="Invalid data"):
        codec.decode(replace(encoded, packets=refused), seed=0)
    kept = tuple(i == 30 for i in range(len(refused)))
    concealing = [
        codec.decode(replace(encoded, packets=refused, lost=lost), seed=0).samples
        for lost in ((False,) * len(refused), kept)
    ]
    assert np.array_equal(*concealing)


def test_without_its_library_opus_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    codec, _, encoded = sent("opus@24")
    monkeypatch.setattr(classic, "_libopus", lambda: None)
    with pytest.raises(CodecError, match="libopus of PyAV's wheel, which is not here; install av"):
        received(codec, encoded, "loss@20%")


@pytest.mark.parametrize("selector", ["snac-mini", "dac-mini@full", "encodec-mini@6"])
def test_codecs_without_concealment_go_on_after_a_loss(selector: str) -> None:
    codec, sound, encoded = sent(selector)
    for name in ("loss@10%", "loss:repeat@10%", "flips@1e-2", "loss:repeat@100%"):
        heard = received(codec, encoded, name)
        assert heard.num_samples == sound.num_samples
        assert bool(heard.samples.any()) == ("100" not in name)


@pytest.mark.lyra
def test_lyra_conceals_fades_to_noise_and_returns(lyra_folder: Path, shared: Path) -> None:
    codec = codec_of("lyra-v2@6", lyra=lyra_folder)
    speech = clip_at(shared / "audio/eval/speech/lyra_sample1.flac", 16_000)
    encoded = codec.encode(speech)
    count = encoded.codes[0].shape[1]
    ordinary = codec.decode(encoded, seed=0).samples
    arrived = replace(encoded, lost=(False,) * count)
    assert np.array_equal(codec.decode(arrived, seed=0).samples, ordinary)
    lost = tuple(50 <= i < 70 for i in range(count))
    heard = codec.decode(replace(encoded, lost=lost), seed=0).samples
    assert np.array_equal(heard[:, : 50 * 320], ordinary[:, : 50 * 320])
    again = codec.decode(replace(encoded, lost=lost), seed=0).samples
    other = codec.decode(replace(encoded, lost=lost), seed=1).samples
    assert np.array_equal(heard, again)
    differ = np.flatnonzero(heard != other)
    # Noise from 80 ms after the first loss until 40 ms after the last.
    assert 54 * 320 <= differ[0] < 55 * 320
    assert 71 * 320 <= differ[-1] < 72 * 320
    noise, voice = heard[0, 56 * 320 : 70 * 320], ordinary[0]
    assert 0 < np.std(noise) < 0.3 * np.std(voice)
    own, zero = (
        np.mean([si_sdr_db(speech, received(codec, encoded, name, seed)) for seed in range(3)])
        for name in ("loss@5%", "loss:zero@5%")
    )
    assert own > zero + 0.2
