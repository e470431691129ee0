from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from snacbench.errors import UserError
from snacbench.models import CodecModel, HostedFile, WeightsSource
from snacbench.weights.policy import WeightsPolicy, decide, host_address, parse_policy

AUTO = WeightsPolicy()


def model(name: str, host: str) -> CodecModel:
    source = WeightsSource(host, f"owner/{name}", (HostedFile(f"{name}.bin", name),))
    return CodecModel(name, "family", (), (), lambda *_: None, source)


HUB, CDN = model("hubby", "hub"), model("cdnish", "cdn")


@pytest.fixture
def cached(tmp_path):
    """The CDN's model is in its cache."""
    path = tmp_path / "torch/hub/checkpoints/cdnish.bin"
    path.parent.mkdir(parents=True)
    path.touch()


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


@pytest.mark.parametrize("value", ["/no/such", "snac=/no/such", "publisched"])
def test_a_folder_that_does_not_exist_is_an_error(value):
    text = f"--weights {value.partition('=')[2] or value}: no such folder; expected auto, published"
    with pytest.raises(UserError, match=text):
        parse_policy([value])


def test_two_rules_for_all_models_are_an_error(tmp_path):
    text = f"takes one of auto, published, embedded or DIR, found 2: embedded, {tmp_path}; a folder"
    with pytest.raises(UserError, match=text):
        parse_policy(["embedded", str(tmp_path)])


@pytest.mark.parametrize("base", ["published", "embedded", Path("/w")])
def test_only_auto_is_decided(base):
    assert decide(WeightsPolicy(base), [HUB, CDN]) == (WeightsPolicy(base), "")


@pytest.mark.usefixtures("cached")
def test_all_cached_means_published_and_nobody_is_asked():
    policy, why = decide(AUTO, [CDN])
    assert (policy.base, why) == ("published", "published weights, all in the local caches")


def test_a_model_with_a_folder_of_its_own_needs_no_host():
    policy, _ = decide(WeightsPolicy(folders={"hubby": Path("/w")}), [HUB])
    assert policy == WeightsPolicy("published", {"hubby": Path("/w")})


def test_hosts_that_answer_mean_published_and_what_will_be_downloaded(monkeypatch, host):
    monkeypatch.setenv("HF_ENDPOINT", host.address)
    policy, why = decide(AUTO, [HUB])
    assert (policy.base, why) == ("published", "published weights; to be downloaded: hubby")


def bare(address: str) -> str:
    return address.partition("//")[2]


def test_hosts_that_do_not_answer_mean_embedded_and_one_sentence_says_so(silent_address):
    policy, why = decide(AUTO, [HUB, CDN])
    assert policy.base == "embedded"
    assert why == (
        "embedded demonstration models, because published weights are not cached and "
        f"{bare(silent_address)} cannot be reached"
    )


def test_one_host_that_does_not_answer_makes_all_fall_back(monkeypatch, host, silent_address):
    monkeypatch.setenv("HF_ENDPOINT", host.address)
    policy, why = decide(AUTO, [HUB, CDN])
    assert policy.base == "embedded"
    assert bare(silent_address) in why
    assert bare(host.address) not in why


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize("by", ["argument", "SNACBENCH_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_is_respected_but_caches_are_used(monkeypatch, host, by):
    monkeypatch.setenv("HF_ENDPOINT", host.address)
    auto = parse_policy(["auto"], offline=by == "argument")
    if by != "argument":
        monkeypatch.setenv(by, "1")
    assert decide(auto, [CDN])[0].base == "published"
    started = time.monotonic()
    policy, why = decide(auto, [CDN, HUB])
    assert policy.base == "embedded"
    assert why.endswith("published weights are not cached and offline, nobody is asked")
    assert time.monotonic() - started < 1
    assert host.asked == []


def test_asking_ends_in_time_even_if_a_host_hangs(monkeypatch, host):
    import requests

    monkeypatch.setenv("HF_ENDPOINT", host.address)
    monkeypatch.setattr("snacbench.weights.policy.DECISION_SECONDS", 0.1)
    monkeypatch.setattr(requests, "head", lambda *args, **kwargs: time.sleep(5))
    started = time.monotonic()
    assert decide(AUTO, [HUB])[0].base == "embedded"
    assert time.monotonic() - started < 2


def test_addresses_can_be_pointed_elsewhere(monkeypatch, host):
    source = replace(HUB.source, host="github")
    monkeypatch.setenv("SNACBENCH_GITHUB_ENDPOINT", "https://mirror.example/")
    assert host_address(source) == "https://mirror.example"
    for empty in (monkeypatch.delenv, lambda name: monkeypatch.setenv(name, "")):
        empty("SNACBENCH_GITHUB_ENDPOINT")
        assert host_address(source) == "https://github.com"
