"""A manifest takes a set to another machine: the very same clips, whatever the paths there."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from snacbench.audio.io import read_clip, sha256_of_file
from snacbench.errors import TestSetError
from snacbench.testsets import export, records
from snacbench.testsets.export import COLUMNS, copy_clips, write_manifest
from snacbench.testsets.folder import folder_set
from snacbench.testsets.index import corpus_set, joined
from snacbench.testsets.manifest import manifest_set
from snacbench.testsets.records import Reading
from snacbench.testsets.roots import Roots
from snacbench.testsets.segments import Draw, draw
from snacbench.testsets.testset import TestSet
from snacbench.testsets.verify import verified_manifest
from snacbench.types import Measures
from tests.testsets.conftest import MINIATURE


@pytest.fixture
def drawn(tmp_path: Path) -> TestSet:
    """Twelve segments of half a second from four speakers' files, two corpora."""
    rng = np.random.default_rng(0)
    for number in range(4):
        path = tmp_path / "here" / ("one", "two")[number % 2] / f"s{number}" / "talk.wav"
        path.parent.mkdir(parents=True)
        soundfile.write(path, rng.uniform(-0.3, 0.3, (24_000, 2)), 8000, subtype="PCM_16")
    parts = [
        corpus_set(
            replace(MINIATURE, name=name, expected_files=None, expected_clusters=None),
            tmp_path / "here" / name,
        )
        for name in ("one", "two")
    ]
    return draw(joined("both", parts), Draw(12, 1.0))


def moved(folder: Path) -> Path:
    """The same files as on another machine."""
    elsewhere = folder / "another" / "machine"
    shutil.copytree(folder / "here", elsewhere)
    shutil.rmtree(folder / "here")
    return elsewhere


def test_export_and_import_give_the_same_clips(drawn, tmp_path):
    write_manifest(drawn, tmp_path / "both.csv")
    root = moved(tmp_path)
    found = manifest_set(tmp_path / "both.csv", roots=Roots(root))
    assert found.name == "both"
    assert found.sha256 == drawn.sha256
    assert len(found.clips) == 12
    for was, now in zip(drawn.clips, found.clips, strict=True):
        assert now.path.is_relative_to(root)
        assert replace(now, path=was.path) == was


def test_an_export_of_an_import_is_the_same_file(drawn, tmp_path):
    write_manifest(drawn, tmp_path / "first.csv")
    root = moved(tmp_path)
    found = manifest_set(tmp_path / "first.csv", roots=Roots(root))
    write_manifest(found, tmp_path / "second.csv")
    assert (tmp_path / "first.csv").read_text() == (tmp_path / "second.csv").read_text()


