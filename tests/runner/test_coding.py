"""Clips through a codec: alone and in batches, halved when they do not fit, one clip to blame."""

import hashlib
import re
from dataclasses import replace
from unittest.mock import Mock

import pytest

from snacbench.audio.io import read
from snacbench.bitstream.container import read as read_codes
from snacbench.errors import StoreError
from snacbench.request import Request
from snacbench.rows import Coded
from snacbench.runner import coding
from snacbench.runner.coding import CodingJob, row_seed
from snacbench.runner.loading import MAX_BATCH, is_out_of_memory
from tests.support import failing_codecs as failing

torch = pytest.importorskip("torch")


@pytest.fixture
def coded(monkeypatch, tmp_path):
    """``coded(codec, clips)``: the rows by clip, once the codec is warm."""

    def of(codec, clips, batch=8, **how):
        loaded = failing.loaded_toy(codec)
        monkeypatch.setattr(coding, "load", lambda planned: loaded)
        planned, request = replace(failing.TOY, spec=codec.spec, batch=batch), Request(**how)
        made = CodingJob((planned,), tuple(clips), request, tmp_path / "run")
        return {row.clip: row for row in made.run() if isinstance(row, Coded)}

    return of


def clips_of(folder, count, num_samples=3000):
    return [failing.make_clip(folder, f"c{i}", num_samples) for i in range(count)]


def test_seeds_fit_63_bits_and_every_part_matters():
    parts = [(r, c, k) for r in (0, -1) for c in ("a", "ab") for k in ("b", "bc", "")]
    seeds = {row_seed(run, codec=codec, clip=clip) for run, codec, clip in parts}
    assert len(seeds) == 12
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert row_seed(0, codec="toy", clip="a") == 7661724623058227817


def test_clips_of_one_padded_length_go_together_and_others_do_not(coded, tmp_path):
    lengths = [4000, 3500, 9000, 3001, 2000, 8001]
    clips = [failing.make_clip(tmp_path, f"c{i}", n) for i, n in enumerate(lengths)]
    toy = failing.BatchingToy()
    rows = coded(toy, clips)
    assert sorted(toy.batches) == [1, 2, 3]
    assert [rows[c.id].batch for c in clips] == [3, 3, 2, 3, 1, 2]
    for clip in clips:
        assert read(tmp_path / "run" / rows[clip.id].decoded).num_samples == clip.num_samples
    assert sorted(toy.seeds) == sorted(row_seed(0, codec="toy", clip=clip.id) for clip in clips)


@pytest.mark.parametrize(("count", "batch", "most", "batches"), [
    (7, 3, 99, [3, 3, 1]),
    (12, 8, 2, [2] * 6),
    (40, None, 60, [16, 16, 8]),  # as many as may fit
])  # fmt: skip
def test_a_batch_is_as_large_as_asked_and_halved_where_it_does_not_fit(
        coded, tmp_path, count, batch, most, batches):  # fmt: skip
    toy = failing.BatchingToy(most=min(most, 20))
    rows = coded(toy, clips_of(tmp_path, count, 1_000), batch)
    assert {row.status for row in rows.values()} == {"ok"}
    assert toy.batches == batches


@pytest.mark.parametrize("batch", [1, 8])
def test_seconds_of_a_point_are_those_that_it_takes_alone(tmp_path, monkeypatch, batch):
    toy, clips = failing.BatchingToy(), clips_of(tmp_path, 2)
    names = ("", "flips@0", "cascade@1", "cascade@2", "cascade@4")
    specs = [failing.SPEC.under(name) if name else failing.SPEC for name in names]
    points = [replace(failing.TOY, spec=spec, batch=batch) for spec in specs]
    monkeypatch.setattr(coding, "load", lambda planned: failing.loaded_toy(toy, planned.base))
    monkeypatch.setattr(coding, "now", lambda loaded: float(toy.calls))  # a second for each

    def seconds(*points):
        job = CodingJob(points, tuple(clips), Request(), tmp_path / "run")
        return {(r.codec, r.clip): (r.encode_s, r.decode_s) for r in job.run()}

    alone = {name: taken for point in points for name, taken in seconds(point).items()}
    assert list(alone.values()) == [(n, n) for n in (1, 1, 1, 2, 4) for _ in clips]
    assert seconds(*points[:2]) | seconds(*points[2:]) == alone


def test_a_batch_that_loses_one_and_codecs_without_batches_are_coded_singly(coded, tmp_path):
    class Forgetful(failing.BatchingToy):
        def decode_batch(self, encoded, *, seeds):
            return super().decode_batch(encoded, seeds=seeds)[len(encoded) > 1 :]

    clips = clips_of(tmp_path, 3)
    for codec in (Forgetful(), failing.Sender()):
        assert [row.batch for row in coded(codec, clips).values()] == [1] * 3


