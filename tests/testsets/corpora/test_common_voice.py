from __future__ import annotations

import hashlib
import shutil

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets.corpora.common_voice import find
from snacbench.testsets.corpora.corpus import CorpusFile
from tests.testsets.corpora.trees import make_tree

CLIENT = f"{0:0128x}"


def test_test_part_of_every_language(tmp_path):
    found = list(find(make_tree("common-voice", tmp_path, files=10)))
    pseudonym = hashlib.sha256(f"common-voice {CLIENT}".encode()).hexdigest()[:16]
    assert found[0] == CorpusFile(
        id="de/common_voice_de_17298952",
        path="de/clips/common_voice_de_17298952.mp3",
        domain="speech",
        cluster=pseudonym,
        transcript='Er sagte "0.',
        licence=None,
        lossy_source=True,
    )
    assert len(found) == 10
    assert {file.id.split("/")[0] for file in found} == {"de", "sv-SE"}


def test_no_speaker_keeps_the_id_of_the_table(tmp_path):
    found = list(find(make_tree("common-voice", tmp_path, files=12)))
    assert len({file.cluster for file in found}) == 3
    assert CLIENT not in {file.cluster for file in found}


def test_one_language_by_its_folder(tmp_path):
    tree = make_tree("common-voice", tmp_path, files=10)
    found = list(find(tree / "sv-SE"))
    assert len(found) == 5
    assert found[0].id == "sv-SE/common_voice_sv-SE_17298953"
    assert found[0].path == "clips/common_voice_sv-SE_17298953.mp3"
    (tmp_path / "swedish").symlink_to(tree / "sv-SE", target_is_directory=True)
    assert list(find(tmp_path / "swedish")) == found


def test_names_without_suffix_as_in_the_first_releases(tmp_path):
    tree = make_tree("common-voice", tmp_path, files=2)
    table = tree / "de" / "test.tsv"
    table.write_text(table.read_text().replace(".mp3", ""))
    assert next(find(tree)).path == "de/clips/common_voice_de_17298952.mp3"


def test_a_table_without_its_clips(tmp_path):
    tree = make_tree("common-voice", tmp_path)
    for clips in tree.glob("*/clips"):
        shutil.rmtree(clips)
    with pytest.raises(TestSetError, match="the tables are there, but none of the clips"):
        find(tree)


@pytest.mark.parametrize(
    "content", [b"path\tsentence\na.mp3\tHallo\n", b"client_id\tpath\n\xff\t\n"]
)
def test_a_damaged_table_is_refused(tmp_path, content):
    tree = make_tree("common-voice", tmp_path)
    (tree / "de" / "test.tsv").write_bytes(content)
    with pytest.raises(
        TestSetError, match=r"is not a table of Common Voice .*client_id, path, sen"
    ):
        find(tree)


def test_two_releases_in_one_folder(tmp_path):
    tree = make_tree("common-voice", tmp_path)
    shutil.copytree(tree, tmp_path / "cv-corpus-18.0")
    with pytest.raises(TestSetError, match=r"more than once: cv-corpus-17\.0.*, cv-corpus-18\.0"):
        find(tmp_path)
