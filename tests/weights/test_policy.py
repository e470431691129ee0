"""What ``--weights`` says, and what ``auto`` decides once for all models."""

import time
from pathlib import Path

import pytest

from snacbench.errors import UserError
from snacbench.weights.policy import WeightsPolicy, absent, decide, host_address, parse_policy
from tests.support.published_models import published, put

AUTO = WeightsPolicy()
HUB, CDN = published("hub", name="hubby"), published("cdn", name="cdnish")


@pytest.fixture
def cached(places):
    """The CDN's model is in its cache."""
    return put(places.cdn / "model.bin")


def test_what_the_option_says(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a=b").mkdir()
    for values, policy in (
        ([], AUTO),
        (["published"], WeightsPolicy("published")),
        ([str(tmp_path)], WeightsPolicy(tmp_path)),
        ([f"{tmp_path}/a=b"], WeightsPolicy(tmp_path / "a=b")),
        (["~/a=b"], WeightsPolicy(tmp_path / "a=b")),
        ([f"lyra-v2={tmp_path}", "embedded"], WeightsPolicy("embedded", {"lyra-v2": tmp_path})),
    ):
        assert parse_policy(values) == policy
    for values, text in (
        (["/no/such"], "--weights /no/such: no such folder; expected auto, published"),
        (["snac=/no/such"], "--weights /no/such: no such folder"),
        (["embedded", str(tmp_path)], f"or DIR, found 2: embedded, {tmp_path}; a folder for one"),
    ):
        with pytest.raises(UserError, match=text):
            parse_policy(values)


@pytest.mark.usefixtures("cached")
def test_what_is_here_needs_no_host_and_what_answers_is_published(monkeypatch, host):
    why = "published weights, all in the local caches"
    assert decide(AUTO, [CDN]) == (WeightsPolicy("published"), why)
    folders = {"hubby": Path("/w")}
    assert decide(WeightsPolicy(folders=folders), [HUB])[0] == WeightsPolicy("published", folders)
    assert host.asked == []
    monkeypatch.setenv("HF_ENDPOINT", host.address)
    why = "published weights; to be downloaded: hubby"
    assert decide(AUTO, [HUB, CDN]) == (WeightsPolicy("published"), why)
    assert list(absent([HUB, CDN], AUTO)) == []
    assert decide(WeightsPolicy(Path("/w")), [HUB]) == (WeightsPolicy(Path("/w")), "")
    monkeypatch.setenv("SNACBENCH_GITHUB_ENDPOINT", "")
    assert host_address(published("github").source) == "https://github.com"


def test_one_host_that_does_not_answer_makes_all_fall_back(monkeypatch, host, silent_address):
    monkeypatch.setenv("HF_ENDPOINT", host.address)
    policy, why = decide(AUTO, [HUB, CDN])
    silent = silent_address.removeprefix("http://")
    assert policy.base == "embedded"
    assert why.endswith(f"published weights are not cached and {silent} cannot be reached")
    (said,) = absent([HUB, CDN], AUTO)
    assert "Run snacbench weights fetch cdnish where there is a network" in said


@pytest.mark.usefixtures("cached")
def test_offline_is_respected_but_caches_are_used(monkeypatch, host):
    monkeypatch.setenv("HF_ENDPOINT", host.address)
    auto = parse_policy(["auto"], offline=True)
    assert decide(auto, [CDN])[0].base == "published"
    policy, why = decide(auto, [CDN, HUB])
    assert policy.base == "embedded"
    assert why.endswith("published weights are not cached and offline, nobody is asked")
    assert host.asked == []


def test_asking_ends_in_time_even_if_a_host_hangs(monkeypatch, host):
    import requests

    monkeypatch.setenv("HF_ENDPOINT", host.address)
    monkeypatch.setattr("snacbench.weights.policy.DECISION_SECONDS", 0.1)
    monkeypatch.setattr(requests, "head", lambda *args, **kwargs: time.sleep(300))
    started = time.monotonic()
    assert decide(AUTO, [HUB])[0].base == "embedded"
    assert time.monotonic() - started < 120