@pytest.mark.parametrize("batch", [1, 8])
def test_only_the_clip_that_breaks_the_codec_fails_and_says_where(coded, tmp_path, capsys, batch):
    firsts = [None, None, None, -1.0, None, None]
    clips = [failing.make_clip(tmp_path, f"c{i}", 3000, first=n) for i, n in enumerate(firsts)]
    rows = coded(failing.BatchingToy(), clips, batch)
    assert [rows[c.id].status for c in clips] == ["ok"] * 3 + ["failed"] + ["ok"] * 2
    assert re.fullmatch(r"RuntimeError: poisoned \(failing_codecs\.py:\d+\)", rows["set/c3"].reason)
    assert capsys.readouterr().err.startswith("toy on set/c3:\nTraceback")


def test_clips_that_cannot_be_coded_fail_with_their_reason(coded, tmp_path, monkeypatch):
    clips = clips_of(tmp_path, 3)
    clips[1].path.unlink()
    rows = coded(failing.BatchingToy(), clips)
    assert "does not exist" in rows["set/c1"].reason
    assert rows["set/c0"].status == rows["set/c2"].status == "ok"
    rows = coded(failing.BatchingToy(most=0), clips[:1])
    assert "no memory for this clip of 0.2 s, even alone" in rows["set/c0"].reason
    (row,) = coded(failing.Sender(sent=lambda c, a: torch.zeros(3).reshape(7)), clips[:1]).values()
    assert re.search(r"RuntimeError: shape .* \(test_coding\.py:\d+\)$", row.reason)
    monkeypatch.setattr(coding, "load", lambda planned: {}["library"])
    job = CodingJob((failing.TOY,), tuple(clips[:1]), Request(), tmp_path)
    (row,) = job.run()
    assert re.fullmatch(r"KeyError: 'library' \(test_coding\.py:\d+\)", row.reason)
    (row,) = replace(job, refused="why").run()
    assert (row.status, row.reason) == ("failed", "why")


@pytest.mark.parametrize(("batch", "what"), [(1, "save"), (8, "write_flac")])
def test_a_full_disk_ends_the_job(coded, tmp_path, monkeypatch, batch, what):
    monkeypatch.setattr(coding, what, Mock(side_effect=StoreError("the disk is full")))
    with pytest.raises(StoreError, match="the disk is full"):
        coded(failing.BatchingToy(), clips_of(tmp_path, 1), batch, keep_codes=True)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_silent_decode_is_a_failed_row(coded, tmp_path, batch):
    mute = failing.BatchingToy(
        tweak=lambda c, e, seed: failing.samples_of(e) * (1 - e.num_samples % 2)
    )
    clips = [failing.make_clip(tmp_path, f"{n}", n) for n in (15_000, 15_001)]
    rows = coded(mute, clips, batch)
    assert [rows[clip.id].status for clip in clips] == ["ok", "failed"]
    assert "the decode is silent: all samples lie within 0 of 0" in rows["set/15001"].reason


@pytest.mark.parametrize("batch", [1, 4])
def test_codes_lie_beside_what_was_decoded_if_they_are_kept(coded, tmp_path, batch):
    def row_of(**changes):
        toy = failing.BatchingToy(replace(failing.SPEC, **changes))
        return coded(toy, clips_of(tmp_path, 1), batch, keep_codes=True)["set/c0"]

    row = row_of(stochastic=True)
    assert row.codes == "codes/toy/set/c0.sncb"
    data = (tmp_path / "run" / row.codes).read_bytes()
    assert row.codes_sha256 == hashlib.sha256(data).hexdigest()
    stream = read_codes(data)
    assert stream.header.seed == row.seed
    assert len(stream.parts[0].packets[0]) == 4 * 3000
    row = row_of(name="x" * 2_000)
    assert "its codes cannot be kept: no .sncb file can hold this" in row.reason
    other = failing.BatchingToy(replace(failing.SPEC, name="other"))
    row = coded(other, clips_of(tmp_path, 1))["set/c0"]
    assert (row.status, row.codes, row.codes_sha256) == ("ok", None, None)
    assert not (tmp_path / "run" / "codes" / "other").exists()


@pytest.mark.parametrize("asked", [None, 32])
def test_half_of_what_did_not_fit_is_the_most_from_then_on(asked):
    loaded = failing.loaded_toy(failing.BatchingToy())
    assert loaded.batch_size(1000, asked) == MAX_BATCH
    loaded.was_too_large(32 * 1000)
    assert (loaded.batch_size(1000, asked), loaded.batch_size(4000, asked)) == (16, 4)
    loaded.was_too_large(4 * 4000)
    assert (loaded.batch_size(1000, asked), loaded.batch_size(1_000_000, asked)) == (8, 1)
    assert is_out_of_memory(torch.cuda.OutOfMemoryError("..."))
    assert is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate"))
