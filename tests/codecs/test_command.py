"""Command-line codecs: what programs get, what comes back, how they fail, and how bits count."""

import io
import itertools
import re
import shlex
import shutil
import struct
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from subprocess import Popen
from unittest.mock import Mock

import av
import numpy as np
import pytest
import soundfile

from snacbench.codecs import command
from snacbench.codecs.command import CommandCodec, Point, frames, ogg_packets
from snacbench.errors import ClipError, CodecError, MissingPackage, UnknownPoint, UserError
from snacbench.files import sha256_of_file
from snacbench.plugins import models_in_file
from snacbench.rate.bits import bits_of
from snacbench.selectors import select
from snacbench.types import Audio
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.conftest import broadband, clip_at, si_sdr_db

RATE_HZ = 8_000
COPY = {
    "name": "copy", "rate_hz": RATE_HZ, "points": [128],
    "input": "raw float32", "output": "raw float32",
    "encode": "cp {input} {coded}", "decode": "cp {coded} {output}", "bits": command.whole_file(),
}  # fmt: skip


def sh(script):
    """A shell script that finds its files in $1 and $2."""
    return f"sh -c {shlex.quote(script)} sh"


def encoding(script, more=""):
    return {"encode": f"{sh(script)} {{input}} {{coded}} {more}"}


def decoding(script, more=""):
    return {"decode": f"{sh(script)} {{coded}} {{output}} {more}"}


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files, in which nothing may be left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def opened(**changed):
    """``opened(timeout_s=1)``: the copying codec with some fields changed, ready to run."""
    model = CommandCodec(**{**COPY, **changed}).model()
    return model.load(model.points[0], None, "cpu")


def there_and_back(codec, audio=None):
    return codec.decode(codec.encode(audio or broadband(0.25, RATE_HZ)), seed=0)


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_samples_pass_as_finely_as_their_format(bits):
    for container, channels in itertools.product(("wav", "raw"), (1, 2)):
        signal = f"{container} {'float32' if bits == 32 else f'int{bits}'}"
        codec = opened(input=signal, output=signal, channels=(channels,))
        audio = broadband(0.1, RATE_HZ, channels=channels)
        error = np.abs(there_and_back(codec, audio).samples - audio.samples).max()
        assert error == 0 if bits == 32 else error <= 2.0**-bits * 1.01
        if bits == 16:  # full scale is limited and does not wrap
            loud = Audio(np.array([[1.5, -1.5]] * channels, np.float32), RATE_HZ)
            limited = there_and_back(codec, loud).samples
            assert limited.tolist() == [[32767 / 32768, -1.0]] * channels


LATE = decoding('(head -c 400 /dev/zero; cat "$1") > "$2"')  # by 100 float samples


def test_whole_frames_hold_signal_delay_and_tail_and_a_few_samples_may_lack():
    codec = opened(frame_samples=320, delay_samples=100, tail_samples=7, **LATE)
    for samples in (1, 319, 320, 321):
        audio = broadband(samples / RATE_HZ, RATE_HZ)
        encoded = codec.encode(audio)
        sent = len(encoded.packets[0]) // 4
        assert sent % 320 == 0
        assert sent - 320 < samples + 107 <= sent
        assert np.array_equal(codec.decode(encoded, seed=0).samples, audio.samples)
    audio = broadband(0.25, RATE_HZ)
    codec = opened(may_lack_samples=8, **decoding('head -c 7968 "$1" > "$2"'))
    decoded = there_and_back(codec, audio)
    assert np.array_equal(decoded.samples[:, :1992], audio.samples[:, :1992])
    assert not decoded.samples[:, 1992:].any()


def test_settings_of_a_point_reach_the_command_line_as_they_are():
    odd = "; touch x $(id) * \" '"  # there is no shell
    script = f'test "$3$4 $5 $6 $7 $8 $9" = {shlex.quote(odd)}"700C 1.5 1500 8000 1 {{{{x}}}}"'
    names = "{odd} {mode} {kbps} {bit_per_s} {rate_hz} {channels} {{x}}"
    points = [Point(1.5, "best", {"odd": odd, "mode": "700C", "late": 3})]
    told = encoding(f'{script} && cp "$1" "$2"', names)
    codec = opened(points=points, delay_samples="late", **told)
    assert len(codec.encode(broadband(0.1, RATE_HZ)).packets[0]) == 4 * (800 + 3)