def test_a_manifest_names_no_place_of_this_disk(drawn, tmp_path):
    write_manifest(drawn, tmp_path / "both.csv")
    text = (tmp_path / "both.csv").read_text()
    assert str(tmp_path) not in text
    with (tmp_path / "both.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert {row["path"] for row in rows} == {f"s{number}/talk.wav" for number in range(4)}


@pytest.mark.parametrize("how", ["named", "beside", "settings"])
def test_roots_are_found_in_every_way(drawn, tmp_path, how, monkeypatch):
    write_manifest(drawn, tmp_path / "both.csv")
    root = moved(tmp_path)
    manifest, roots = tmp_path / "both.csv", Roots()
    if how == "named":
        (root / "one").rename(root / "eins")
        (root / "two").rename(root / "zwei")
        roots = Roots(None, {"one": root / "eins", "two": root / "zwei"})
    elif how == "beside":
        manifest = manifest.rename(root / "both.csv")
    else:
        monkeypatch.setenv("SNACBENCH_ROOT_ONE", str(root / "one"))
        monkeypatch.setenv("SNACBENCH_ROOT_TWO", str(root / "two"))
    assert manifest_set(manifest, roots=roots).sha256 == drawn.sha256


def test_the_folder_of_a_corpus_and_the_one_above_are_both_its_root(miniature, tmp_path):
    """The manifest was written with the one, and is read with the other."""
    test_set = corpus_set(MINIATURE, miniature)
    write_manifest(test_set, tmp_path / "set.csv")
    above = manifest_set(tmp_path / "set.csv", roots=Roots(tmp_path))
    assert above.sha256 == test_set.sha256
    deeper = replace(test_set, roots={"miniature": tmp_path})
    write_manifest(deeper, tmp_path / "deeper.csv")
    below = manifest_set(tmp_path / "deeper.csv", roots=Roots(miniature))
    assert below.sha256 == test_set.sha256


def test_a_file_that_is_another_is_broken_and_named(drawn, tmp_path):
    write_manifest(drawn, tmp_path / "both.csv")
    victim = drawn.clips[0].path
    samples, rate_hz = soundfile.read(victim)
    soundfile.write(victim, samples * 0.5, rate_hz, subtype="PCM_16")
    found = manifest_set(tmp_path / "both.csv", roots=Roots(tmp_path / "here"))
    of_victim = [clip.id for clip in drawn.clips if clip.path == victim]
    assert [clip.id for clip in found.broken] == of_victim
    assert "the manifest says" in found.broken[0].reason
    verified = verified_manifest(found)
    assert (verified.files, len(verified.differences)) == (4, len(of_victim))


def test_a_manifest_hashes_each_file_once_and_remembers(drawn, tmp_path, monkeypatch):
    write_manifest(drawn, tmp_path / "both.csv")
    names: list[Path] = []
    monkeypatch.setattr(records, "_TICK_NS", -1)
    monkeypatch.setattr(records, "_FELT_BYTES", 1000)
    monkeypatch.setattr(
        records, "sha256_of_file", lambda path: names.append(path) or sha256_of_file(path)
    )
    shutil.rmtree(records.index_folder())
    roots = Roots(tmp_path / "here")
    for _ in range(2):
        assert manifest_set(tmp_path / "both.csv", roots=roots).sha256 == drawn.sha256
    assert len(names) == 4
    manifest_set(tmp_path / "both.csv", roots=roots, reading=Reading(trust=False))
    assert len(names) == 8


def test_whole_clips_and_what_is_known_of_them(record, tmp_path):
    record("set/speech/a.wav", text="two\nlines, and “quotes”")
    record("set/b.wav")
    test_set = folder_set(tmp_path / "set")
    write_manifest(test_set, tmp_path / "out" / "m.csv")
    found = manifest_set(tmp_path / "out" / "m.csv", roots=Roots(tmp_path / "set"))
    assert found.clips == test_set.clips
    assert found.name == "m"


def test_measures_survive_to_the_last_digit(record, tmp_path):
    record("set/a.wav")
    (clip,) = folder_set(tmp_path / "set").clips
    for measures in (
        Measures(1 / 3, -23.1, None, 7, brickwall=True),
        Measures(None, None, None, 0),
    ):
        kept = TestSet("set", (replace(clip, measures=measures),), roots={"set": tmp_path / "set"})
        write_manifest(kept, tmp_path / "set" / "m.csv")
        assert manifest_set(tmp_path / "set" / "m.csv").clips[0].measures == measures


def test_a_file_outside_of_the_root_keeps_its_whole_path(record, tmp_path):
    path = record("elsewhere/a.wav")
    (tmp_path / "m.csv").write_text(f"path,id\n{path},a\n")
    write_manifest(manifest_set(tmp_path / "m.csv"), tmp_path / "again" / "n.csv")
    assert manifest_set(tmp_path / "again" / "n.csv").clips[0].path == path


def test_nothing_readable_is_nothing_to_write(tmp_path):
    with pytest.raises(TestSetError, match=r"empty has no readable clip to write to .*m.csv"):
        write_manifest(TestSet("empty", ()), tmp_path / "m.csv")


def test_a_manifest_that_cannot_be_written_leaves_nothing(drawn, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("taken")
    with pytest.raises(TestSetError, match=r"cannot write .*m.csv \(Not a directory\)|File exists"):
        write_manifest(drawn, tmp_path / "file" / "m.csv")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "_row", fail)
    with pytest.raises(TestSetError, match="No space left on device"):
        write_manifest(drawn, tmp_path / "m.csv")
    assert not list(tmp_path.glob("*m.csv*"))


# ----------------------------------------------------------------------------- copies


def test_copies_hold_the_samples_of_the_segments(drawn, tmp_path):
    copied = copy_clips(drawn, tmp_path / "cut")
    assert (copied.problems, copied.clipped) == ((), ())
    write_manifest(copied.test_set, tmp_path / "cut" / "set.csv")
    shutil.rmtree(tmp_path / "here")
    (tmp_path / "cut").rename(tmp_path / "sent")
    found = manifest_set(tmp_path / "sent" / "set.csv")
    assert found.sha256 == copied.test_set.sha256
    assert [clip.id for clip in found.clips] == [clip.id for clip in drawn.clips]
    assert all(clip.start == 0 and clip.num_samples == 8000 for clip in found.clips)


def test_copies_are_exact(drawn, tmp_path):
    copied = copy_clips(drawn, tmp_path / "cut").test_set
    for was, now in zip(drawn.clips, copied.clips, strict=True):
        assert np.array_equal(read_clip(was).samples, read_clip(now).samples)
        assert now.measures == was.measures


def test_copies_of_what_cannot_be_copied_are_reported(record, tmp_path):
    for name in ("a", "b"):
        record(f"set/{name}.wav")
    loud = tmp_path / "set" / "c.wav"
    soundfile.write(loud, np.full(800, 1.5), 8000, subtype="FLOAT")
    test_set = folder_set(tmp_path / "set")
    (tmp_path / "set" / "b.wav").unlink()
    copied = copy_clips(test_set, tmp_path / "cut")
    assert [clip.id for clip in copied.test_set.clips] == ["set/a", "set/c"]
    assert copied.problems[0].startswith("set/b: ")
    assert copied.clipped == ("set/c",)


def test_copies_stay_in_their_folder(record, tmp_path):
    record("set/a.wav")
    (clip,) = folder_set(tmp_path / "set").clips
    odd = [replace(clip, id=name) for name in ("set/../../up", "set/a:b", "set/a?b", "/set/c")]
    copied = copy_clips(TestSet("set", tuple(odd)), tmp_path / "cut").test_set
    paths = [c.path.resolve() for c in copied.clips]
    assert len(set(paths)) == 4
    assert all(path.is_relative_to(tmp_path / "cut") for path in paths)


def test_a_folder_that_cannot_be_written_ends_the_copying(drawn, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(TestSetError, match=r"cannot write .*taken"):
        copy_clips(drawn, tmp_path / "taken")
