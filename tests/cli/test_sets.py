"""``snacbench sets`` as a user meets it, on a small copy of a corpus."""

import shutil
from dataclasses import replace
from functools import partial

import pytest

from snacbench.cli import testset_verbs
from snacbench.store.run_folder import RunFolder
from snacbench.testsets.corpora import corpora
from snacbench.testsets.corpora.corpus import Download
from tests.support.command_line import FAST, call, write_wav
from tests.support.hosts import Reply, serve
from tests.support.testsets import make_tar, settle


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("SNACBENCH_CONFIG", str(tmp_path / "config.toml"))


@pytest.fixture
def daps(tmp_path):
    """All ten files of the test speakers, seconds long."""
    root = tmp_path / "data" / "daps"
    for seed, speaker in enumerate(("f10", "m10")):
        for script in range(1, 6):
            name = f"clean/{speaker}_script{script}_clean.wav"
            settle(write_wav(root / name, 3.0, 16_000, seed=10 * seed + script))
    return root


sets = partial(call, "sets")


def text_of(result):
    return " ".join(result.output.split())


def test_the_whole_way_of_a_corpus(cli, daps, tmp_path):
    """Index, verify, show, export, run on the manifest with the audio elsewhere, resume."""
    draw = ("--segments", 4, "--segment-s", 1)
    assert "daps: 10 files, 0.01 h" in text_of(sets("index", "daps", "--root", daps))
    assert sets("verify", "daps", "--root", daps).return_value == 0
    text = text_of(sets("show", "daps", "--root", daps, *draw))
    for part in ("clips 4", "clusters 2", "rates 16000 Hz", "measured 4", "LUFS", "digest"):
        assert part in text
    done = cli("sets", "export", "daps", "--root", daps, *draw, "-o", "set.csv")
    digest = done.stdout.split("set digest ")[1].split()[0]
    shutil.move(daps, tmp_path / "moved")
    codecs = ("run", "--codecs", "identity", *FAST, "-o", "r")
    cli(*codecs, "--data", "set.csv", "--root", "moved")
    run = RunFolder.open(tmp_path / "r").run
    assert run.set_sha256 == digest
    assert run.request.root == (str(tmp_path / "moved"),)
    cli("run", "--resume", "r")
    (tmp_path / "moved/clean/f10_script1_clean.wav").write_text("junk")
    verified = sets("verify", tmp_path / "set.csv", "--root", tmp_path / "moved")
    assert verified.return_value == 1
    assert "is not audio" in text_of(verified)


def test_what_is_on_this_disk_missing_and_broken(daps, tmp_path):
    roots = f'[roots]\nmusdb18-hq = "{tmp_path}"\ngtzan = "/nowhere"\n'
    (tmp_path / "config.toml").write_text(roots)
    text = "".join(text_of(sets("list")).split())  # a long path may be broken anywhere
    for part in ("can be fetched", f"{tmp_path}", "there is no folder /nowhere"):
        assert "".join(part.split()) in text
    assert "needsdaps,musdb18-hq,audioset" in text
    (daps / "clean" / "m10_script1_clean.wav").write_text("junk")
    (daps / "clean" / "m10_script2_clean.wav").unlink()
    result = sets("index", "daps", "--root", daps)
    assert result.return_value == 1
    assert "daps: 9 files, a complete copy has 10" in text_of(result)
    assert "m10_script1_clean.wav is not audio" in text_of(result)


def test_an_archive_is_fetched_once(daps, tmp_path, monkeypatch):
    names = [path.relative_to(daps.parent).as_posix() for path in daps.rglob("*.wav")]
    files = {name: (daps.parent / name).read_bytes() for name in names}
    archive = make_tar(tmp_path / "daps.tar.gz", files).read_bytes()
    fetch = ("fetch", "daps", "--root", tmp_path / "fetched")
    with serve() as host:
        host.replies["/daps.tar.gz"] = Reply(archive, ranges=True)
        item = Download(f"{host.address}/daps.tar.gz", size_bytes=len(archive))
        known = {**corpora(), "daps": replace(corpora()["daps"], downloads=(item,))}
        monkeypatch.setattr(testset_verbs, "corpora", lambda: known)
        assert "10 files unpacked" in text_of(sets(*fetch))
        assert "was fetched and unpacked before" in text_of(sets(*fetch))
