"""A corpus below a root: every file found, read, counted, and nothing silently gone."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets.folder import corpus_set, verify_corpus, verify_folder
from snacbench.testsets.records import Reading
from snacbench.testsets.testset import joined
from tests.support.testsets import MINIATURE, Steps, settle


def test_a_complete_copy(miniature):
    found = corpus_set(MINIATURE, miniature)
    assert [clip.id for clip in found.clips] == [
        "miniature/a/one",
        "miniature/a/two",
        "miniature/b/one",
        "miniature/b/two",
    ]
    clip = found.clips[0]
    assert (clip.domain, clip.cluster, clip.transcript) == ("speech", "a", "says one")
    assert (clip.licence, clip.lossy_source) == ("CC0-1.0", False)
    assert clip.path == miniature / "a/one.wav"
    assert found.roots == {"miniature": miniature}
    assert (found.broken, found.missing) == ((), ())
    assert found.notes == (
        "miniature/b/bad is left out, corrupt in every copy: was never readable",
    )


def test_a_file_that_is_broken_here_alone_stays_in_the_set(miniature):
    (miniature / "a/one.wav").write_bytes((miniature / "a/one.wav").read_bytes()[:500])
    found = corpus_set(MINIATURE, miniature)
    assert [clip.id for clip in found.broken] == ["miniature/a/one"]
    assert "holds 0.03 of the 0.10 s that its header states" in found.broken[0].reason
    assert found.missing == ()


def test_what_is_missing_is_reported(miniature):
    shutil.rmtree(miniature / "b")
    assert corpus_set(MINIATURE, miniature).missing == (
        "miniature: 2 files, a complete copy has 5",
        "miniature: 1 speakers or tracks, a complete copy has 2",
    )


def test_a_file_that_vanished_is_reported_by_name_until_it_is_forgotten(miniature):
    anything = replace(MINIATURE, expected_files=None)
    corpus_set(anything, miniature)
    (miniature / "a/two.wav").unlink()
    gone = ("miniature: 1 file gone since the last indexing: a/two.wav",)
    assert corpus_set(anything, miniature).missing == gone
    assert corpus_set(anything, miniature, forget=True).missing == gone
    assert corpus_set(anything, miniature).missing == ()


def test_progress_counts_what_is_read(miniature):
    steps = Steps()
    corpus_set(MINIATURE, miniature, reading=Reading(progress=steps))
    corpus_set(MINIATURE, miniature, reading=Reading(progress=steps))
    assert (steps.stages, steps.done) == ([("reading files", 4)], 4)


def test_a_cache_that_cannot_be_written_is_said(miniature, tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("SNACBENCH_CACHE", str(tmp_path / "taken"))
    assert corpus_set(MINIATURE, miniature).notes[-1].startswith("the index is not kept: ")


def test_several_corpora_are_one_set(miniature):
    one = corpus_set(MINIATURE, miniature)
    two = corpus_set(replace(MINIATURE, name="other"), miniature)
    both = joined("both", [one, two])
    assert (both.name, len(both.clips), set(both.roots)) == ("both", 8, {"miniature", "other"})
    assert both.notes == one.notes + two.notes
    with pytest.raises(TestSetError, match="has the id 'miniature/a/one' twice"):
        joined("both", [one, one])


def test_a_copy_as_indexed_verifies(miniature, record):
    corpus_set(MINIATURE, miniature)
    verified = verify_corpus(MINIATURE, miniature)
    assert (verified.files, verified.differences) == (4, ())
    settle(record("copy/a/one.wav", seconds=0.3))
    for _ in range(2):  # verifying does not accept what it finds
        assert len(verify_corpus(MINIATURE, miniature).differences) == 1


def test_every_difference_is_found(miniature, record):
    corpus_set(MINIATURE, miniature)
    flipped = bytearray((miniature / "a/one.wav").read_bytes())
    flipped[-1] ^= 1
    status = (miniature / "a/one.wav").stat()
    (miniature / "a/one.wav").write_bytes(flipped)
    settle(miniature / "a/one.wav")
    assert (miniature / "a/one.wav").stat().st_size == status.st_size
    (miniature / "a/two.wav").unlink()
    (miniature / "b/one.wav").write_text("no longer audio")
    record("copy/b/new.wav")
    lines = verify_corpus(MINIATURE, miniature).differences
    assert lines[0] == "a/two.wav: is gone"
    assert lines[1].startswith("a/one.wav: has changed, sha256 was ")
    assert lines[2] == "b/new.wav: is new, not in the index"
    assert lines[3].startswith("b/one.wav: ")
    assert "is not audio" in lines[3]
    assert len(lines) == 4


def test_nothing_can_be_verified_without_an_index(miniature):
    with pytest.raises(TestSetError, match=r"no index of miniature --root .* snacbench sets index"):
        verify_corpus(MINIATURE, miniature)
    with pytest.raises(TestSetError, match=r"no index of .*copy to compare with"):
        verify_folder(miniature)
