from __future__ import annotations

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets.corpora import corpora
from snacbench.testsets.corpora.corpus import CorpusFile
from tests.testsets.corpora.trees import make_tree, video_id


def find(root, name="audioset"):
    return list(corpora()[name].find(root))


def test_every_listed_video_that_is_there(tmp_path):
    found = find(make_tree("audioset", tmp_path, files=8))
    assert found[0] == CorpusFile(
        id=video_id(0),
        path=f"eval_segments/{video_id(0)}.wav",
        domain="environment",
        cluster=video_id(0),
        transcript=None,
        licence=None,
        lossy_source=True,
    )
    assert {file.id for file in found} == {video_id(i) for i in range(8)}


def test_speech_and_music_are_left_out_on_request(tmp_path):
    tree = make_tree("audioset", tmp_path, files=8)
    assert {file.id for file in find(tree, "audioset-environment")} == {
        video_id(i) for i in range(8) if i % 4 in (1, 3)
    }


@pytest.mark.parametrize(
    "name",
    [
        "{}.wav",
        "{}.flac",
        "{}_30.wav",
        "{}_30.000.wav",
        "{}_30.000_40.000.wav",
        "{}_30000_40000.flac",
        "Y{}.wav",
        "Y{}_30.000_40.000.wav",
    ],
)
@pytest.mark.parametrize("video", ["--4gqARaEJE", "Y1234567890", "a_b-c_30_40"])
def test_spellings_of_download_tools(tmp_path, name, video):
    folder = tmp_path / "eval"
    folder.mkdir()
    (folder / name.format(video)).touch()
    (file,) = find(tmp_path)
    assert file.id == video
    assert file.path == f"eval/{name.format(video)}"


@pytest.mark.parametrize("name", ["song.wav", "--4gqARaEJE_cut.wav", "--4gqARaEJE.webm"])
def test_other_files_are_no_videos(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(TestSetError, match=r"does not hold AudioSet eval: expected <id>\.wav"):
        find(tmp_path)


@pytest.mark.parametrize(
    "folder", [".", "eval", "eval_segments/audio", "audio/eval", "data/audioset/eval_segments"]
)
def test_folders_of_download_tools(tmp_path, folder):
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / folder / "--4gqARaEJE.flac").touch()
    (file,) = find(tmp_path / "data" if folder.startswith("data") else tmp_path)
    assert file.id == "--4gqARaEJE"


def test_without_the_list_every_file_counts(tmp_path):
    tree = make_tree("audioset", tmp_path)
    (tree / "eval_segments.csv").unlink()
    (tree / "eval_segments" / "notlisted11.wav").touch()
    assert len(find(tree)) == 7


def test_files_that_are_not_listed_are_left_out(tmp_path):
    tree = make_tree("audioset", tmp_path)
    (tree / "eval_segments" / "notlisted11.wav").touch()
    assert len(find(tree)) == 6


def test_one_video_in_two_spellings_counts_once(tmp_path):
    tree = make_tree("audioset", tmp_path, files=1)
    (tree / "eval_segments" / f"Y{video_id(0)}_30.000_40.000.wav").touch()
    assert [file.id for file in find(tree)] == [video_id(0)]


def test_no_file_of_the_list(tmp_path):
    tree = make_tree("audioset", tmp_path)
    rows = '# YTID\naaaaaaaaaaa, 0.000, 10.000, "/m/0bt9lr"\n'
    (tree / "eval_segments.csv").write_text(rows)
    with pytest.raises(TestSetError, match=r"none of the files in .* is listed in eval_segments"):
        find(tree)


@pytest.mark.parametrize("missing", ["eval_segments.csv", "class_labels_indices.csv"])
def test_labels_need_both_tables(tmp_path, missing):
    tree = make_tree("audioset", tmp_path)
    (tree / missing).unlink()
    with pytest.raises(TestSetError, match=r"has not both eval_segments\.csv and class_labels"):
        find(tree, "audioset-environment")


def test_an_empty_list_is_refused(tmp_path):
    tree = make_tree("audioset", tmp_path)
    (tree / "eval_segments.csv").write_text("<html>Moved</html>\n")
    with pytest.raises(TestSetError, match=r"lists no segment; expected lines like '--4gq"):
        find(tree)


def test_a_foreign_class_table_is_refused(tmp_path):
    tree = make_tree("audioset", tmp_path)
    (tree / "class_labels_indices.csv").write_text("0,/m/09x0r,Speech\n")
    with pytest.raises(TestSetError, match=r"is not the list of AudioSet's classes"):
        find(tree, "audioset-environment")


def test_a_damaged_list_is_refused(tmp_path):
    tree = make_tree("audioset", tmp_path)
    (tree / "eval_segments.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TestSetError, match=r"cannot read .*eval_segments\.csv"):
        find(tree)
