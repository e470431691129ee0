"""Encode, decode, info, and runs that keep their codes: files that are weighed and decoded."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")

from snacbench.bitstream.container import load
from snacbench.errors import BitstreamError, UserError
from snacbench.rate.coding.trained import StreamTable, Tables, write_tables
from snacbench.rows import Coded
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import FAST, call, run_in, write_wav

CODECS = "snac-mini,encodec-mini@6,opus@14,mp3@64"
EMBEDDED = ("--weights", "embedded")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set") / "clips"
    write_wav(folder / "speech" / "a.wav", 0.7, 16_000, seed=1)
    write_wav(folder / "music" / "b.wav", 0.6, 44_100, channels=2, seed=3)
    return folder


@pytest.fixture(scope="module")
def run(clips, tmp_path_factory):
    """A stereo run that kept its codes: mono codecs code each channel alone."""
    path = tmp_path_factory.mktemp("run") / "r"
    options = ("--codecs", CODECS, "--data", clips, "--keep-codes", "--channels", "stereo")
    run_in(path.parent, "run", *options, *EMBEDDED, "-o", path, *FAST)
    return path


def rows(run):
    return list(RunFolder.open(run).read(Coded))


def test_a_fresh_process_decodes_the_very_samples_that_the_run_scored(run, tmp_path):
    found = rows(run)
    assert len(found) == 2 * len(CODECS.split(","))
    assert {row.channel_mode for row in found} >= {"mono", "stereo", "each channel alone"}
    program = (
        "import json, sys; from tests.support.command_line import call\n"
        "for file, target in json.loads(sys.argv[1]):\n"
        "    call('decode', file, '-o', target, '--weights', 'embedded')\n"
    )
    files = [[str(run / str(row.codes)), f"{tmp_path}/{i}.wav"] for i, row in enumerate(found)]
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", program, json.dumps(files)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=True)
    for row, (_, target) in zip(found, files, strict=True):
        scored, rate_hz = soundfile.read(run / str(row.decoded), dtype="int32")
        decoded, again_hz = soundfile.read(target, dtype="int32")
        assert rate_hz == again_hz == row.decoded_rate_hz
        assert np.array_equal(decoded, scored), row


def test_the_files_are_in_the_rows_and_weigh_what_the_rows_say(run):
    for row in rows(run):
        file = run / str(row.codes)
        assert file.parent.parent.parent == run / "codes" / row.codec
        assert hashlib.sha256(file.read_bytes()).hexdigest() == row.codes_sha256
        told = json.loads(call("info", file, "--json").output)
        assert told["bits"] == vars(row.bits)
        assert told["bytes"]["file"] == file.stat().st_size
        assert told["actual_kbps"] == pytest.approx(row.bits.total / row.duration_s / 1000)


def test_a_resumed_run_keeps_the_codes_that_were_missing(run, tmp_path):
    path = tmp_path / "r"
    shutil.copytree(run, path)
    lines = (path / "coded.jsonl").read_text().splitlines(keepends=True)
    cut = [line for line in lines if '"snac-mini"' not in line]
    (path / "coded.jsonl").write_text("".join(cut))
    shutil.rmtree(path / "codes" / "snac-mini")
    (path / "codes" / "mp3@64kbps" / ".left.sncb.1.partial").touch()
    run_in(tmp_path, "run", "--resume", path, "--jobs", "1")
    digests = {(row.clip, row.codec): row.codes_sha256 for row in rows(path)}
    assert digests == {(row.clip, row.codec): row.codes_sha256 for row in rows(run)}
    assert not list(path.glob("codes/**/.*.partial"))
    for row in rows(path):
        assert (path / str(row.codes)).read_bytes() == (run / str(row.codes)).read_bytes()


@pytest.fixture
def wav(tmp_path):
    return write_wav(tmp_path / "in.wav", 0.6, 44_100, channels=2, seed=4)


def encoded(wav, codec, *more):
    target = wav.with_name("out.sncb")
    call("encode", wav, "--codec", codec, "-o", target, *EMBEDDED, *more)
    return target


def samples(path):
    return soundfile.read(path, dtype="int32", always_2d=True)[0]


def test_wav_and_flac_hold_the_same_24_bits(wav):
    file = encoded(wav, "opus@24", "--channels", "stereo")
    for name in ("a.wav", "a.flac"):
        done = call("decode", file, "-o", wav.with_name(name))
        assert "28800 samples" in done.output
        assert "2 channels, 48000 Hz, decoded by opus@24kbps" in done.output
        assert soundfile.info(str(wav.with_name(name))).subtype == "PCM_24"
    assert np.array_equal(samples(wav.with_name("a.wav")), samples(wav.with_name("a.flac")))
    # Info says how channels and codes were written.
    assert "coded as mono" in call("info", encoded(wav, "dac-mini@2q")).output
    told = call("info", encoded(wav, "dac-mini@2q", "--channels", "stereo")).output
    for text in ("coded as each channel alone", "2 x 45 frames of 1024 entries", "nominal",
                 "actual", "codes", "container", "header", "file"):  # fmt: skip
        assert text in told


def test_the_seed_is_the_decoder_s_and_an_entropy_coder_changes_no_sample(wav, tmp_path):
    tables, out = tmp_path / "tables.npz", tmp_path / "out.wav"
    streams = tuple(StreamTable(np.arange(1, 1025), 4096, 64) for _ in range(3))
    write_tables(tables, Tables("snac-mini", streams, 2))
    coded = ("--coder", "static", "--tables", tables)
    decoded = []
    for options in (("--seed", 1), ("--seed", 2), ("--seed", 1, *coded)):
        file = encoded(wav, "snac-mini", *options)
        call("decode", file, "-o", out, "--tables", tables)
        decoded.append(samples(out))
    assert not np.array_equal(decoded[0], decoded[1])
    assert np.array_equal(decoded[0], decoded[2])
    assert "static" in call("info", file).output
    with pytest.raises(UserError, match="has none here; give the tables"):
        call("decode", file, "-o", out)


def test_a_checkpoint_of_one_s_own_is_named_again(wav, tmp_path):
    from tests.support.codec_models import tiny_dac

    tiny_dac(1).save(str(tmp_path / "one.pth"), package=False)
    file, target = encoded(wav, f"mine=dac:{tmp_path}/one.pth@2q"), tmp_path / "out.wav"
    assert "mine@1.5kbps" in call("info", file).output
    with pytest.raises(BitstreamError, match=r"out\.sncb: the file was made by mine@1.5kbps, a co"):
        call("decode", file, "-o", target)
    shutil.move(tmp_path / "one.pth", tmp_path / "renamed.pth")
    call("decode", file, "-o", target, "--codec", f"dac:{tmp_path}/renamed.pth")
    assert soundfile.info(str(target)).samplerate == 24_000


def test_what_cannot_be_read_or_decoded_is_refused_by_name(wav, tmp_path):
    data = load(file := encoded(wav, "opus@14"))
    file.write_bytes(data[:99] + bytes([data[99] ^ 4]) + data[100:])
    with pytest.raises(BitstreamError, match=r"out\.sncb: damaged"):
        call("info", file)
    for name, message in (
        ("x.wav", "error: out.sncb: damaged"),
        ("x.mp3", "expected a name that ends in .wav or .flac, found x.mp3"),
    ):
        assert message in run_in(tmp_path, "decode", "out.sncb", "-o", name, code=2).stderr
    assert not (tmp_path / "x.wav").exists()
