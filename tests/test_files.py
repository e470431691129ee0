"""Files appear whole or not at all; one process at a time holds a lock."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from snacbench.errors import StoreError
from snacbench.files import atomic, lock, sha256_of_file, write_bytes, write_text, writing


def test_a_file_or_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "new folder/a.txt"
    with atomic(target, sync=True) as partial:
        partial.write_text("half")
        assert not target.exists()
        assert partial.name.startswith(".")
        assert partial.name.endswith(".partial")
    assert target.read_text() == "half"
    (tmp_path / "a").mkdir()
    (tmp_path / "a/old").touch()
    with atomic(tmp_path / "a") as partial:
        partial.mkdir()
        (partial / "new").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["new"]
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("folder", [False, True])
def test_what_fails_leaves_the_target_as_it_was(tmp_path: Path, folder: bool) -> None:
    target = tmp_path / "a"
    target.write_text("old")

    def fail() -> None:
        with atomic(target) as partial:
            if folder:
                partial.mkdir()
            (partial / "inside" if folder else partial).write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(StoreError, match=r"cannot write the text .*; choose"), writing("the text"):
        write_text(target / "below", "text")


def test_bytes_and_text_are_written_as_they_are(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "ä\r\nb\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa4\r\nb\n"
    write_bytes(tmp_path / "a", b"\0" * 3_000_000, sync=True)
    assert sha256_of_file(tmp_path / "a") == hashlib.sha256(b"\0" * 3_000_000).hexdigest()


def test_a_lock_that_is_held_is_refused_or_waited_for(tmp_path: Path) -> None:
    path, told, done = tmp_path / "lock", threading.Event(), threading.Event()

    def wait_for_it() -> None:
        with lock(path, on_wait=told.set) as stream:
            assert Path(stream.name).exists()
            done.set()

    with lock(path):
        with pytest.raises(BlockingIOError), lock(path, wait=False):
            pass
        other = threading.Thread(target=wait_for_it)
        other.start()
        assert told.wait(10)
        assert not done.is_set()
        path.rename(tmp_path / "renamed")  # whoever waited takes a new file
    other.join(10)
    assert done.is_set()
    assert path.exists()
