"""Batches of one padded length: as alone, halved when they do not fit, one clip to blame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from snacbench.audio.io import read
from snacbench.errors import StoreError
from snacbench.rows import Coded
from snacbench.runner import coding
from snacbench.runner.coding import CodingJob, code_clips, code_in_batches
from snacbench.runner.plan import PlannedCodec
from snacbench.types import Clip
from tests.runner.toys import SPEC, BatchingToy, loaded_toy, make_clip

pytest.importorskip("torch")


def job_of(clips: list[Clip], run: Path, batch: int | None) -> CodingJob:
    return CodingJob(PlannedCodec("toy", SPEC, None, "cpu"), tuple(clips), "mono", 0, run, batch)


def coded(
    toy: BatchingToy, clips: list[Clip], run: Path, batch: int | None = 8
) -> dict[str, Coded]:
    loaded = loaded_toy(toy)
    loaded.warm = True
    return {row.clip: row for row, _ in code_in_batches(job_of(clips, run, batch), loaded, toy)}


def test_clips_of_one_padded_length_go_together_and_others_do_not(tmp_path: Path) -> None:
    lengths = [4000, 3500, 9000, 3001, 2000, 8001]
    clips = [make_clip(tmp_path, f"c{i}", n) for i, n in enumerate(lengths)]
    toy = BatchingToy()
    rows = coded(toy, clips, tmp_path / "run")
    assert sorted(toy.batches) == [1, 2, 3]
    assert [rows[c.id].batch for c in clips] == [3, 3, 2, 3, 1, 2]
    for clip in clips:
        decoded = read(tmp_path / "run" / str(rows[clip.id].decoded))
        assert decoded.num_samples == clip.num_samples
    assert sorted(toy.seeds) == sorted(job_of(clips, tmp_path, 8).seed_of(c) for c in clips)


def test_a_batch_is_as_large_as_asked(tmp_path: Path) -> None:
    toy = BatchingToy()
    coded(toy, [make_clip(tmp_path, f"c{i}", 3000) for i in range(7)], tmp_path / "run", batch=3)
    assert toy.batches == [3, 3, 1]


def test_a_batch_that_does_not_fit_is_halved_and_the_next_begin_smaller(tmp_path: Path) -> None:
    toy = BatchingToy(most=2)
    clips = [make_clip(tmp_path, f"c{i}", 3000) for i in range(12)]
    rows = coded(toy, clips, tmp_path / "run")
    assert all(row.status == "ok" for row in rows.values())
    assert toy.batches == [2] * 6


def test_a_clip_that_does_not_even_fit_alone_fails_with_its_reason(tmp_path: Path) -> None:
    clips = [make_clip(tmp_path, f"c{i}", 3000) for i in range(3)]
    rows = coded(BatchingToy(most=0), clips, tmp_path / "run")
    assert {row.status for row in rows.values()} == {"failed"}
    assert "no memory for this clip of 0.2 s, even alone" in rows["set/c0"].reason


def test_only_the_clip_that_breaks_the_codec_fails(tmp_path: Path) -> None:
    clips = [make_clip(tmp_path, f"c{i}", 3000, first=-1.0 if i == 3 else None) for i in range(6)]
    rows = coded(BatchingToy(), clips, tmp_path / "run")
    assert [rows[c.id].status for c in clips] == ["ok"] * 3 + ["failed"] + ["ok"] * 2
    assert rows["set/c3"].reason.startswith("RuntimeError: poisoned (toys.py:")


def test_a_clip_that_cannot_be_read_fails_alone(tmp_path: Path) -> None:
    clips = [make_clip(tmp_path, f"c{i}", 3000) for i in range(3)]
    clips[1].path.unlink()
    rows = coded(BatchingToy(), clips, tmp_path / "run")
    assert "does not exist" in rows["set/c1"].reason
    assert rows["set/c0"].status == rows["set/c2"].status == "ok"


def test_a_full_disk_ends_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise StoreError("the disk is full")

    monkeypatch.setattr(coding, "write_flac", full)
    with pytest.raises(StoreError, match="the disk is full"):
        coded(BatchingToy(), [make_clip(tmp_path, "c", 3000)], tmp_path / "run")


def test_the_first_clip_warms_up_and_tells_how_much_memory_a_sample_takes(tmp_path: Path) -> None:
    toy = BatchingToy()
    loaded = loaded_toy(toy)
    clips = [make_clip(tmp_path, f"c{i}", 20_000) for i in range(3)]
    code_in_batches(job_of(clips, tmp_path / "run", 8), loaded, toy)
    assert loaded.warm
    assert loaded.limit.bytes_per_sample == 0.0
    assert toy.batches == [1, 3]


@pytest.mark.parametrize(("batch", "expected"), [(1, [1, 1, 1]), (2, [2, 1])])
def test_codecs_that_can_go_in_batches_if_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int, expected: list[int]
) -> None:
    toy = BatchingToy()
    loaded = loaded_toy(toy)
    loaded.warm = True
    monkeypatch.setattr(coding, "load", lambda handle: loaded)
    clips = [make_clip(tmp_path, f"c{i}", 3000) for i in range(3)]
    assert len(code_clips(job_of(clips, tmp_path / "run", batch))) == 3
    assert toy.batches == expected


def test_codecs_without_batches_go_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = BatchingToy()

    class Plain:
        spec, encode, decode = toy.spec, toy.encode, toy.decode

    monkeypatch.setattr(coding, "load", lambda handle: loaded_toy(Plain()))
    monkeypatch.setattr(coding, "code_in_batches", lambda *_: pytest.fail("in a batch"))
    clips = [make_clip(tmp_path, f"c{i}", 3000) for i in range(3)]
    rows: list[Any] = code_clips(job_of(clips, tmp_path / "run", None))
    assert [row.batch for row, _ in rows] == [1, 1, 1]
