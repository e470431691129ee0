from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from snacbench.errors import CodecError, UserError
from snacbench.rate.coding.coders import shapes_of
from snacbench.rate.coding.language import LanguageCoder, shares_of
from snacbench.rate.coding.range_coder import SHARES, divisible
from snacbench.types import Codes

SIZE = 16


class Echo:
    """Predicts that every codebook repeats its last code; counts how often it is begun."""

    sha256 = "ab" * 32
    codebooks = 3
    codebook_size = SIZE

    def __init__(self, segment_frames: int | None = None) -> None:
        self.segment_frames = segment_frames
        self.given: list[list[int] | None] = []

    def begin(self, streams: int) -> Callable[[np.ndarray | None], np.ndarray]:
        def step(codes: np.ndarray | None) -> np.ndarray:
            self.given.append(None if codes is None else codes.tolist())
            chances = np.full((streams, SIZE), 0.1 / SIZE, np.float32)
            if codes is not None:
                chances[np.arange(streams), codes] += 0.9
            return chances / chances.sum(axis=1, keepdims=True)

        return step


def frames(channels: int = 1) -> tuple[Codes, ...]:
    random = np.random.default_rng(0)
    held = random.integers(0, SIZE, (3, channels, 10)).repeat(5, axis=2)
    return tuple(held.astype(np.int32))


@pytest.mark.parametrize("segment_frames", [None, 7, 50])
@pytest.mark.parametrize("channels", [1, 2])
def test_codes_come_back(segment_frames: int | None, channels: int) -> None:
    codes, coder = frames(channels), LanguageCoder(Echo(segment_frames))
    written = coder.write(codes, [SIZE] * 3)
    data = coder.encode(codes, [SIZE] * 3)
    assert data == tuple(one.data for one in written)
    decoded = coder.decode(data, shapes_of(codes, [SIZE] * 3))
    assert all(map(np.array_equal, codes, decoded))
    with pytest.raises(CodecError, match="cannot have come from these tables"):
        coder.decode([data[0] + b"\1", *data[1:]], shapes_of(codes, [SIZE] * 3))
    assert sum(map(len, data)) < 0.6 * 3 * channels * 50 / 2  # of 4 bits per code
    assert coder.tables_sha256 == "ab" * 32


def test_a_model_sees_the_frame_before_and_begins_anew_with_a_segment() -> None:
    echo = Echo(segment_frames=2)
    codes = np.arange(5, dtype=np.int32)[None]
    LanguageCoder(echo).encode([codes, codes + 1], [SIZE] * 2)
    assert echo.given == [None, [0, 1], None, [2, 3], None]


def test_a_channel_begins_anew() -> None:
    echo = Echo()
    LanguageCoder(echo).encode([np.array([[1, 2], [3, 4]], np.int32)], [SIZE])
    assert echo.given == [None, [1], None, [3]]


def test_nothing_to_code() -> None:
    coder = LanguageCoder(Echo())
    assert coder.encode([], []) == ()
    assert coder.decode([], []) == ()
    empty = np.zeros((1, 0), np.int32)
    assert coder.encode([empty], [SIZE]) == (b"",)
    assert coder.decode([b""], shapes_of([empty], [SIZE]))[0].shape == (1, 0)


def test_codes_that_the_model_does_not_know_are_refused() -> None:
    coder = LanguageCoder(Echo())
    four = frames() + frames()[:1]
    with pytest.raises(
        UserError, match="knows 3 codebooks of 16 entries, and the codes come from 4"
    ):
        coder.encode(four, [SIZE] * 4)
    with pytest.raises(UserError, match=r"come from 1 of \[32\]"):
        coder.encode(frames()[:1], [32])
    with pytest.raises(CodecError, match="differ in length; a language model codes whole frames"):
        coder.encode([frames()[0], frames()[0][:, :-1]], [SIZE] * 2)
    with pytest.raises(CodecError, match="found bytes of 1 streams for 0 streams"):
        coder.decode([b""], [])


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3])
def test_probabilities_need_not_add_up(scale: float) -> None:
    chances = np.array([0.5, 0.25, 0.125, 0.125], np.float32)
    shares = shares_of(chances * scale)
    assert shares.sum() == divisible(4)
    assert (shares + 1) / SHARES == pytest.approx(chances, abs=1e-3)


def test_no_probability_at_all_is_codable() -> None:
    assert shares_of(np.zeros(4, np.float32)).sum() == divisible(4)
