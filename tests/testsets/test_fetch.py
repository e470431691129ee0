"""Fetching a corpus: checked, unpacked, once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from snacbench.errors import DigestMismatch, TestSetError
from snacbench.testsets.corpora.corpus import Download
from snacbench.testsets.fetch import downloads_of, fetch, file_name_of, install
from snacbench.testsets.index import corpus_set
from tests.hosts import Host, Reply, serve
from tests.testsets.conftest import MINIATURE
from tests.testsets.test_unpack import make_tar


@pytest.fixture
def host() -> Iterator[Host]:
    with serve() as running:
        yield running


@pytest.fixture
def archive(miniature, tmp_path, host) -> bytes:
    """The miniature corpus as the host hands it out."""
    names = [p.relative_to(miniature).as_posix() for p in miniature.rglob("*") if p.is_file()]
    files = {name: (miniature / name).read_bytes() for name in names}
    content = make_tar(tmp_path / "miniature.tar.gz", files).read_bytes()
    host.replies["/files/miniature.tar.gz"] = Reply(content, ranges=True, headers={"ETag": '"1"'})
    return content


def item(host: Host, **facts: object) -> Download:
    return replace(Download(f"{host.address}/files/miniature.tar.gz?download=1"), **facts)


@pytest.fixture(autouse=True)
def _any_query(host: Host, archive: bytes) -> None:
    host.replies["/files/miniature.tar.gz?download=1"] = host.replies["/files/miniature.tar.gz"]


def test_a_corpus_is_fetched_unpacked_and_whole(host, archive, tmp_path):
    root = tmp_path / "fetched"
    known = {"sha256": hashlib.sha256(archive).hexdigest(), "size_bytes": len(archive)}
    line = install(fetch(item(host, **known), root), root)
    assert line == f"miniature.tar.gz: sha256 {known['sha256']}, 5 files unpacked"
    assert corpus_set(MINIATURE, root).missing == ()
    assert not list(root.rglob("*.tar.gz"))


def test_what_was_unpacked_is_not_fetched_again(host, tmp_path):
    root = tmp_path / "fetched"
    install(fetch(item(host), root), root)
    asked = len(host.asked)
    assert install(fetch(item(host), root), root) == (
        "miniature.tar.gz: was fetched and unpacked before"
    )
    assert len(host.asked) == asked


def test_an_archive_of_another_digest_is_fetched_anew(host, archive, tmp_path):
    root = tmp_path / "fetched"
    install(fetch(item(host), root), root)
    (root / ".snacbench/miniature.tar.gz.done").write_text("half a line")
    asked = len(host.asked)
    fetch(item(host), root)
    assert len(host.asked) > asked


def test_archives_can_be_kept(host, archive, tmp_path):
    root = tmp_path / "fetched"
    install(fetch(item(host), root), root, keep_archive=True)
    assert (root / ".snacbench/miniature.tar.gz").read_bytes() == archive


def test_a_plain_file_goes_into_the_root(host, archive, tmp_path):
    root = tmp_path / "fetched"
    line = install(fetch(item(host, archive=False), root), root)
    assert line == f"miniature.tar.gz: sha256 {hashlib.sha256(archive).hexdigest()}"
    assert (root / "miniature.tar.gz").read_bytes() == archive


def test_a_wrong_digest_is_not_unpacked(host, tmp_path):
    root = tmp_path / "fetched"
    with pytest.raises(DigestMismatch, match="has md5"):
        fetch(item(host, md5="0" * 32), root)
    with pytest.raises(TestSetError, match=r"has sha1 \w{40}, expected 0000.*was not kept"):
        fetch(item(host, sha1="0" * 40), root)
    assert not list(root.rglob("*.wav"))
    assert not list(root.rglob("*.tar.gz"))


def test_a_right_sha1_is_met(host, archive, tmp_path):
    digest = hashlib.sha1(archive, usedforsecurity=False).hexdigest()
    assert fetch(item(host, sha1=digest), tmp_path / "fetched").path is not None


def test_a_corpus_that_no_program_may_fetch_says_where_it_is():
    with pytest.raises(
        TestSetError, match=r"miniature cannot be fetched by a program. Where to get it: It is made"
    ):
        downloads_of(MINIATURE)
    wanted = (Download("https://host/a.zip"),)
    assert downloads_of(replace(MINIATURE, downloads=wanted)) == wanted


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/a/b.tar.gz", "b.tar.gz"),
        ("https://host/files/my%20set.zip?download=1#x", "my set.zip"),
        ("https://host/files/set.zip/content", "set.zip"),
        ("https://host/v1.0/master.zip", "master.zip"),
        ("https://host/plain", "plain"),
        ("https://host/..%2f..%2fevil.zip/safe.zip", "safe.zip"),
        ("https://host", "download"),
    ],
)
def test_files_are_named_by_their_address(url, name):
    assert file_name_of(url) == name
