from __future__ import annotations

import csv

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets.corpora.corpus import CorpusFile
from snacbench.testsets.corpora.esc50 import find
from tests.testsets.corpora.trees import make_tree


def test_clips_of_one_recording_share_a_cluster(tmp_path):
    tree = make_tree("esc50", tmp_path, files=10)
    found = list(find(tree))
    assert found[:2] == [
        CorpusFile(
            id=f"1-100032-{take}-0",
            path=f"audio/1-100032-{take}-0.wav",
            domain="environment",
            cluster="100032",
            transcript=None,
            licence="CC-BY-3.0",
            lossy_source=True,
        )
        for take in "AB"
    ]
    with (tree / "meta" / "esc50.csv").open() as table:
        sources = {row["filename"]: row["src_file"] for row in csv.DictReader(table)}
    assert {f"{file.id}.wav": file.cluster for file in found} == sources


def test_licence_of_the_subset_esc10_is_freer(tmp_path):
    found = find(make_tree("esc50", tmp_path, files=10))
    assert [file.licence for file in found] == ["CC-BY-3.0"] * 4 + ["CC-BY-NC-3.0"] * 6


def test_without_the_table_the_stricter_licence_holds(tmp_path):
    tree = make_tree("esc50", tmp_path)
    (tree / "meta" / "esc50.csv").unlink()
    assert {file.licence for file in find(tree)} == {"CC-BY-NC-3.0"}


@pytest.mark.parametrize("content", [b"name,class\na.wav,1\n", b"filename\na.wav\n"])
def test_a_damaged_table_is_refused(tmp_path, content):
    tree = make_tree("esc50", tmp_path)
    (tree / "meta" / "esc50.csv").write_bytes(content)
    with pytest.raises(
        TestSetError, match=r"esc50\.csv is not the table of ESC-50 .* filename and"
    ):
        find(tree)


def test_the_first_release_in_ogg_is_not_this_layout(tmp_path):
    (tmp_path / "ESC-50" / "101 - Dog").mkdir(parents=True)
    (tmp_path / "ESC-50" / "101 - Dog" / "1-100032-A.ogg").touch()
    with pytest.raises(TestSetError, match=r"expected audio/<fold>-<source>.*found ESC-50$"):
        find(tmp_path)
