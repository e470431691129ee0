"""Which packets are lost and which bits flipped, and what decoders are given instead."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from snacbench.conditions.channel import applies, concealed, lost_packets, packet_s, transmitted
from snacbench.conditions.condition import condition_named
from snacbench.errors import CodecError
from snacbench.plugins import codec_models
from snacbench.types import Audio, CodecSpec, Encoded, Stream

FIFTIETH = CodecSpec("even@1", "even", "toys", 16_000, (1,), (Stream(Fraction(50), 16),))
SCALES = replace(FIFTIETH, streams=tuple(Stream(Fraction(rate), 1_000) for rate in (10, 20, 40)))
OPUS = next(spec for spec in codec_models()["opus"].points if spec.name == "opus@14kbps")
LYRA = codec_models()["lyra-v2"].points[0]


def sent(spec: CodecSpec, seconds: int = 2, seed: int = 0) -> Encoded:
    random = np.random.default_rng(seed)
    codes = tuple(
        random.integers(0, s.codebook_size, (1, int(s.frame_rate_hz * seconds)), np.int32)
        for s in spec.streams
    )
    packets = () if codes else tuple(random.bytes(40) for _ in range(seconds * 50))
    rate_hz = spec.rate_hz or 16_000
    return Encoded(seconds * rate_hz, 1, rate_hz, codes, b"side", packets)


def arrived(spec: CodecSpec, name: str, *parts: Encoded) -> tuple[list[Encoded], float]:
    return transmitted(parts or [sent(spec)], spec, condition_named(name), seed=1, clip="a")


def losses(name: str, count: int, seed: int = 1, clip: str = "a") -> np.ndarray:
    return lost_packets(count, condition_named(name), seed=seed, clip=clip)


def test_losses_follow_the_rate_and_gilberts_chain() -> None:
    count = 200_000
    for name, rate, burst in (
        ("loss@5%", 0.05, 1 / 0.95), ("loss@20%", 0.2, 1 / 0.8),
        ("loss:burst=3@5%", 0.05, 3), ("loss:burst=8@20%", 0.2, 8), ("loss:burst=1@10%", 0.1, 1),
    ):  # fmt: skip
        lost = losses(name, count)
        begun = np.count_nonzero(lost[1:] & ~lost[:-1]) + lost[0]
        # Deviations of a mean over bursts: geometric lengths, as many as there are.
        assert lost.sum() / begun == pytest.approx(burst, abs=5 * burst / np.sqrt(begun))
        assert lost.mean() == pytest.approx(rate, abs=5 * np.sqrt(2 * rate * burst / count))
    first = [losses("loss:burst=8@20%", 1, seed)[0] for seed in range(2_000)]
    assert np.mean(first) == pytest.approx(0.2, abs=0.045)
    assert losses("loss@100%", 9).all()


def test_the_same_packets_are_lost_at_every_length_rate_and_codec() -> None:
    one, five, twenty = (losses(f"loss@{percent}%", 500) for percent in (1, 5, 20))
    assert not (one & ~five).any()
    assert not (five & ~twenty).any()
    assert np.array_equal(five[:70], losses("loss@5%", 70))
    assert not np.array_equal(twenty, losses("loss@20%", 500, seed=2))
    assert not np.array_equal(twenty, losses("loss@20%", 500, clip="b"))
    for spec in (FIFTIETH, OPUS, LYRA):
        parts, realised = arrived(spec, "loss@20%", sent(spec), sent(spec, seed=1))
        assert {part.lost for part in parts} == {tuple(twenty[:100])}
        assert realised == twenty[:100].mean() * 100


@pytest.mark.parametrize(
    ("spec", "packet", "frames"),
    [(FIFTIETH, "", 1), (FIFTIETH, ":packet=50ms", 3), (FIFTIETH, ":packet=70ms", 4),
     (SCALES, "", 1), (SCALES, ":packet=190ms", 2), (OPUS, ":packet=60ms", 3),
     (OPUS, ":packet=5ms", 1)],
)  # fmt: skip
def test_packets_are_whole_frames_of_the_slowest_stream(spec, packet, frames):
    part, name = sent(spec), f"loss{packet}:burst=2@40%"
    count = part.codes[0].shape[1] if spec.streams else len(part.packets)
    (got,), realised = arrived(spec, name, part)
    lost = losses(name, -(-count // frames))
    assert got.lost == tuple(np.repeat(lost, frames)[:count])
    assert packet_s(spec, condition_named(name)) == frames * 2 / count
    assert realised == 100 * lost.mean()
    for cannot, what in ((name, "packet to lose"), ("flips@0.1", "bit to flip")):
        with pytest.raises(CodecError, match=f"its codec sent nothing of it.* no {what}"):
            arrived(spec, cannot, sent(spec, seconds=0))
    assert (got.side_info, got.num_samples) == (part.side_info, part.num_samples)
    for before, after, gone in zip(part.packets, got.packets, got.lost, strict=bool(part.packets)):
        assert after == (b"" if gone else before)


def test_lost_codes_are_those_of_the_last_frame_received() -> None:
    part = sent(SCALES)
    (got,), _ = arrived(SCALES, "loss@60%", part)
    assert got.lost[0]  # the first frame too, which gets what is received first
    received = [i for i, lost in enumerate(got.lost) if not lost]
    for ratio, before, after in zip((1, 2, 4), part.codes, got.codes, strict=True):
        for i in range(20):
            source = max([r for r in received if r <= i], default=received[0])
            expected = before[:, source * ratio : (source + 1) * ratio]
            assert np.array_equal(after[:, i * ratio : (i + 1) * ratio], expected)
    (repeated,), _ = arrived(SCALES, "loss:repeat@60%", part)
    assert repeated.lost == ()
    assert all(map(np.array_equal, repeated.codes, got.codes))
    (none,), realised = arrived(SCALES, "loss:repeat@100%", part)
    assert (all(none.lost), realised, max(codes.max() for codes in none.codes)) == (True, 100, 0)


@pytest.mark.parametrize(
    ("spec", "name", "early"),
    [(FIFTIETH, "loss@30%", 0), (SCALES, "loss@30%", 0), (LYRA, "loss:zero@30%", 0),
     (OPUS, "loss:zero@30%", 312)],
)  # fmt: skip
def test_silence_covers_lost_packets_and_nothing_else(spec, name, early):
    def heard(name: str) -> tuple[np.ndarray, tuple[bool, ...]]:
        parts, _ = arrived(spec, name)
        ones = Audio(np.ones((1, parts[0].num_samples), np.float32), parts[0].rate_hz)
        return concealed([ones], parts, spec, condition_named(name))[0].samples[0], parts[0].lost

    samples, lost = heard(name)
    assert any(lost)
    expected = ~np.repeat(lost, len(samples) // len(lost))[early:]
    assert np.array_equal(samples[: len(expected)], expected)
    assert heard("loss:repeat@30%" if spec.streams else "loss@30%")[0].all()
    assert heard("flips@0.1")[0].all()
    assert not heard("loss:repeat@100%" if spec.streams else "loss@100%")[0].any()


def test_flips_are_binomial_nested_and_within_the_codebook() -> None:
    part, before = sent(SCALES, seconds=60), None
    bits = 10 * sum(codes.size for codes in part.codes)
    for rate in (0.5, 1e-2, 1e-3):
        (got,), realised = arrived(SCALES, f"flips@{rate}", part)
        assert realised == pytest.approx(rate, abs=5 * np.sqrt(rate * (1 - rate) / bits))
        assert (got.lost, got.side_info) == ((), part.side_info)
        assert all(0 <= codes.min() <= codes.max() < 1_000 for codes in got.codes)
        changed = np.concatenate([(a != b)[0] for a, b in zip(part.codes, got.codes, strict=True)])
        assert before is None or not (changed & ~before).any()
        before = changed
    # At 1 in 1,000 hardly a code has two; beyond 999, where 1,000 is taken away, few are led.
    pairs = zip(part.codes[2][0], got.codes[2][0], strict=True)
    assert np.mean([(int(a) ^ int(b)).bit_count() == 1 for a, b in pairs if a != b]) > 0.8


@pytest.mark.parametrize(("model", "spared"), [("opus", 1), ("mp3", 4), ("aac", 0)])
def test_flips_in_packets_spare_their_headers(model: str, spared: int) -> None:
    spec = replace(OPUS, model=f"{model}+flips@0.2")
    part = sent(spec, seconds=20)
    (got, other), realised = arrived(spec, "flips@0.2", part, part)
    assert got.lost == (False,) * len(part.packets)
    assert got.packets != other.packets  # each part has its own
    pairs = list(zip(part.packets, got.packets, strict=True))
    flipped = [np.unpackbits(np.frombuffer(a, "u1") ^ np.frombuffer(b, "u1")) for a, b in pairs]
    assert not np.stack(flipped)[:, : spared * 8].any()
    assert realised == pytest.approx(0.2, abs=5 * np.sqrt(0.16 / np.size(flipped)))


@pytest.mark.parametrize("name", ["loss@0%", "loss:repeat@0%", "flips@0", "level@0dB"])
def test_what_changes_nothing_sends_the_very_objects(name: str) -> None:
    for spec in (FIFTIETH, OPUS):
        part = sent(spec)
        (got,), realised = arrived(spec, name, part)
        assert (got is part, realised) == (True, 0)


def test_points_that_cannot_have_a_condition_say_why() -> None:
    toy = codec_models()["identity"].points[0]
    varying = replace(FIFTIETH, max_segment_frames=4)
    for spec, name, why in (
        (varying, "loss@5%", "stretches of different length"), (varying, "flips@1e-3", ""),
        (toy, "loss@5%", "it sends a clip as a whole"), (toy, "flips@1e-3", "not in packets"),
        (OPUS, "loss:repeat@5%", "its packets hold none"), (OPUS, "loss:zero@5%", ""),
        (LYRA, "loss:repeat@5%", ""), (toy, "noise@5dB", ""), (toy, "cascade@3", ""),
    ):  # fmt: skip
        assert why in applies(spec, condition_named(name))
        assert bool(why) == bool(applies(spec, condition_named(name)))
