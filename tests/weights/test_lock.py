"""The lock file: recorded once, enforced ever after, shared by processes and people."""

import json
import os
import subprocess
import sys

import pytest

from snacbench.errors import UserError, WeightsMismatch
from snacbench.weights.lock import known_files, locked_files, record
from tests.support.cases import cases
from tests.support.published_models import lock_it, published
from tests.support.waiting import PATIENCE_S

A, B = "aa" * 32, "bb" * 32


def test_what_is_recorded_is_found_again_and_can_be_read_by_a_person(places):
    file = lock_it(A, commit="c" * 40)
    record("another", {"w.bin": file})
    assert locked_files("our-name") == {"model.bin": file}
    assert file.first_seen_utc.endswith("+00:00")
    assert places.lock.read_text().startswith('{\n "version": 1,\n "models": {\n  "another": {')
    text = f"model.bin of our-name has sha256 {B}, and another process has just recorded {A} in "
    with pytest.raises(WeightsMismatch, match=text):
        lock_it(B)
    assert locked_files("our-name") == {"model.bin": file}


@pytest.mark.parametrize(("text", "why"), cases(__file__)["damaged"])
def test_a_file_that_is_no_lock_file_is_neither_used_nor_overwritten(places, text, why):
    places.lock.parent.mkdir()
    places.lock.write_text(text)
    for use in (lambda: locked_files("our-name"), lock_it):
        with pytest.raises(UserError, match=rf"is not a lock file of weights \(.*{why}.*; restore"):
            use()
    assert places.lock.read_text() == text


def test_a_lock_file_that_cannot_be_read_or_written_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("SNACBENCH_WEIGHTS_LOCK", str(tmp_path))
    with pytest.raises(UserError, match=r"cannot read the lock file .* \(Is a directory\)"):
        locked_files("model")
    (tmp_path / "file").write_text("taken")
    monkeypatch.setenv("SNACBENCH_WEIGHTS_LOCK", str(tmp_path / "file" / "deep" / "lock"))
    text = r"cannot record digests of weights in .* \(Not a directory\); set SNACBENCH_WEIGHTS_LOCK"
    with pytest.raises(UserError, match=text):
        lock_it()


_RECORD = """
import sys
from snacbench.weights.lock import LockedFile, record
for i in range(20):
    record(f"{sys.argv[1]}-{i}", {"w": LockedFile(sha256="0" * 64, size_bytes=1, origin="o")})
"""


def test_writers_at_once_lose_nothing(places):
    command = [sys.executable, "-c", _RECORD]
    writers = [subprocess.Popen([*command, str(i)], env=os.environ) for i in range(3)]
    assert [writer.wait(timeout=PATIENCE_S) for writer in writers] == [0, 0, 0]
    models = json.loads(places.lock.read_text())["models"]
    assert set(models) == {f"{i}-{j}" for i in range(3) for j in range(20)}


@pytest.mark.parametrize(("pinned", "recorded", "by", "digest", "fitting", "says"), [
    ("", "", None, "", (A, A[:8] + B[8:], B), ""),
    (A[:8].upper(), "", "package", A[:8], (A, A[:8] + B[8:]), "pinned in this package"),
    (A[:8], A, "package", A, (A,), "recorded in"),
    ("", A, "lock", A, (A,), "remove that record and the file, and fetch again"),
    (A, A, "package", A, (A,), "pinned in this package"),
])  # fmt: skip
def test_all_that_is_known_of_a_digest_counts(pinned, recorded, by, digest, fitting, says):
    if recorded:
        lock_it(recorded)
    (known,) = known_files(published(sha256=pinned))
    assert (known.by, known.sha256) == (by, digest)
    assert tuple(filter(known.fits, (A, A[:8] + B[8:], B))) == fitting
    assert says in known.says
    assert bool(says) == bool(known.says)
    lock_it(recorded or A)
    with pytest.raises(WeightsMismatch, match=f"records sha256 {A} for .* this package pins {B}"):
        known_files(published(sha256=B))