def test_a_seed_makes_the_decoder_stochastic():
    write = 'head -c 3000 /dev/zero > "$2"; printf %04d "$3" >> "$2"; head -c 9999 "$1" >> "$2"'
    codec = opened(**decoding(write, "{seed}"))
    encoded = codec.encode(broadband(0.25, RATE_HZ))
    one, two = (codec.decode(encoded, seed=seed).samples for seed in (1, 2))
    assert codec.spec.stochastic
    assert not np.array_equal(one, two)
    assert not opened().spec.stochastic


FAILING = "echo first >&2; echo no such mode >&2; exit 3"
QUOTED = r"copy: sh ended with exit status 3: no such mode \(command: /\S+/sh -c 'echo first"


@pytest.mark.parametrize(("changed", "text"), [
    (encoding(FAILING), QUOTED),
    (encoding("kill -SEGV $$"), r"was ended by signal 11 \(SIGSEGV\): no message"),
    (encoding("true"), r"sh reported success and wrote nothing to \{coded\}"),
    (decoding(': > "$2"'), r"sh reported success and wrote nothing to \{output\}"),
    ({"output": "wav int16"}, "the decoder's output is no wav file"),
    (decoding('head -c 3996 "$1" > "$2"'),
     r"copy: the decoder wrote 999 samples, expected 2000 \(0 of delay and 2000 of signal\); "),
    (decoding(r'printf "\377\377\377\377" > "$2"; cat "$1" >> "$2"'),
     "1 of 2000 samples are NaN or infinite"),
    ({"bits": command.whole_file(8_000)}, "0 bits were weighed in a coded file of 8000 bytes"),
    ({"bits": command.whole_file(-1)}, "64008 bits were weighed in .* bytes; check the func"),
])  # fmt: skip
def test_what_goes_wrong_is_said(temporary, changed, text):
    with pytest.raises(ClipError, match=text):
        there_and_back(opened(**changed))
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("rest", ["sleep 30; true", "true"])  # it hangs, or what it started
def test_a_program_that_hangs_is_ended_with_all_it_started(tmp_path, temporary, rest):
    text = f"sleep 30 & echo $! > {tmp_path}/started; {rest}"
    codec = opened(timeout_s=1, **encoding(text))
    with pytest.raises(CodecError, match=r"copy: sh did not end within 1 s \(timeout_s\)"):
        there_and_back(codec)
    status = Path("/proc", (tmp_path / "started").read_text().strip(), "stat")
    since = time.monotonic()
    with suppress(OSError):  # it is gone, or dead and waits to be asked how it ended
        while status.read_text().split()[2] != "Z":
            assert time.monotonic() - since < 120
            time.sleep(0.01)
    assert not list(temporary.iterdir())


def test_programs_that_cannot_be_run_and_files_of_another_rate(tmp_path):
    text = r"copy needs the program no-such-encoder, which is not installed; install it: apt get it"
    with pytest.raises(MissingPackage, match=text):
        opened(encode="no-such-encoder {input} {coded}", install="apt get it")
    (tmp_path / "picture").write_bytes(bytes(100))
    (tmp_path / "picture").chmod(0o755)
    with pytest.raises(CodecError, match=r"picture cannot be run \(Exec format error\)"):
        there_and_back(opened(encode=f"{tmp_path}/picture {{input}} {{coded}}"))
    soundfile.write(tmp_path / "wrong.wav", np.zeros((4_000, 2)), 16_000)
    decode = f"cp {tmp_path}/wrong.wav {{output}} --suffix={{coded}}"
    with pytest.raises(CodecError, match="16000 Hz, 2 channels; expected 8000 Hz, 1 channels"):
        there_and_back(opened(decode=decode, output="wav int16"))


def test_temporary_files_that_cannot_be_written_end_the_run(temporary, monkeypatch):
    codec = opened()
    encoded = codec.encode(broadband(0.1, RATE_HZ))

    full = Mock(side_effect=OSError(28, "No space left on device"))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        for call in (partial(there_and_back, codec), partial(codec.decode, encoded, seed=0)):
            with pytest.raises(UserError, match=r"No space left on device\); free some space or"):
                call()
    assert not list(temporary.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "none"))
    with pytest.raises(UserError, match=r"cannot write temporary files in .*none \(No such file"):
        codec.encode(broadband(0.1, RATE_HZ))


