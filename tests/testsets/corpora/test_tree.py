"""What all layouts share: listings, names and their comparison."""

from __future__ import annotations

import os
import unicodedata

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets.corpora._tree import child, files_in, folders_in, is_called, names_in


def test_litter_is_not_listed(tmp_path):
    for name in (".DS_Store", "._a.wav", ".hidden", "Thumbs.db", "a.wav"):
        (tmp_path / name).touch()
    for name in ("__MACOSX", "@eaDir", "part"):
        (tmp_path / name).mkdir()
    assert names_in(tmp_path) == ["a.wav", "part"]
    assert folders_in(tmp_path) == [tmp_path / "part"]


def test_files_by_suffix_in_any_case(tmp_path):
    for name in ("b.WAV", "a.wav", "c.flac", "wav"):
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere")
    assert files_in(tmp_path, (".wav",)) == ["a.wav", "b.WAV"]


def test_child_in_any_case_and_normalisation(tmp_path):
    folder = tmp_path / "Test" / unicodedata.normalize("NFD", "Zoë")
    folder.mkdir(parents=True)
    assert child(tmp_path, "test", unicodedata.normalize("NFC", "Zoë")) == folder
    assert child(tmp_path, "test", "nobody") is None
    (tmp_path / "file").touch()
    assert child(tmp_path, "file", "below") is None


def test_a_link_is_called_like_what_it_links_to(tmp_path):
    (tmp_path / "test-clean").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "test-clean", target_is_directory=True)
    assert is_called(tmp_path / "link", ("Test-Clean",))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(tmp_path):
    (tmp_path / "secret").mkdir(mode=0o000)
    with pytest.raises(TestSetError, match="may not be read by this user; check its permissions"):
        names_in(tmp_path / "secret")


def test_a_folder_that_the_system_refuses(tmp_path, monkeypatch):
    def refuse(folder: os.PathLike[str]) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(TestSetError, match="may not be read by this user; check its permissions"):
        names_in(tmp_path)
