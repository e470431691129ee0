"""``snacbench weights`` as typed, against file hosts on this machine."""

import os
import pickle
from functools import partial
from pathlib import Path

import pytest

from snacbench.errors import UserError
from tests.support.cases import cases
from tests.support.command_line import Run, call, run_in
from tests.support.hosts import Host, Reply, on_the_hub, redirect

COMMIT = "0123456789abcdef" * 2 + "01234567"
SNAC, DAC = b'{"sampling_rate": 32000}', pickle.dumps({"state_dict": {}})
WEIGHTS = b"\x80" + os.urandom(300_000)
ASSET = "/descriptinc/descript-audio-codec/releases/download/0.0.5/weights_16khz.pth"


@pytest.fixture
def filled(all_hosts: Host, monkeypatch: pytest.MonkeyPatch, silent_address: str) -> Host:
    """The hub has a model of SNAC's, GitHub one of DAC's; the CDN is silent."""
    monkeypatch.setenv("SNACBENCH_ENCODEC_ENDPOINT", silent_address)
    files = {"config.json": SNAC, "pytorch_model.bin": WEIGHTS}
    on_the_hub(all_hosts, files, COMMIT, repository="hubertsiuzdak/snac_32khz")
    all_hosts.replies[ASSET] = redirect(f"{all_hosts.address}/assets/16?signature=1")
    all_hosts.replies["/assets/16"] = Reply(DAC)
    return all_hosts


@pytest.fixture
def weights(filled: Host, tmp_path: Path) -> Run:
    """``weights("list")`` runs that verb."""
    return partial(run_in, tmp_path, "weights", env={"HF_HUB_OFFLINE": ""})


def test_fetch_list_path_and_verify(weights, filled, tmp_path):
    done = weights("fetch", "snac-32khz", "opus")
    folder = tmp_path / "cache" / "weights" / "snac-32khz"
    assert (folder / "pytorch_model.bin").read_bytes() == WEIGHTS
    assert f"snac-32khz: {folder / 'config.json'}  sha256 " in done.stdout
    assert "opus: has no weights" in done.stdout
    assert "fetching snac-32khz/pytorch_model.bin: 0.3 MB" in done.stderr

    listed = weights("list").stdout.splitlines()
    for words in (
        ("snac-32khz", "pytorch_model.bin", "300.0 kB", "snacbench cache", "locked"),
        ("snac-24khz", "pytorch_model.bin", "not here", "pinned"),
        ("snac-mini", "config.json", "embedded"),
        ("lyra-v2", "quantizer", "not here", "pinned"),
        (f"lock file: {tmp_path / 'state' / 'weights.lock'}",),
    ):
        assert any(all(word in row for word in words) for row in listed), words

    paths = [str(folder / "config.json"), str(folder / "pytorch_model.bin")]
    assert weights("path", "snac-32khz").stdout.split() == paths
    assert ", 0 wrong" in weights("verify").stdout
    filled.asked.clear()
    weights("fetch", "snac-32khz")
    assert filled.asked == []

    changed = folder / "pytorch_model.bin"
    changed.write_bytes(b"\x80changed")
    done = weights("verify", "snac-32khz", code=1)
    assert "2 files read, 1 wrong" in done.stdout
    assert f"wrong: {changed} has sha256 " in done.stderr
    assert "delete it" in weights("path", "snac-32khz", code=2).stderr


def test_of_a_recipe_what_it_runs_is_fetched_and_no_more(weights, filled, tmp_path):
    recipe = tmp_path / "mine.yaml"
    text = "summary: a try\ncodecs: [{}, opus]\ndata: quick\nmetrics: si_sdr\nweights: {}\n"
    recipe.write_text(text.format("snac", "embedded"))
    assert weights("fetch", "mine.yaml").stdout == "si_sdr: ready\n"
    assert filled.asked == []
    recipe.write_text(text.format("snac-32khz", "published"))
    lines = weights("fetch", "mine.yaml").stdout.splitlines()
    assert {line.partition(":")[0] for line in lines} == {"si_sdr", "snac-32khz"}


@pytest.mark.parametrize(("arguments", "message"), cases(__file__)["mistakes"])
def test_mistakes(weights, arguments, message):
    assert message in " ".join(weights(*arguments, code=2).stderr.split())


def test_a_run_fetches_what_it_needs_and_offline_it_does_not_ask(filled, tmp_path):
    run = ("run", "--codecs", "dac-16khz@3q", "--limit", "1", "-o", tmp_path / "r")
    online = {"HF_HUB_OFFLINE": ""}
    done = run_in(tmp_path, *run, "--offline", env=online, code=2)
    assert "snacbench weights fetch dac-16khz" in done.stderr
    assert filled.asked == []
    done = run_in(tmp_path, *run, env=online, code=2)  # fetched, but no model: it is a stand-in
    assert "fetching dac-16khz/weights_16khz_8kbps_0.0.5.pth" in done.stderr
    assert "GET /assets/16?signature=1" in filled.asked


def test_recognisers_are_those_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SNACBENCH_ASR", raising=False)
    with pytest.raises(UserError, match=r"that SNACBENCH_ASR names; .* such as hubert-large"):
        call("weights", "list", "wer")
    monkeypatch.setenv("SNACBENCH_ASR", "hubert-large")
    assert "hubert-large" in call("weights", "list", "wer").stdout