def test_points_are_rates_or_have_names_and_settings():
    points = [16, Point(9.6), Point(None, "700", {"late": 40})]
    changed = {"points": points, "default": ["9.6kbps"], "any_kbps": (6, 64)}
    model = CommandCodec(**{**COPY, **changed}).model()
    assert [p.name for p in model.points] == ["copy@16kbps", "copy@9.6kbps", "copy@700"]
    assert [p.nominal_kbps for p in model.points] == [16, 9.6, None]
    assert model.free_point
    assert model.free_point("9.5kbps").name == "copy@9.5kbps"
    for text in ("5", "65", "x"):
        with pytest.raises(UnknownPoint, match=f"not operate at '{text}'; it takes any rate from"):
            model.free_point(text)
    named = CommandCodec(**{**COPY, "points": points[2:], "latency_ms": "late"}).model()
    assert (named.points[0].latency_s, named.default) == (0.04, ("copy@700",))
    assert (model.points[0].latency_s, model.points[0].licence) == (None, "not stated")


@pytest.mark.parametrize(("changed", "text"), [
    ({"rate_hz": 0}, r"rate_hz, channels, timeout_s: expected numbers above 0, found 0"),
    ({"points": []}, "points: expected one or more, each with kbps above 0, or a name"),
    ({"points": [3, 3.0]}, "points: of 3kbps, 3kbps one occurs more than once; give it a name"),
    ({"points": [Point(3, settings={"input": "x"})]}, "settings: input cannot be set, it has"),
    ({"default": ["2kbps"]}, "default: 2kbps: there are 128kbps"),
    ({"any_kbps": (9, 6)}, r"any_kbps: expected two rising rates, found \(9, 6\)"),
    ({"encode": "enc {input}"}, r"encode: does not say where \{coded\} goes"),
    ({"encode": "enc '{input} {coded}"}, r"point 128kbps: .*: No closing quotation"),
    ({"input": "mp3 int16"}, "input: expected wav or raw, .*found 'mp3 int16'"),
    ({"delay_samples": "late"}, "delay_samples: expected .*that is one, found 'late'"),
    ({"encode": "enc {mode} {input} {coded}"}, r"no value for \{mode\} in .*there are: \{bit_"),
])  # fmt: skip
def test_a_mistake_is_named_with_its_field(changed, text):
    with pytest.raises(UserError, match=text):
        CommandCodec(**{**COPY, **changed}).model()


def test_versions_name_programs_and_what_they_say(tmp_path):
    def facts(**changed):
        return dict(CommandCodec(**{**COPY, **changed}).model().versions())

    said = facts(version="cp --version")
    program = shutil.which("cp")
    assert said["copy, encode"] == f"cp, sha256 {sha256_of_file(Path(program))[:16]}"
    (tmp_path / "script.sh").write_text("cp $1 $2")
    told = facts(encode=f"sh {tmp_path}/script.sh {{input}} {{coded}}")
    assert told["copy, script.sh"] == f"sha256 {sha256_of_file(tmp_path / 'script.sh')[:16]}"
    assert facts(version="cp --no-such-option")["copy, version"].startswith("unknown (copy: cp")


def ogg(streams=1, seconds=0.06):
    """An Ogg file of one or more streams of Opus, and the sizes of the first one's packets."""
    held, sizes = io.BytesIO(), []
    with av.open(held, "w", format="ogg") as container:
        mono = {"rate": 48_000, "layout": "mono"}
        coded = [container.add_stream("libopus", **mono) for _ in range(streams)]
        frame = av.AudioFrame.from_ndarray(broadband(seconds, 48_000).samples, "flt", "mono")
        frame.sample_rate = 48_000
        for stream in coded:
            for packet in (*stream.encode(frame), *stream.encode(None)):
                sizes += [packet.size] * (stream is coded[0])
                container.mux(packet)
    return held.getvalue(), sizes


def test_packets_of_an_ogg_file_count_without_pages_and_headers():
    data, sizes = ogg(seconds=3)
    assert data.count(b"OggS") > 4  # pages, some packets of which go on in the next
    assert ogg_packets(data, {}) == 8 * sum(sizes)
    for wrong, text in (
        (b"", "is no Ogg stream"),
        (b"RIFF" + bytes(100), "is no Ogg stream"),
        (ogg(2)[0], "holds 2 streams, expected one"),
        (data[:-1], "without the mark of its end"),
        (data[: data.rindex(b"OggS")], "without the mark of its end"),
    ):
        with pytest.raises(CodecError, match=text):
            ogg_packets(wrong, {})


