from __future__ import annotations

import time

import pytest

from snacbench.errors import DownloadError
from snacbench.models import HostedFile, WeightsSource
from snacbench.weights.hosts import host_address, published, reachable
from tests.hosts import Reply, redirect

COMMIT, OTHER = "0123456789abcdef" * 2 + "01234567", "f" * 40
FILE = HostedFile("model.bin", "a/model.bin")
DIGEST = "ab" * 32


def source(host: str) -> WeightsSource:
    return WeightsSource(host, "owner/name", (FILE,), revision="v1")


def resolved(revision: str) -> str:
    return f"/owner/name/resolve/{revision}/a/model.bin"


@pytest.mark.parametrize("kind", ["github", "cdn"])
def test_of_plain_hosts_the_path_is_known_and_nobody_is_asked(all_hosts, kind):
    there = published(source(kind), FILE, "anything")
    assert there.url == f"{all_hosts.address}/a/model.bin"
    assert (there.revision, there.sha256, there.size_bytes, there.headers) == ("v1", "", None, {})
    assert all_hosts.asked == []


def test_the_hub_tells_commit_digest_and_size_before_it_redirects(all_hosts):
    facts = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{DIGEST}"', "X-Linked-Size": "123"}
    answer = redirect("http://127.0.0.1:1/storage")
    answer.headers.update(facts)
    all_hosts.replies[resolved("v1")] = answer
    there = published(source("hub"), FILE, "v1")
    assert there.url == f"{all_hosts.address}{resolved(COMMIT)}"
    assert (there.revision, there.sha256, there.size_bytes) == (COMMIT, DIGEST, 123)
    assert all_hosts.asked == [f"HEAD {resolved('v1')}"]


def test_the_tag_of_a_small_file_is_no_sha256(all_hosts):
    all_hosts.replies[resolved("v1")] = Reply(b"{}", headers={"X-Linked-Etag": f'"{COMMIT}"'})
    there = published(source("hub"), FILE, "v1")
    assert (there.revision, there.sha256, there.size_bytes) == ("v1", "", None)


def test_a_mirror_that_does_not_know_a_commit_is_asked_for_the_revision(all_hosts):
    all_hosts.replies[resolved("v1")] = Reply(b"x")
    assert published(source("hub"), FILE, OTHER).url == f"{all_hosts.address}{resolved('v1')}"
    del all_hosts.replies[resolved("v1")]
    with pytest.raises(DownloadError, match="404 Not Found"):
        published(source("hub"), FILE, OTHER)


def test_the_users_token_is_sent_if_there_is_one(all_hosts, monkeypatch):
    all_hosts.replies[resolved("v1")] = Reply(b"x")
    assert published(source("hub"), FILE, "v1").headers == {}
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert published(source("hub"), FILE, "v1").headers == {"Authorization": "Bearer hf_secret"}
    assert [seen.get("authorization") for seen in all_hosts.headers] == [None, "Bearer hf_secret"]


def test_addresses_can_be_pointed_elsewhere(monkeypatch, all_hosts):
    assert host_address(source("github")) == all_hosts.address
    monkeypatch.setenv("SNACBENCH_GITHUB_ENDPOINT", "https://mirror.example/")
    assert host_address(source("github")) == "https://mirror.example"
    for empty in (monkeypatch.delenv, lambda name: monkeypatch.setenv(name, "")):
        empty("SNACBENCH_GITHUB_ENDPOINT")
        assert host_address(source("github")) == "https://github.com"


def test_a_host_that_answers_anything_is_reachable(host, silent_address):
    assert reachable([host.address, silent_address], 5.0) == {
        host.address: True,
        silent_address: False,
    }
    assert host.asked == ["HEAD /"]


def test_asking_ends_in_time_even_if_a_host_hangs(monkeypatch, host):
    import requests

    monkeypatch.setattr(requests, "head", lambda *args, **kwargs: time.sleep(5))
    started = time.monotonic()
    assert reachable([host.address], 0.1) == {host.address: False}
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("variable", ["SNACBENCH_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_nobody_is_asked(monkeypatch, host, variable):
    monkeypatch.setenv(variable, "1")
    assert reachable([host.address], 5.0) == {host.address: False}
    assert host.asked == []
