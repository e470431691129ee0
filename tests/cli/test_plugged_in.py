"""Plug-ins that claim what is taken, cannot be imported, fail for a time, or change."""

import json
import shutil

import pytest

from snacbench.plugins import OWN
from snacbench.rows import Coded, Score
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import FAST, run_in
from tests.support.plugged import codec, install, metric

BROKEN = {"ends": "raise SystemExit(3)", "lacks": "import no_such_package_anywhere",
          "misspelt": "def (:", "vague": "MODELS = ('loud',)"}  # fmt: skip


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """Plug-ins of every kind that must be left out, and one good codec and metric among them."""
    folder = tmp_path_factory.mktemp("crowd")
    for name, code in BROKEN.items():
        install(folder, name, code)
    install(folder, "deaf", "raise ValueError('two\\nlines')", kinds=("metrics",))
    install(folder, "good", codec("sent") + metric("ear"), kinds=("codecs", "metrics"))
    install(folder, "second", codec("sent"))
    install(folder, "usurper", codec("identity"))
    install(folder, "heir", codec("snac"))  # a family's name
    stolen = codec("mine").replace("SPEC = CodecSpec('mine'", "SPEC = CodecSpec('opus@14kbps'")
    install(folder, "thief", stolen)
    return folder


def test_lists_and_check_name_what_is_left_out_and_why(crowd):
    shown = run_in(crowd, "list", "codecs", plugged=crowd).stdout
    said = [line.strip() for line in shown.partition("left out:")[2].splitlines() if line]
    begun = ["ends", "heir", "lacks", "misspelt", "second", "thief", "usurper", "vague"]
    assert [line.partition(":")[0].split()[1] for line in said] == begun
    assert "plug-in ends (codecs) of ends 1.0: it cannot be used: SystemExit: 3" in said
    refused = "plug-in heir (codecs) of heir 1.0: snac is left out: that name belongs to"
    assert f"{refused} {OWN}" in said
    assert "mine is left out: it has the operating point opus@14kbps of model mine" in shown
    heard = run_in(crowd, "list", "metrics", plugged=crowd).stdout
    assert "plug-in deaf (metrics) of deaf 1.0: it cannot be used: ValueError: two lines" in heard
    checked = run_in(crowd, "check", plugged=crowd).stdout
    assert all(f"plug-in {name} " in checked for name in (*begun, "deaf"))


def test_another_version_of_a_codec_or_metric_is_refused(clips, tmp_path):
    folder = install(tmp_path / "path", "mine", codec("mine"))
    install(folder, "ears", metric("ear"), kinds=("metrics",))

    def snacbench(*arguments, code=0):
        return " ".join(run_in(tmp_path, *arguments, plugged=folder, code=code).stderr.split())

    options = ("--codecs", "mine", "--data", clips, "--limit", "1", "--jobs", "1")
    snacbench("run", *options, "--metrics", "ear", "-o", "r")
    run = json.loads((tmp_path / "r" / "run.json").read_text())
    assert run["codec_versions"]["mine"]["mine"] == "1.0"
    assert run["codec_versions"]["mine"]["mine.py"].startswith("sha256 ")
    assert run["metric_versions"]["ear"]["ears"] == "1.0"
    install(folder, "ears", metric("ear"), version="2.0", kinds=("metrics",))
    for verb in (("run", "--resume", "r"), ("score", "r", "--metrics", "ear")):
        said = snacbench(*verb, code=2)
        assert "ear was computed by ears 1.0, and here that is 2.0; install" in said
    install(folder, "ears", metric("ear"), kinds=("metrics",))
    install(folder, "mine", codec("mine") + "# changed\n")
    said = snacbench("run", "--resume", "r", code=2)
    assert "mine was computed by mine.py sha256" in said


def test_check_codec_tells_an_author_what_is_broken(crowd, tmp_path):
    wrong = codec(
        "wrong",
        encode="return (audio.samples * np.random.rand()).astype('<f4').tobytes()",
        decode="return np.frombuffer(data, '<f4').reshape(shape) + seed % 7",
    )
    install(tmp_path / "path", "wrong", wrong)
    done = run_in(tmp_path, "check-codec", "wrong", plugged=tmp_path / "path", code=1)
    for said in ("declare stochastic=True", "spot check: ", "3 of 16 checks failed"):
        assert said in " ".join(done.stdout.split())
    done = run_in(tmp_path, "check-codec", "sent", plugged=crowd)
    assert "all checks passed" in done.stdout


def statuses(path):
    """Status and value of every row, each there once."""
    run = RunFolder.open(path)
    rows: list[tuple[tuple[str, ...], tuple[str, object]]] = [
        *(((r.clip, r.codec), (r.status, None)) for r in run.read(Coded)),
        *(((r.clip, r.codec, r.metric), (r.status, r.value)) for r in run.read(Score)),
    ]
    assert len(dict(rows)) == len(rows)
    return dict(rows)


def test_what_failed_is_tried_again_and_replaced(clips, tmp_path):
    """A disk was away for a codec during a run, and a cache for a metric."""
    plugged, path, disk, cache = (tmp_path / name for name in ("path", "r", "disk", "cache"))
    moody = f"open({str(disk)!r}).close(); return np.frombuffer(data, '<f4').reshape(shape)"
    install(plugged, "moody", codec("moody", decode=moody))
    ear = metric("ear", value=f"float(open({str(cache)!r}).read())")
    install(plugged, "ears", ear, kinds=("metrics",))

    def snacbench(*arguments, code):
        return run_in(tmp_path, *arguments, plugged=plugged, code=code).stderr

    options = ("--data", clips, "--limit", "1", *FAST[2:], "--metrics", "si_sdr,ear", "-o", "r")
    options = (*options, "--condition", "level@-6dB")
    snacbench("run", "--codecs", "moody,noise@20dB", *options, code=1)
    before = statuses(path)
    log = (path / "workers.log").read_text()
    assert ("Traceback" in log, "FileNotFoundError" in log) == (True, True)
    good = {key: found for key, found in before.items() if found[0] == "ok"}
    assert {key[1] for key in good} == {"noise@20dB", "noise@20dB+level@-6dB"}
    disk.touch()
    snacbench("run", "--resume", path, code=1)
    assert statuses(path) == before
    told = snacbench("run", "--resume", path, "--retry-failed", code=1)
    assert "failed before, tried again: 6 codings and 18 scores" in " ".join(told.split())
    now = statuses(path)
    assert now.keys() == before.keys()
    assert good.items() <= now.items()
    assert {key[2] for key, (status, _) in now.items() if status == "failed"} == {"ear"}
    cache.write_text("0.5")
    copy = shutil.copytree(path, tmp_path / "copy")
    for run, more in ((path, ("--metrics", "ear")), (copy, ())):
        told = snacbench("score", run, *more, "--retry-failed", code=0)
        assert "failed before, tried again: 12 scores" in told
        assert {status for status, _ in statuses(run).values()} <= {"ok", "undefined"}
