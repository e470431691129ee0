"""``snacbench weights`` as typed, against file hosts on this machine."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from snacbench.errors import UserError
from tests.support.cases import cases
from tests.support.command_line import call, run_in
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
def weights(filled: Host, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """``weights("list")``: exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        done = run_in(tmp_path, "weights", *arguments, env={"HF_HUB_OFFLINE": ""})
        return done.returncode, done.stdout, done.stderr

    return run


def test_fetch_list_path_and_verify(weights, filled, tmp_path):
    code, out, err = weights("fetch", "snac-32khz", "opus")
    assert code == 0, err
    folder = tmp_path / "cache" / "weights" / "snac-32khz"
    assert (folder / "pytorch_model.bin").read_bytes() == WEIGHTS
    assert f"snac-32khz: {folder / 'config.json'}  sha256 " in out
    assert "opus: has no weights" in out
    assert "fetching snac-32khz/pytorch_model.bin: 0.3 MB" in err

    code, out, _ = weights("list")
    assert code == 0
    for words in (
        ("snac-32khz", "pytorch_model.bin", "300.0 kB", "snacbench cache", "locked"),
        ("snac-24khz", "pytorch_model.bin", "not here", "pinned"),
        ("snac-mini", "config.json", "embedded"),
        ("lyra-v2", "quantizer", "not here", "pinned"),
        (f"lock file: {tmp_path / 'state' / 'weights.lock'}",),
    ):
        assert any(all(word in row for word in words) for row in out.splitlines()), words

    out = weights("path", "snac-32khz")[1]
    assert out.split() == [str(folder / "config.json"), str(folder / "pytorch_model.bin")]
    code, out, err = weights("verify")
    assert (code, ", 0 wrong" in out) == (0, True), err
    filled.asked.clear()
    assert weights("fetch", "snac-32khz")[0] == 0
    assert filled.asked == []

    changed = folder / "pytorch_model.bin"
    changed.write_bytes(b"\x80changed")
    code, out, err = weights("verify", "snac-32khz")
    assert code == 1
    assert "2 files read, 1 wrong" in out
    assert f"wrong: {changed} has sha256 " in err
    code, _, err = weights("path", "snac-32khz")
    assert (code, "delete it" in err) == (2, True)


def test_of_a_recipe_what_it_runs_is_fetched_and_no_more(weights, filled, tmp_path):
    recipe = tmp_path / "mine.yaml"
    text = "summary: a try\ncodecs: [{}, opus]\ndata: quick\nmetrics: si_sdr\nweights: {}\n"
    recipe.write_text(text.format("snac", "embedded"))
    assert weights("fetch", "mine.yaml")[:2] == (0, "si_sdr: ready\n")
    assert filled.asked == []
    recipe.write_text(text.format("snac-32khz", "published"))
    code, out, err = weights("fetch", "mine.yaml")
    assert code == 0, err
    assert {line.partition(":")[0] for line in out.splitlines()} == {"si_sdr", "snac-32khz"}


@pytest.mark.parametrize(("arguments", "message"), cases(__file__)["mistakes"])
def test_mistakes(weights, arguments, message):
    code, _, err = weights(*arguments)
    assert code == 2
    assert message in " ".join(err.split())


def test_a_run_fetches_what_it_needs_and_offline_it_does_not_ask(filled, tmp_path):
    run = ("run", "--codecs", "dac-16khz@3q", "--limit", "1", "-o", tmp_path / "r")
    online = {"HF_HUB_OFFLINE": ""}
    done = run_in(tmp_path, *run, "--offline", env=online)
    assert done.returncode == 2
    assert "snacbench weights fetch dac-16khz" in done.stderr
    assert filled.asked == []
    done = run_in(tmp_path, *run, env=online)  # fetched, but no model: the file is a stand-in
    assert "fetching dac-16khz/weights_16khz_8kbps_0.0.5.pth" in done.stderr
    assert "GET /assets/16?signature=1" in filled.asked


def test_recognisers_are_those_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SNACBENCH_ASR", raising=False)
    with pytest.raises(UserError, match=r"that SNACBENCH_ASR names; .* such as hubert-large"):
        call("weights", "list", "wer")
    monkeypatch.setenv("SNACBENCH_ASR", "hubert-large")
    assert "hubert-large" in call("weights", "list", "wer").stdout
