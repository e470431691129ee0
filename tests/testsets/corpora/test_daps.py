from __future__ import annotations

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets.corpora import corpora
from snacbench.testsets.corpora.corpus import CorpusFile
from tests.testsets.corpora.trees import DAPS_VERSIONS, make_tree


def find(name, root):
    return list(corpora()[name].find(root))


@pytest.mark.parametrize(("name", "version"), [("daps", "clean"), ("daps-cleanraw", "cleanraw")])
def test_the_test_speakers_of_one_version(tmp_path, name, version):
    tree = make_tree(name, tmp_path, files=10)
    found = find(name, tree)
    assert found[0] == CorpusFile(
        id="F10/script1",
        path=f"{version}/f10_script1_{version}.wav",
        domain="speech",
        cluster="F10",
        transcript=None,
        licence=None,
        lossy_source=False,
    )
    assert [file.id for file in found] == [
        f"{s}/script{n}" for s in ("F10", "M10") for n in "12345"
    ]
    assert len(found) == corpora()[name].expected_files
    assert len({file.cluster for file in found}) == corpora()[name].expected_clusters


def test_all_versions_keep_their_name_in_the_id(tmp_path):
    found = find("daps-all", make_tree("daps-all", tmp_path, files=4))
    assert len(found) == 4 * len(DAPS_VERSIONS)
    assert found[0].id == "clean/F10/script1"
    assert found[-1] == CorpusFile(
        id="produced/M10/script2",
        path="produced/m10_script2_produced.wav",
        domain="speech",
        cluster="M10",
        lossy_source=False,
    )
    assert corpora()["daps-all"].expected_files == 150


def test_paths_are_relative_to_the_root_that_was_given(tmp_path):
    tree = make_tree("daps", tmp_path)
    assert find("daps", tmp_path)[0].path == f"{tree.name}/clean/f10_script1_clean.wav"


def test_names_in_upper_case(tmp_path):
    folder = tmp_path / "DAPS" / "Clean"
    folder.mkdir(parents=True)
    (folder / "M10_script3_Clean.WAV").touch()
    (file,) = find("daps", tmp_path)
    assert (file.id, file.path) == ("M10/script3", "DAPS/Clean/M10_script3_Clean.WAV")


def test_a_copy_with_other_versions_only(tmp_path):
    tree = make_tree("daps", tmp_path)
    for file in (tree / "clean").iterdir():
        file.unlink()
    with pytest.raises(
        TestSetError, match=r"does not hold DAPS \(clean\): expected clean/<speaker>"
    ):
        find("daps", tree)
    assert find("daps-cleanraw", tree)


def test_a_partial_copy_gives_what_is_there(tmp_path):
    tree = make_tree("daps", tmp_path, files=10)
    (tree / "clean" / "f10_script2_clean.wav").unlink()
    assert len(find("daps", tree)) == 9
