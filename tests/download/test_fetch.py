"""A fetch in good order, and one that goes on where an earlier one ended."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from snacbench.download import fetch_file
from snacbench.errors import DownloadError
from tests.download.conftest import BODY, HALF, MD5, SHA256, TAG, Watched, left_in
from tests.hosts import IMPATIENT, Host, Reply, redirect, serve

# ----------------------------------------------------------------------------- in good order


def test_a_file_is_fetched_checked_and_placed(host, target):
    host.replies["/f"] = Reply(BODY, headers=TAG)
    watched = Watched()
    known = {"sha256": SHA256, "md5": MD5, "size_bytes": len(BODY)}
    assert fetch_file(f"{host.address}/f", target, progress=watched, **known) == SHA256
    assert target.read_bytes() == BODY
    assert left_in(target.parent) == ["file.bin"]
    assert watched.begun == [("set/file.bin", len(BODY), 0)]
    assert watched.done == sorted(watched.done)
    assert watched.done[-1] == len(BODY)
    assert host.headers[0]["user-agent"].startswith("snacbench/")


def test_a_file_that_is_there_is_not_asked_for_again(host, target):
    target.parent.mkdir()
    target.write_bytes(BODY)
    for known in ({}, {"sha256": SHA256[:8]}, {"md5": MD5, "size_bytes": len(BODY)}):
        assert fetch_file(f"{host.address}/f", target, **known) == SHA256
    assert host.asked == []
    assert left_in(target.parent) == ["file.bin"]


@pytest.mark.parametrize("known", [{"sha256": SHA256}, {"md5": MD5}, {"size_bytes": len(BODY)}])
def test_a_file_that_is_there_and_not_what_it_must_be_is_replaced(host, target, known):
    host.replies["/f"] = Reply(BODY)
    target.parent.mkdir()
    target.write_bytes(b"cut off")
    assert fetch_file(f"{host.address}/f", target, **known) == SHA256
    assert target.read_bytes() == BODY


def test_an_empty_file_is_a_file(host, target):
    host.replies["/f"] = Reply(b"")
    assert fetch_file(f"{host.address}/f", target) == hashlib.sha256(b"").hexdigest()
    assert left_in(target.parent) == ["file.bin"]


def test_a_host_that_does_not_tell_the_size_is_believed_at_the_end(host, target):
    host.replies["/f"] = Reply(BODY, headers={"Content-Length": ""})
    assert fetch_file(f"{host.address}/f", target) == SHA256


def test_bytes_are_kept_as_they_come_whatever_the_server_calls_them(host, target):
    host.replies["/f"] = Reply(BODY, headers={"Content-Encoding": "gzip"})
    assert fetch_file(f"{host.address}/f", target) == SHA256
    assert host.headers[0]["accept-encoding"] == "identity"


def test_a_token_goes_to_the_host_it_is_for_and_not_where_that_redirects(host, target):
    token = {"Authorization": "Bearer secret"}
    with serve() as storage:
        host.replies["/f"] = redirect("/g")
        host.replies["/g"] = redirect(f"{storage.address}/signed?key=1")
        storage.replies["/signed"] = Reply(BODY)
        assert fetch_file(f"{host.address}/f", target, headers=token) == SHA256
        assert [seen.get("authorization") for seen in host.headers] == ["Bearer secret"] * 2
        assert "authorization" not in storage.headers[0]


def test_a_password_file_does_not_replace_a_token(host, target, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    host.replies["/f"] = Reply(BODY)
    fetch_file(f"{host.address}/f", target, headers={"Authorization": "Bearer secret"})
    assert host.headers[0]["authorization"] == "Bearer secret"


def test_a_slow_stream_that_moves_is_left_alone(host, target):
    slow = Reply(BODY[:1000], block_bytes=100, block_s=0.12)
    host.replies["/f"] = slow
    started = time.monotonic()
    fetch_file(f"{host.address}/f", target)
    assert time.monotonic() - started > 2 * IMPATIENT.stall_s
    assert host.asked == ["GET /f"]


# --------------------------------------------------------------------------- going on from a part


def test_a_stream_that_breaks_off_goes_on_where_it_was(host, target):
    cut = Reply(BODY, headers=TAG, ranges=True, cut_after=HALF)
    host.replies["/f"] = [cut, Reply(BODY, headers=TAG, ranges=True)]
    watched = Watched()
    assert fetch_file(f"{host.address}/f", target, progress=watched) == SHA256
    assert [seen.get("range") for seen in host.headers] == [None, f"bytes={HALF}-"]
    assert host.headers[1]["if-range"] == '"one"'
    assert watched.begun == [("set/file.bin", len(BODY), 0), ("set/file.bin", len(BODY), HALF)]
    assert "the connection broke; again in 0.01 s" in watched.notes[0]
    assert left_in(target.parent) == ["file.bin"]


def test_a_stream_that_stalls_is_noticed_and_goes_on(host, target):
    stalling = Reply(BODY, headers=TAG, ranges=True, stall_after=HALF)
    host.replies["/f"] = [stalling, Reply(BODY, headers=TAG, ranges=True)]
    watched = Watched()
    assert fetch_file(f"{host.address}/f", target, progress=watched) == SHA256
    assert "nothing came for 0.4 s" in watched.notes[0]


def test_as_long_as_something_comes_patience_does_not_end(host, target):
    cuts = [Reply(BODY, headers=TAG, ranges=True, cut_after=1 << 17) for _ in range(8)]
    host.replies["/f"] = cuts
    assert len(cuts) > len(IMPATIENT.waits_s) + 1
    assert fetch_file(f"{host.address}/f", target) == SHA256


def broken_off(host: Host, target: Path, **reply: object) -> None:
    """A fetch that got the first half and gave up."""
    host.replies["/f"] = [Reply(BODY, cut_after=HALF, **reply), Reply(status=503)]
    text = rf"cannot fetch {host.address}/f: 503 .*, tried 4 times; 0.5 MB are kept, and another"
    with pytest.raises(DownloadError, match=text):
        fetch_file(f"{host.address}/f", target)
    host.asked.clear()
    host.headers.clear()


def test_what_a_failed_fetch_left_is_used_by_the_next(host, target):
    broken_off(host, target, headers=TAG)
    assert left_in(target.parent) == [".file.bin.partial", ".file.bin.tag.partial"]
    host.replies["/f"] = Reply(BODY, headers=TAG, ranges=True)
    assert fetch_file(f"{host.address}/f", target) == SHA256
    assert host.headers[0]["range"] == f"bytes={HALF}-"
    assert left_in(target.parent) == ["file.bin"]


def test_a_date_tells_versions_apart_where_there_is_no_tag(host, target):
    date = {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}
    broken_off(host, target, headers=date)
    host.replies["/f"] = Reply(BODY, headers={**date, "ETag": ""}, ranges=False)
    assert fetch_file(f"{host.address}/f", target) == SHA256
    assert host.headers[0]["if-range"] == date["Last-Modified"]


@pytest.mark.parametrize(
    ("tag", "ranges"),
    [({"ETag": '"two"'}, True), (TAG, False)],
    ids=["another version", "no ranges"],
)
def test_where_a_server_cannot_go_on_the_file_is_fetched_anew(host, target, tag, ranges):
    broken_off(host, target, headers=TAG)
    host.replies["/f"] = Reply(BODY[::-1], headers=tag, ranges=ranges)
    assert fetch_file(f"{host.address}/f", target) == hashlib.sha256(BODY[::-1]).hexdigest()
    assert host.asked == ["GET /f"]


def test_a_server_that_ignores_if_range_is_found_out_by_its_tag(host, target):
    broken_off(host, target, headers={"ETag": 'W/"one"'})
    host.replies["/f"] = Reply(BODY[::-1], headers={"ETag": 'W/"two"'}, ranges=True)
    watched = Watched()
    digest = fetch_file(f"{host.address}/f", target, progress=watched)
    assert digest == hashlib.sha256(BODY[::-1]).hexdigest()
    assert "if-range" not in host.headers[0]
    assert "the server cannot go on from an earlier try" in watched.notes[0]


def test_without_a_tag_or_a_digest_nothing_is_pieced_together(host, target):
    broken_off(host, target)
    host.replies["/f"] = Reply(BODY, ranges=True)
    assert fetch_file(f"{host.address}/f", target) == SHA256
    assert "range" not in host.headers[0]


def test_a_digest_will_tell_so_that_a_tag_is_not_needed(host, target):
    broken_off(host, target)
    host.replies["/f"] = Reply(BODY, ranges=True)
    assert fetch_file(f"{host.address}/f", target, sha256=SHA256) == SHA256
    assert host.headers[0]["range"] == f"bytes={HALF}-"


def test_a_part_that_turns_out_to_be_of_another_file_is_thrown_away_once(host, target):
    broken_off(host, target)
    (target.parent / ".file.bin.partial").write_bytes(b"x" * HALF)
    host.replies["/f"] = Reply(BODY, ranges=True)
    watched = Watched()
    assert fetch_file(f"{host.address}/f", target, sha256=SHA256, progress=watched) == SHA256
    assert watched.notes == ["set/file.bin: what was left of an earlier try is of no use; anew"]
    assert host.asked == ["GET /f", "GET /f"]


def test_a_part_that_lacks_only_the_last_step_is_taken_as_it_is(host, target):
    target.parent.mkdir()
    (target.parent / ".file.bin.partial").write_bytes(BODY)
    host.replies["/f"] = Reply(BODY, ranges=True)
    assert fetch_file(f"{host.address}/f", target, sha256=SHA256) == SHA256
    assert host.asked == ["GET /f"]


def test_a_part_that_is_longer_than_the_file_is_thrown_away(host, target):
    target.parent.mkdir()
    (target.parent / ".file.bin.partial").write_bytes(BODY + b"more")
    host.replies["/f"] = Reply(BODY, ranges=True)
    assert fetch_file(f"{host.address}/f", target, sha256=SHA256) == SHA256
