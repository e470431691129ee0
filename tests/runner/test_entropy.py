from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snacbench.errors import BitstreamError, StoreError, UserError
from snacbench.rows import Coded, CodedBytes
from snacbench.runner.entropy import coder_rates, kept_clips, kept_codecs
from snacbench.store.folder import RunFolder
from tests.kept_runs import keep, kept_run
from tests.rate.coding.corpora import levels
from tests.synthetic_runs import make_run


def test_codes_come_back_with_their_clusters(tmp_path: Path) -> None:
    folder = kept_run(tmp_path / "run")
    (codec,) = kept_codecs(folder)
    assert codec.codebook_sizes == (32, 32)
    clips = kept_clips(folder, codec)
    assert [one.cluster for one in clips] == [f"speaker {n % 4}" for n in range(8)]
    assert [len(one.parts) for one in clips] == [2] + [1] * 7
    for number, one in enumerate(clips):
        assert all(map(np.array_equal, one.parts[0], levels(100, seed=number)))


def test_a_clip_of_no_known_speaker_is_a_cluster_of_its_own(tmp_path: Path) -> None:
    folder = kept_run(tmp_path / "run", speakers=0)
    clips = kept_clips(folder, kept_codecs(folder)[0])
    assert [one.cluster for one in clips] == [one.clip for one in clips]


def test_of_two_rows_of_a_clip_the_last_one_counts(tmp_path: Path) -> None:
    folder = kept_run(tmp_path / "run", count=2)
    other = levels(100, seed=50)
    folder.append([keep(folder, "tiny/000", "toy@1kbps", [other])])
    (codec,) = kept_codecs(folder)
    assert np.array_equal(kept_clips(folder, codec)[0].parts[0][0], other[0])
    folder.append([Coded("tiny/000", "toy@1kbps", "failed", "broken")])
    assert [row.clip for row in kept_codecs(folder)[0].rows] == ["tiny/001"]


def test_a_run_that_kept_no_codes_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {"a": {"up": np.arange(3.0)}})
    with pytest.raises(UserError, match="keeps no codes; make it again with 'snacbench run --keep"):
        kept_codecs(folder)


def test_files_that_the_run_did_not_write_are_refused(tmp_path: Path) -> None:
    folder = kept_run(tmp_path / "run", count=2)
    (codec,) = kept_codecs(folder)
    path = folder.codes_path("tiny/001", "toy@1kbps")
    whole = path.read_bytes()
    path.write_bytes(folder.codes_path("tiny/000", "toy@1kbps").read_bytes())
    with pytest.raises(StoreError, match=r"has sha256 \w+, and the run wrote \w+; make the run"):
        kept_clips(folder, codec)
    unchecked = replace(codec, rows=(replace(codec.rows[1], codes_sha256=None),))
    path.write_bytes(whole[:-1])
    with pytest.raises(BitstreamError, match="truncated"):
        kept_clips(folder, unchecked)
    path.unlink()
    with pytest.raises(BitstreamError, match="cannot be read"):
        kept_clips(folder, unchecked)


def test_codes_that_are_not_packed_are_not_a_runs(tmp_path: Path) -> None:
    from snacbench.bitstream.container import read, write
    from snacbench.rate.coding.coders import PACKED, coder_named

    folder = kept_run(tmp_path / "run", count=2)
    (codec,) = kept_codecs(folder)
    path = folder.codes_path("tiny/001", "toy@1kbps")
    path.write_bytes(write(read(path.read_bytes(), lambda _: PACKED), coder_named("adaptive")))
    rows = (replace(codec.rows[1], codes_sha256=None),)
    with pytest.raises(BitstreamError, match="written by the coder 'adaptive'"):
        kept_clips(folder, replace(codec, rows=rows))


def coded(folder: RunFolder, coder: str, size: int, *, shuffled: bool = False) -> list[CodedBytes]:
    (codec,) = kept_codecs(folder)
    return [
        CodedBytes(row.clip, row.codec, coder, "", (size, size), (8.0 * size - 4,) * 2, shuffled)
        for row in codec.rows
    ]


def test_rates_of_coders(tmp_path: Path) -> None:
    folder = kept_run(tmp_path / "run", count=2)
    (codec,) = kept_codecs(folder)
    rows = [
        *coded(folder, "adaptive", 60, shuffled=True),
        *coded(folder, "adaptive", 1000),
        *coded(folder, "previous", 40)[:1],
        *coded(folder, "adaptive", 50),  # counts, being the last
        CodedBytes("another", codec.spec.name, "adaptive", "", (1, 1), (1.0, 1.0)),
    ]
    plain, context, control = coder_rates(codec, rows)
    # Two clips of 4 s; three parts of 100 + 200 codes of 5 bit with 4 bytes of side information.
    assert plain.actual_kbps == pytest.approx(3 * (300 * 5 + 32) / 8 / 1000)
    assert plain.coded_kbps == pytest.approx((4 * 50 * 8 + 3 * 32) / 8 / 1000)
    assert plain.ideal_kbps == pytest.approx((4 * 50 * 8 - 16 + 3 * 32) / 8 / 1000)
    assert (plain.coder, plain.shuffled, plain.clips) == ("adaptive", False, 2)
    assert (context.coder, context.clips) == ("previous", 1)
    assert (control.coder, control.shuffled) == ("adaptive", True)
    assert plain.saves_over(2 * plain.coded_kbps) == pytest.approx(0.5)
    assert plain.saves_over(plain.coded_kbps / 2) == pytest.approx(-1)
