"""A metric that runs a model, from the command line: what is said, recorded, shown and refused."""

import json
from functools import partial
from pathlib import Path

import pytest

import snacbench as sb
from snacbench.errors import UnknownName, WeightsMismatch
from snacbench.types import WeightsInfo
from tests.support.cases import cases
from tests.support.command_line import Run, run_in, write_wav
from tests.support.hosts import Host, Reply
from tests.support.plugged import install

GAIN = cases(__file__)["gain"]
RUN = ("run", "--codecs", "identity", "--data", "clips", "--jobs", "1", "--metrics")


@pytest.fixture
def cli(tmp_path: Path, all_hosts: Host) -> Run:
    """The command line where a plug-in brings a metric, whose model no host has yet."""
    write_wav(tmp_path / "clips" / "a.wav", 0.5, 8_000)
    plugged = install(tmp_path / "path", "gaining", GAIN, kinds=("metrics",))
    for name, gain in (("one", "1"), ("two", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "gain.json").write_text(gain)
    return partial(run_in, tmp_path, plugged=plugged, env={"HF_HUB_OFFLINE": ""})


def refused(cli: Run, *arguments: object) -> str:
    return " ".join(cli(*arguments, code=2).stderr.split())


def accepted(cli: Run, *arguments: object) -> str:
    return " ".join(cli(*arguments).stdout.split())


def recorded(path: Path) -> WeightsInfo:
    told = json.loads((path / "run.json").read_text())
    return WeightsInfo(**told["metric_weights"]["gain-model"])


def test_a_folder_of_the_users(cli: Run, tmp_path: Path) -> None:
    assert "cannot get gain.json of owner/gain" in refused(cli, *RUN, "gain", "-o", "r")
    said = refused(cli, *RUN, "gain", "-o", "r", "--weights", "gain-modle=one")
    assert "no model named 'gain-modle'; did you mean gain-model" in said
    assert not (tmp_path / "r").exists()
    plan = cli(*RUN, "gain", "--weights", "gain-model=one", "--plan").stderr
    assert f"gain-model: {tmp_path / 'one'}" in plan
    accepted(cli, *RUN, "gain", "-o", "r", "--weights", "gain-model=one")
    info = recorded(tmp_path / "r")
    assert (info.source, info.origin, info.verified) == ("folder", str(tmp_path / "one"), None)
    note = f"gain: by gain-model, gain.json (sha256 {info.sha256['gain.json'][:12]}), from a folder"
    told = f"{note} of the user's, not compared with the published files."
    assert told in accepted(cli, "table", "r")
    (tmp_path / "one" / "gain.json").write_text("1.5")
    for verb in (("run", "--resume", "r"), ("score", "r", "--metrics", "gain")):
        said = refused(cli, *verb)
        assert "gain was computed by gain-model gain.json sha256" in said
    (tmp_path / "one" / "gain.json").write_text("1")
    others = ("--weights", "gain-model=two")
    said = refused(cli, "score", "r", "--metrics", "gain_too", *others)
    assert "gain was computed by gain-model gain.json sha256" in said
    accepted(cli, *RUN, "gain_too", "-o", "s", *others)
    said = refused(cli, "merge", "r", "s", "-o", "both")
    assert "what computes gain-model: gain.json is" in said
    files = ("score-files", "--reference", "clips", "--degraded", "clips", "--metrics", "gain")
    accepted(cli, *files, *others, "-o", "f")
    assert recorded(tmp_path / "f").origin == str(tmp_path / "two")


def test_published_files(cli: Run, tmp_path: Path, all_hosts: Host) -> None:
    all_hosts.replies["/a/gain.json"] = Reply(b"2")
    assert "gain-model, MIT, published, not cached" in accepted(cli, "list", "metrics")
    assert "gain-model: " in accepted(cli, "weights", "fetch", "gain")
    assert "gain-model, MIT, published, in the snacbench cache" in accepted(cli, "list", "metrics")
    assert "1 files read, 0 wrong" in accepted(cli, "weights", "verify", "gain-model")
    accepted(cli, *RUN, "si_sdr", "-o", "r")
    asked = ("score", "r", "--metrics", "gain", "--weights", "gain-model=one")
    assert "holds other weights than the published gain-model" in refused(cli, *asked)
    accepted(cli, "score", "r", "--metrics", "gain", "--offline")
    assert recorded(tmp_path / "r").pinned_by == {"gain.json": "lock"}
    assert "published by owner/gain, digest as recorded before." in accepted(cli, "table", "r")
    accepted(cli, *RUN, "gain", "-o", "s", "--weights", "two")
    accepted(cli, "merge", "r", "s", "-o", "both")  # the same bytes, wherever they lay
    assert recorded(tmp_path / "both").source == "published"
    assert all_hosts.asked == ["GET /a/gain.json"]


def test_a_run_goes_on_with_a_folder_that_was_named_later(cli: Run, tmp_path: Path) -> None:
    accepted(cli, *RUN, "gain,si_sdr", "-o", "r", "--allow-missing-metrics", "--offline")
    assert "gain" in json.loads((tmp_path / "r" / "run.json").read_text())["lacking"]
    accepted(cli, "score", "r", "--metrics", "gain", "--weights", "gain-model=one", "--offline")
    accepted(cli, "run", "--resume", "r", "--offline")


def test_a_metric_by_itself(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no model named 'utmos'; did you mean utmos22-strong"):
        sb.metric("utmos", weights=f"utmos={tmp_path}")
    (tmp_path / "utmos22_strong_step7459_v1.pt").write_bytes(b"\x80other")
    with pytest.raises(WeightsMismatch, match=r"holds other .* than the published utmos22-stro"):
        sb.metric("utmos", weights=f"utmos22-strong={tmp_path}")
