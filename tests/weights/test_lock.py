from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from snacbench.errors import UserError, WeightsMismatch
from snacbench.models import HostedFile
from snacbench.weights.lock import LockedFile, known_digest, locked_files, record

A, B = "aa" * 32, "bb" * 32


def entry(sha256: str = A, **facts: object) -> LockedFile:
    return LockedFile(sha256=sha256, size_bytes=3, origin="https://host/file", **facts)


def test_what_is_recorded_is_found_again_and_can_be_read_by_a_person(places):
    file = entry(commit="c" * 40)
    record("model", {"w.bin": file})
    record("another", {"w.bin": entry(B)})
    assert locked_files("model") == {"w.bin": file}
    written = json.loads(places.lock.read_text())
    assert list(written["models"]) == ["another", "model"]
    assert written["models"]["model"]["w.bin"] == {
        "sha256": A, "size_bytes": 3, "origin": "https://host/file", "commit": "c" * 40,
        "first_seen_utc": file.first_seen_utc,
    }  # fmt: skip
    assert file.first_seen_utc.endswith("+00:00")
    assert places.lock.read_text().endswith("}\n")


def test_two_processes_that_saw_different_files_do_not_both_win():
    record("model", {"w.bin": entry(A)})
    text = f"w.bin of model has sha256 {B}, and another process has just recorded {A} in "
    with pytest.raises(WeightsMismatch, match=text):
        record("model", {"w.bin": entry(B)})
    assert locked_files("model")["w.bin"].sha256 == A


def test_replacing_forgets_what_is_not_there_any_more():
    record("model", {"w.bin": entry(A), "config.json": entry(A)})
    record("model", {"w.bin": entry(B)}, anew=True)
    assert {name: file.sha256 for name, file in locked_files("model").items()} == {"w.bin": B}
    record("model", {}, anew=True)
    assert locked_files("model") == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Invalid JSON"),
        ('{"version": 2}', "version: Input should be 1"),
        ('{"models": {"m": {"f": {"sha256": "12"}}}}', "models.m.f.sha256: String should match"),
        ('{"modles": {}}', "modles: Extra inputs"),
    ],
)
def test_a_file_that_is_no_lock_file_is_neither_used_nor_overwritten(places, text, why):
    places.lock.parent.mkdir()
    places.lock.write_text(text)
    for use in (lambda: locked_files("m"), lambda: record("m", {"f": entry()})):
        with pytest.raises(UserError, match=rf"is not a lock file of weights \(.*{why}.*; restore"):
            use()
    assert places.lock.read_text() == text


def test_a_lock_file_that_cannot_be_read_or_written_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("SNACBENCH_WEIGHTS_LOCK", str(tmp_path))
    with pytest.raises(UserError, match=r"cannot read the lock file .* \(Is a directory\)"):
        locked_files("model")
    (tmp_path / "file").write_text("taken")
    monkeypatch.setenv("SNACBENCH_WEIGHTS_LOCK", str(tmp_path / "file" / "lock"))
    with pytest.raises(UserError, match=r"cannot (read|record).*"):
        record("model", {"w.bin": entry()})


def test_a_place_that_may_not_be_written_says_what_to_set(monkeypatch, tmp_path):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    text = r"cannot record digests of weights in .* \(Permission denied\); set SNACBENCH_WEIGHTS"
    with pytest.raises(UserError, match=text):
        record("model", {"w.bin": entry()})


_RECORD = """
import sys
from snacbench.weights.lock import LockedFile, record
for i in range(20):
    record(f"{sys.argv[1]}-{i}", {"w": LockedFile(sha256="0" * 64, size_bytes=1, origin="o")})
"""


def test_writers_at_once_lose_nothing(places):
    command = [sys.executable, "-c", _RECORD]
    writers = [subprocess.Popen([*command, str(i)], env=os.environ) for i in range(3)]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    models = json.loads(places.lock.read_text())["models"]
    assert set(models) == {f"{i}-{j}" for i in range(3) for j in range(20)}


def test_all_that_is_known_of_a_digest_counts():
    pinned = HostedFile("w.bin", "w.bin", A[:8])
    nothing = known_digest("m", HostedFile("w.bin", "w.bin"), None)
    assert (nothing.by, nothing.sha256, nothing.says, nothing.way_out) == (None, "", "", "")
    prefix = known_digest("m", pinned, None)
    assert (prefix.by, prefix.sha256, prefix.says) == (
        "package",
        A[:8],
        " (pinned in this package)",
    )
    assert (prefix.fits(A), prefix.fits(A[:8] + B[8:]), prefix.fits(B)) == (True, True, False)
    both = known_digest("m", pinned, entry())
    assert (both.by, both.sha256) == ("package", A)
    assert (both.fits(A), both.fits(A[:8] + B[8:])) == (True, False)
    assert "recorded in" in both.says
    assert "verify --accept m" in both.way_out
    full = known_digest("m", HostedFile("w.bin", "w.bin", A), entry())
    assert (full.says, full.way_out) == (" (pinned in this package)", "")


def test_a_lock_file_that_contradicts_the_package_is_an_error():
    text = f"records sha256 {A} for w.bin of m, and this package pins {B}; run 'snacbench weights"
    with pytest.raises(WeightsMismatch, match=text):
        known_digest("m", HostedFile("w.bin", "w.bin", B), entry(A))
