"""Codecs that return silence: a failed row where the source sounds, alone and in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snacbench.errors import Undefined
from snacbench.runner import coding
from snacbench.runner.coding import CodingJob, code_clips, code_in_batches
from snacbench.runner.plan import PlannedCodec
from snacbench.runner.signals import check_covers, kept_band_hz
from snacbench.selectors import select
from snacbench.types import Audio, Encoded
from tests.conftest import broadband
from tests.runner.toys import SPEC, BatchingToy, FakeMemory, loaded_toy, make_clip


class Mute(BatchingToy):
    """Gives every second signal back as zeros."""

    def decode_batch(self, encoded: Sequence[Encoded], *, seeds: Sequence[int]) -> list[Audio]:
        decoded = super().decode_batch(encoded, seeds=seeds)
        return [
            Audio(np.zeros_like(a.samples), a.rate_hz) if a.num_samples % 2 else a for a in decoded
        ]


@pytest.mark.parametrize("batch", [1, 4])
def test_a_silent_decode_is_a_failed_row(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, batch: int
) -> None:
    codec: Any = Mute()
    loaded = loaded_toy(codec, FakeMemory())
    clips = tuple(make_clip(tmp_path, f"{n}", n) for n in (15_000, 15_001))
    job = CodingJob(PlannedCodec("toy", SPEC, None, "cpu"), clips, "mono", 0, tmp_path, batch)
    monkeypatch.setattr(coding, "load", lambda handle: loaded)
    found = code_clips(job) if batch == 1 else code_in_batches(job, loaded, codec)
    rows = {row.clip: row for row, _ in found}
    assert rows["set/15000"].status == "ok"
    assert rows["set/15001"].status == "failed"
    assert "the decode is silent: all samples lie within 0 of 0" in rows["set/15001"].reason


@pytest.mark.parametrize(
    ("codec", "rate_hz", "band_hz"),
    [
        ("lowpass@1kHz", 48_000, 900.0),
        ("lowpass@7kHz", 8_000, 3_600.0),
        ("identity", 48_000, 3_400.0),
        ("opus@6", 48_000, 3_400.0),
        ("snac-mini", 24_000, 10_800.0),
    ],
)
def test_the_band_that_a_codec_keeps(codec: str, rate_hz: int, band_hz: float) -> None:
    ((_, spec),) = select(codec, families="embedded")
    spec = replace(spec, rate_hz=rate_hz if spec.rate_hz else None)
    assert kept_band_hz(spec, rate_hz) == pytest.approx(band_hz)


def test_a_decode_must_cover_its_reference() -> None:
    reference = broadband(1.0, 16_000)
    for missing, refused in ((1_600, False), (1_601, True)):
        shorter = Audio(np.ascontiguousarray(reference.samples[:, missing:]), 16_000)
        if not refused:
            check_covers(reference=reference, degraded=shorter)
            continue
        with pytest.raises(Undefined, match=r"lasts 0\.900 s, the reference 1\.000 s"):
            check_covers(reference=reference, degraded=shorter)
