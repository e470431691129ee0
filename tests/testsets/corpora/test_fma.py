from __future__ import annotations

import csv
import shutil

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets.corpora import corpora
from snacbench.testsets.corpora.corpus import CorpusFile
from tests.testsets.corpora.trees import make_tree


def find(root, size="small"):
    return list(corpora()[f"fma-{size}"].find(root))


@pytest.mark.parametrize("size", ["small", "medium", "large", "full"])
def test_test_part_with_licences(tmp_path, size):
    found = find(make_tree(f"fma-{size}", tmp_path, files=100), size)
    assert found[0] == CorpusFile(
        id="000140",
        path=f"fma_{size}/000/000140.mp3",
        domain="music",
        cluster="000140",
        transcript=None,
        licence="CC BY",
        lossy_source=True,
    )
    assert len(found) == 100
    assert found[-1].path == f"fma_{size}/001/001229.mp3"


def test_metadata_beside_or_inside_the_audio(tmp_path):
    tree = make_tree("fma-small", tmp_path)
    assert find(tree / "fma_small")[0].path == "000/000140.mp3"
    (tree / "fma_metadata").rename(tree / "fma_small" / "fma_metadata")
    assert len(find(tree)) == 6
    (tree / "fma_small" / "fma_metadata" / "tracks.csv").rename(tree / "tracks.csv")
    assert len(find(tree)) == 6


def test_editions_side_by_side(tmp_path):
    tree = make_tree("fma-small", tmp_path, files=2)
    with pytest.raises(TestSetError, match=r"does not hold FMA \(fma_medium\)"):
        find(tree, "medium")


def test_without_metadata_nobody_knows_the_test_part(tmp_path):
    tree = make_tree("fma-small", tmp_path)
    shutil.rmtree(tree / "fma_metadata")
    with pytest.raises(TestSetError, match=r"tracks\.csv of fma_metadata\.zip, .* is not there"):
        find(tree)


def test_a_partial_copy_without_test_tracks(tmp_path):
    tree = make_tree("fma-small", tmp_path)
    for path in tree.glob("fma_small/000/*.mp3"):
        if path.name != "000002.mp3":
            path.unlink()
    with pytest.raises(TestSetError, match="no file there is of the test part"):
        find(tree)


@pytest.mark.parametrize(
    "content", ["", "track_id,split\n2,test\n", "a,b\nc,d\n", "\n,set\n,split\n"]
)
def test_another_table_is_refused(tmp_path, content):
    tree = make_tree("fma-small", tmp_path)
    (tree / "fma_metadata" / "tracks.csv").write_text(content)
    with pytest.raises(TestSetError, match=r"is not the table of FMA .*header of two rows"):
        find(tree)


def test_the_limit_of_the_csv_module_is_put_back(tmp_path):
    before = csv.field_size_limit()
    find(make_tree("fma-small", tmp_path))
    assert csv.field_size_limit() == before


def test_clips_that_were_cut_from_nowhere_are_known():
    small, medium = (corpora()[f"fma-{size}"].known_corrupt for size in ("small", "medium"))
    assert set(small) == {"098565", "098567", "098569", "099134", "108925", "133297"}
    assert small.keys() < medium.keys()
    assert len(medium) == 21
    assert not corpora()["fma-full"].known_corrupt
