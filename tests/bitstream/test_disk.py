from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from snacbench.bitstream.disk import load, save
from snacbench.errors import BitstreamError, StoreError


def test_files_come_back(tmp_path: Path) -> None:
    save(tmp_path / "deep" / "er" / "a.sncb", b"abc")
    assert load(tmp_path / "deep" / "er" / "a.sncb") == b"abc"
    assert [p.name for p in (tmp_path / "deep" / "er").iterdir()] == ["a.sncb"]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreError, match=r"the disk is full while writing .*a\.sncb"):
        save(tmp_path / "a.sncb", b"abc")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_or_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot write .*a\.sncb \(.*\); check the folder"):
        save(tmp_path / "file" / "a.sncb", b"abc")
    with pytest.raises(BitstreamError, match=r"a\.sncb cannot be read: No such file"):
        load(tmp_path / "a.sncb")
