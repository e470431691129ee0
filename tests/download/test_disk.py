"""Disks that are full or closed, and other processes that want the same file."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from snacbench.download import fetch_file
from snacbench.download.partial import Partial
from snacbench.errors import CannotKeep
from tests.download.conftest import BODY, HALF, SHA256, TAG, left_in
from tests.hosts import IMPATIENT, Reply

# ---------------------------------------------------------------------------------- the disk


def test_a_file_that_cannot_fit_is_refused_before_it_fills_the_disk(host, target, monkeypatch):
    host.replies["/f"] = Reply(BODY)
    little = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: little)
    text = r"no room for file.bin in .*/set: 1.0 MB are to come and 0.0 MB are free"
    with pytest.raises(CannotKeep, match=text):
        fetch_file(f"{host.address}/f", target)
    assert left_in(target.parent) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_meanwhile_keeps_what_came(host, target, monkeypatch, code):
    def full(self: Partial, block: bytes) -> None:
        if self.size >= HALF:
            raise OSError(code, os.strerror(code))
        write(self, block)

    write = Partial.append
    host.replies["/f"] = Reply(BODY, headers=TAG, ranges=True)
    monkeypatch.setattr(Partial, "append", full)
    text = r"no room for file.bin in .*/set \(.*\); free some space and fetch again: it goes on"
    with pytest.raises(CannotKeep, match=text):
        fetch_file(f"{host.address}/f", target)
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert fetch_file(f"{host.address}/f", target, patience=IMPATIENT) == SHA256
    assert host.headers[1]["range"] == f"bytes={HALF}-"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("told", [True, False])
def test_a_disk_that_is_really_full(host, small_disk, told):
    host.replies["/f"] = Reply(BODY, headers={} if told else {"Content-Length": ""})
    text = "are free" if told else "No space left on device"
    with pytest.raises(CannotKeep, match=rf"no room for file.bin in {small_disk}.*{text}"):
        fetch_file(f"{host.address}/f", small_disk / "file.bin")
    assert not (small_disk / "file.bin").exists()


def test_a_folder_that_cannot_be_made_is_not_blamed_on_the_network(host, tmp_path):
    (tmp_path / "file").write_text("taken")
    text = r"cannot keep f in .*/file/set \(Not a directory\); check its permissions"
    with pytest.raises(CannotKeep, match=text):
        fetch_file(f"{host.address}/f", tmp_path / "file" / "set" / "f")
    assert host.asked == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_not_blamed_on_the_network(host, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(CannotKeep, match=r"cannot keep f in .*Permission denied\); check"):
        fetch_file(f"{host.address}/f", tmp_path / "locked" / "f")


# ------------------------------------------------------------------------------ other processes

_FETCH = """
import sys
from pathlib import Path
from snacbench.download import fetch_file
print(fetch_file(sys.argv[1], Path(sys.argv[2])))
"""


def fetcher(url: str, target: Path) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", _FETCH, url, str(target)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_of_two_fetchers_at_once_one_fetches_and_the_other_finds_it_ready(host, target):
    host.replies["/f"] = Reply(BODY, block_s=0.15)
    both = [fetcher(f"{host.address}/f", target) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [out.strip() for out, _ in outputs] == [SHA256, SHA256]
    assert host.asked == ["GET /f"]
    assert left_in(target.parent) == ["file.bin"]
    assert any("waiting for another process that fetches file.bin" in err for _, err in outputs)


def test_after_a_fetcher_is_killed_half_way_the_next_goes_on(host, target):
    host.replies["/f"] = Reply(BODY, headers=TAG, ranges=True, block_s=0.1)
    partial = target.parent / ".file.bin.partial"
    killed = fetcher(f"{host.address}/f", target)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (partial.exists() and partial.stat().st_size):
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert all(name.endswith(".partial") for name in left_in(target.parent))
    came = partial.stat().st_size
    assert 0 < came < len(BODY)
    host.replies["/f"] = Reply(BODY, headers=TAG, ranges=True)
    assert fetch_file(f"{host.address}/f", target) == SHA256
    assert host.headers[-1]["range"] == f"bytes={came}-"
    assert left_in(target.parent) == ["file.bin"]


def test_one_who_waited_for_a_failed_fetch_tries_himself(host, target):
    host.replies["/f"] = [Reply(status=404), Reply(BODY)]
    both = [fetcher(f"{host.address}/f", target) for _ in range(2)]
    codes = sorted(process.wait(timeout=60) for process in both)
    for process in both:
        process.communicate()
    assert codes == [0, 1]
    assert target.read_bytes() == BODY