def test_bits_that_fill_frames_up_do_not_count():
    data = b"\xff\xff\xff\xf0" * 3  # 28 bits of 32
    assert frames(data, 4, 28) == 84
    with pytest.raises(CodecError, match="frames of 4 bytes use more than the first 27 bits"):
        frames(data, 4, 27)
    for size in (5, 0):
        with pytest.raises(CodecError, match=f"12 bytes, which are no whole frames of {size}"):
            frames(data, size, 28)


def shipped(selector):
    """A shipped codec at one point, if its programs are installed."""
    ((model, spec),) = select(selector)
    try:
        return model.load(spec, None, "cpu")
    except MissingPackage as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(("mode", "bits", "frame"), [
    ("700C", 28, 320), ("1300", 52, 320), ("1600", 64, 320), ("3200", 64, 160),
])  # fmt: skip
def test_codec2_weighs_what_its_modes_are_named_after(mode, bits, frame):
    codec = shipped(f"codec2@{mode}")
    seconds = 4.0
    total = bits_of(codec.encode(broadband(seconds, 8_000)), codec.spec).total
    assert total % bits == 0
    kbps = total / seconds / 1000
    assert codec.spec.nominal_kbps is not None
    assert 0 <= kbps - codec.spec.nominal_kbps <= 2 * bits / seconds / 1000
    assert bits / frame * 8 == pytest.approx(codec.spec.nominal_kbps)


@pytest.mark.parametrize("kbps", [16, 64])
def test_opus_tools_is_near_our_own_opus(loaded, shared, kbps):
    outside, inside = shipped(f"opus-tools@{kbps}"), loaded(f"opus@{kbps}")
    audio = clip_at(shared / "audio/eval/speech/two_cities_a.flac", 48_000, seconds=5)
    coded = outside.encode(audio)
    assert 8 * len(coded.packets[0]) > bits_of(coded, outside.spec).total + 2_000  # the container
    rates, scores = [], []
    for codec in (outside, inside):
        encoded = codec.encode(audio)
        rates.append(bits_of(encoded, codec.spec).total / audio.duration_s / 1000)
        scores.append(si_sdr_db(audio, codec.decode(encoded, seed=0)))
    assert rates[0] == pytest.approx(rates[1], rel=0.03)
    assert scores[0] == pytest.approx(scores[1], abs=0.5)


def test_the_example_of_the_documentation_runs_until_its_file_changes(tmp_path, monkeypatch):
    text = (Path(__file__).parents[2] / "docs" / "outside-codecs.md").read_text("utf-8")
    file = tmp_path / "my_codec.py"
    file.write_text(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0])
    # Stand-ins for the two programs: a file of a header and two frames, and silence.
    packets = b"".join(struct.pack("<H", size) + bytes(size) for size in (40, 38))
    coded = struct.pack("<HH14x", 0xCC1C, 18) + packets
    (tmp_path / "coded").write_bytes(coded)
    for name, script in {
        "elc3": f'test "$2" = 16000 && cp {tmp_path}/coded "$4"',
        "dlc3": f'head -c 32044 {tmp_path}/zeros > "$2"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert [spec.name for _, spec in select(str(file))] == [f"lc3@{n}kbps" for n in (16, 24, 32)]
    ((model, spec),) = select(f"{file}@16")
    assert model.selector == f"lc3={file}"
    located = locate(model, WeightsPolicy())
    assert located.info.sha256 == {"my_codec.py": sha256_of_file(file)}
    encoded = model.load(spec, located, "cpu").encode(broadband(0.5, spec.rate_hz or 0))
    assert encoded.payload_bits == 8 * (40 + 38)
    file.write_text(file.read_text() + "# changed\n")
    (model,) = models_in_file(file)
    with pytest.raises(UserError, match="has changed since this run began; start a new run"):
        model.load(model.points[0], located, "cpu")


def test_folders_of_killed_workers_are_removed(temporary):
    gone = Popen(["true"])
    gone.wait()
    for owner in (gone.pid, 1):
        (temporary / f"snacbench-command-{owner}-abc").mkdir()
    (temporary / "snacbench-command-other").mkdir()
    opened()
    left = sorted(folder.name for folder in temporary.iterdir())
    assert left == ["snacbench-command-1-abc", "snacbench-command-other"]
