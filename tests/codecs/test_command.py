"""Command-line codecs: what programs get, what comes back, and how they fail."""

from __future__ import annotations

import shlex
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from snacbench.audio.io import sha256_of_file
from snacbench.codecs import _command_run as running
from snacbench.codecs.command import open_command
from snacbench.errors import CodecError, MissingPackage, UnknownPoint, UserError
from snacbench.models import LocatedWeights
from snacbench.selectors import select
from snacbench.types import Audio, Codec
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.conftest import broadband

RATE_HZ = 8_000
COPY: dict[str, Any] = {
    "name": "copy",
    "rate_hz": RATE_HZ,
    "points": [128],
    "input": {"container": "raw", "sample_format": "float32"},
    "output": {"container": "raw", "sample_format": "float32"},
    "encode": ["cp", "{input}", "{coded}"],
    "decode": ["cp", "{coded}", "{output}"],
    "bits": "file_size",
}


def sh(script: str) -> list[str]:
    """A shell script that finds its files in $1 and $2."""
    return ["sh", "-c", script, "sh"]


def encoding(script: str) -> dict[str, Any]:
    return {"encode": [*sh(script), "{input}", "{coded}"]}


def decoding(script: str) -> dict[str, Any]:
    return {"decode": [*sh(script), "{coded}", "{output}"]}


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files, in which nothing may be left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Codec]:
    """``opened(timeout_s=1)``: the copying codec with some fields changed, ready to run."""

    def load(**changed: Any) -> Codec:
        path = tmp_path / "codec.yaml"
        fields = {**COPY, **changed}
        path.write_text(yaml.safe_dump({k: v for k, v in fields.items() if v is not None}))
        model = open_command(path, "")
        return model.load(model.points[0], locate(model, WeightsPolicy()), "cpu")

    return load


def there_and_back(codec: Codec, audio: Audio | None = None) -> Audio:
    return codec.decode(codec.encode(audio or broadband(0.25, RATE_HZ)), seed=0)


# ----------------------------------------------------------------------- what goes in and comes out


@pytest.mark.parametrize(("sample_format", "bits"), [("int16", 16), ("int24", 24), ("float32", 32)])
@pytest.mark.parametrize("container", ["wav", "raw"])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_pass_as_finely_as_their_format(
    opened: Callable[..., Codec], sample_format: str, bits: int, container: str, channels: int
) -> None:
    signal = {"container": container, "sample_format": sample_format}
    codec = opened(input=signal, output=signal, channels=[channels])
    audio = broadband(0.1, RATE_HZ, channels=channels)
    error = np.abs(there_and_back(codec, audio).samples - audio.samples).max()
    assert error == 0 if sample_format == "float32" else error <= 2.0**-bits * 1.01


def test_full_scale_is_limited_and_does_not_wrap(opened: Callable[..., Codec]) -> None:
    signal = {"container": "wav", "sample_format": "int16"}
    loud = Audio(np.array([[1.5, -1.5, 1.0, -1.0]], np.float32), RATE_HZ)
    decoded = there_and_back(opened(input=signal, output=signal), loud)
    assert decoded.samples[0].tolist() == [32767 / 32768, -1.0, 32767 / 32768, -1.0]


@pytest.mark.parametrize("samples", [1, 319, 320, 321, 1_000])
def test_whole_frames_hold_signal_delay_and_tail(
    opened: Callable[..., Codec], samples: int
) -> None:
    late = decoding('(head -c 400 /dev/zero; cat "$1") > "$2"')  # 100 float samples
    codec = opened(frame_samples=320, delay_samples=100, tail_samples=7, **late)
    audio = broadband(samples / RATE_HZ, RATE_HZ)
    encoded = codec.encode(audio)
    sent = len(encoded.packets[0]) // 4
    assert sent % 320 == 0
    assert sent - 320 < samples + 107 <= sent
    assert np.array_equal(codec.decode(encoded, seed=0).samples, audio.samples)


def test_delay_that_is_not_declared_stays(opened: Callable[..., Codec]) -> None:
    late = decoding('(head -c 400 /dev/zero; cat "$1") > "$2"')
    audio = broadband(0.1, RATE_HZ)
    decoded = there_and_back(opened(delay_samples="none", **late), audio)
    assert np.array_equal(decoded.samples[:, 100:], audio.samples[:, :-100])


def test_settings_of_a_point_reach_the_command_line(opened: Callable[..., Codec]) -> None:
    point = {"name": "best", "kbps": 1.5, "settings": {"mode": "700C", "late": 3}}
    command = 'test "$3 $4 $5 $6 $7" = "700C 1.5 1500 8000 1" && cp "$1" "$2"'
    codec = opened(
        points=[point],
        delay_samples="{late}",
        encode=[*sh(command), "{input}", "{coded}", "{mode}", "{kbps}", "{bit_per_s}",
                "{rate_hz}", "{channels}"],
    )  # fmt: skip
    encoded = codec.encode(broadband(0.1, RATE_HZ))
    assert len(encoded.packets[0]) == 4 * (800 + 3)


def test_words_pass_as_they_are_without_a_shell(opened: Callable[..., Codec]) -> None:
    odd = "; touch x $(id) * \" '"
    point = {"kbps": 8, "settings": {"odd": odd}}
    script = f'test "$3" = {shlex.quote(odd)} && cp "$1" "$2"'
    there_and_back(opened(points=[point], encode=[*sh(script), "{input}", "{coded}", "{odd}"]))


def test_programs_beside_the_file_are_found(opened: Callable[..., Codec], tmp_path: Path) -> None:
    program = tmp_path / "mycp"
    program.write_text('#!/bin/sh\ncp "$1" "$2"\n')
    program.chmod(0o755)
    there_and_back(opened(encode='"{here}/mycp" {input} {coded}'))


def test_a_seed_makes_the_decoder_stochastic(opened: Callable[..., Codec]) -> None:
    write = 'head -c 3000 /dev/zero > "$2"; printf %04d "$3" >> "$2"; head -c 9999 "$1" >> "$2"'
    codec = opened(decode=[*sh(write), "{coded}", "{output}", "{seed}"])
    encoded = codec.encode(broadband(0.25, RATE_HZ))
    one, two = (codec.decode(encoded, seed=seed).samples for seed in (1, 2))
    assert codec.spec.stochastic
    assert not np.array_equal(one, two)
    assert not opened().spec.stochastic


def test_parallel_calls_do_not_meet(opened: Callable[..., Codec], temporary: Path) -> None:
    codec = opened(**encoding('sleep 0.05; cp "$1" "$2"'))
    clips = [broadband(0.1, RATE_HZ, seed=seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        decoded = list(pool.map(lambda clip: there_and_back(codec, clip), clips))
    for clip, output in zip(clips, decoded, strict=True):
        assert np.array_equal(clip.samples, output.samples)
    assert not list(temporary.iterdir())


# --------------------------------------------------------------------------------- how they fail


@pytest.mark.parametrize("where", ["encode", "decode"])
def test_a_failing_program_is_quoted(
    opened: Callable[..., Codec], temporary: Path, where: str
) -> None:
    script = "echo first >&2; echo no such mode >&2; exit 3"
    codec = opened(**(encoding(script) if where == "encode" else decoding(script)))
    text = r"copy: sh ended with exit status 3: no such mode \(command: /\S+/sh -c 'echo first"
    with pytest.raises(CodecError, match=text):
        there_and_back(codec)
    assert not list(temporary.iterdir())


def test_a_crash_is_named(opened: Callable[..., Codec]) -> None:
    with pytest.raises(CodecError, match=r"was ended by signal 11 \(SIGSEGV\): no message"):
        there_and_back(opened(**encoding("kill -SEGV $$")))


def test_a_program_that_hangs_is_ended_with_all_it_started(
    opened: Callable[..., Codec], temporary: Path
) -> None:
    codec = opened(timeout_s=0.3, **encoding("sleep 30 & sleep 30; true"))
    started = time.monotonic()
    with pytest.raises(CodecError, match=r"copy: sh did not end within 0\.3 s \(timeout_s\)"):
        there_and_back(codec)
    assert time.monotonic() - started < 10
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("script", ["true", ': > "$2"'])
def test_success_without_a_file_is_a_failure(opened: Callable[..., Codec], script: str) -> None:
    with pytest.raises(CodecError, match=r"sh reported success and wrote nothing to \{coded\}"):
        there_and_back(opened(**encoding(script)))
    with pytest.raises(CodecError, match=r"sh reported success and wrote nothing to \{output\}"):
        there_and_back(opened(**decoding(script)))


def test_a_missing_program_is_named_before_the_run(opened: Callable[..., Codec]) -> None:
    text = r"copy needs the program no-such-encoder, which is not installed; install it: apt get it"
    with pytest.raises(MissingPackage, match=text):
        opened(encode="no-such-encoder {input} {coded}", install="apt get it")
    with pytest.raises(MissingPackage, match=r"no-such-counter, which is not installed$"):
        opened(bits={"rule": "command", "command": "no-such-counter {coded}"})


def test_a_relative_program_is_refused(opened: Callable[..., Codec]) -> None:
    with pytest.raises(UserError, match=r"bin/enc is a relative path; write \{here\}/bin/enc"):
        opened(encode="bin/enc {input} {coded}")


def test_a_file_that_is_no_program_cannot_be_run(
    opened: Callable[..., Codec], tmp_path: Path
) -> None:
    (tmp_path / "picture").write_bytes(bytes(100))
    (tmp_path / "picture").chmod(0o755)
    with pytest.raises(CodecError, match=r"picture cannot be run \(Exec format error\)"):
        there_and_back(opened(encode="{here}/picture {input} {coded}"))


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"output": {"container": "wav"}}, "the decoder's output is no wav file"),
        (decoding('head -c 3996 "$1" > "$2"'),
         r"copy: the decoder wrote 999 samples, expected 2000 \(0 of delay and 2000 of signal\); "),
        (decoding('head -c 400000 /dev/zero > "$2"'), "the decoder wrote 100000 samples"),
        (decoding(r'printf "\377\377\377\377" > "$2"; cat "$1" >> "$2"'),
         "the decoder wrote NaN or infinite samples"),
    ],
)  # fmt: skip
def test_output_that_is_not_the_clip_is_refused(
    opened: Callable[..., Codec], changed: dict[str, Any], text: str
) -> None:
    with pytest.raises(CodecError, match=text):
        there_and_back(opened(**changed))


@pytest.mark.parametrize(("rate_hz", "channels"), [(16_000, 1), (8_000, 2)])
def test_another_rate_or_channels_are_refused(
    opened: Callable[..., Codec], tmp_path: Path, rate_hz: int, channels: int
) -> None:
    import soundfile

    soundfile.write(str(tmp_path / "wrong.wav"), np.zeros((4_000, channels)), rate_hz)
    decode = ["cp", "{here}/wrong.wav", "{output}", "--suffix={coded}"]
    text = f"the decoder wrote {rate_hz} Hz, {channels} channels; expected 8000 Hz, 1 channels"
    with pytest.raises(CodecError, match=text):
        there_and_back(opened(decode=decode, output={"container": "wav"}))


def test_a_few_missing_samples_may_be_allowed(opened: Callable[..., Codec]) -> None:
    audio = broadband(0.25, RATE_HZ)
    codec = opened(may_lack_samples=8, **decoding('head -c 7968 "$1" > "$2"'))
    decoded = there_and_back(codec, audio)
    assert np.array_equal(decoded.samples[:, :1992], audio.samples[:, :1992])
    assert not decoded.samples[:, 1992:].any()


def test_temporary_files_that_cannot_be_written_end_the_run(
    opened: Callable[..., Codec], temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = opened()
    encoded = codec.encode(broadband(0.1, RATE_HZ))

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        for call in (
            lambda: codec.encode(broadband(0.1, RATE_HZ)),
            lambda: codec.decode(encoded, seed=0),
        ):
            with pytest.raises(UserError, match=r"No space left on device\); free some space or"):
                call()
    assert not list(temporary.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "none"))
    with pytest.raises(UserError, match=r"cannot write temporary files in .*none \(No such file"):
        codec.encode(broadband(0.1, RATE_HZ))


def test_folders_of_killed_workers_are_removed(
    opened: Callable[..., Codec], temporary: Path
) -> None:
    from subprocess import Popen

    gone = Popen(["true"])
    gone.wait()
    for owner in (gone.pid, 1):
        (temporary / f"snacbench-command-{owner}-abc").mkdir()
    (temporary / "snacbench-command-other").mkdir()
    opened()
    left = sorted(folder.name for folder in temporary.iterdir())
    assert left == ["snacbench-command-1-abc", "snacbench-command-other"]


# ------------------------------------------------------------------------- models and their record


def test_a_file_that_changed_since_is_refused(opened: Callable[..., Codec], tmp_path: Path) -> None:
    opened()
    model = open_command(tmp_path / "codec.yaml", "")
    located = locate(model, WeightsPolicy())
    assert isinstance(located, LocatedWeights)
    assert located.info.source == "own"
    assert located.info.sha256 == {"codec.yaml": sha256_of_file(tmp_path / "codec.yaml")}
    opened(timeout_s=9)
    with pytest.raises(UserError, match="has changed since this run began; start a new run"):
        model.load(model.points[0], located, "cpu")


def test_selectors_name_files_points_and_models(
    opened: Callable[..., Codec], tmp_path: Path
) -> None:
    opened(points=[8, 16, {"name": "32", "kbps": 32}], default=["16kbps"])
    path = tmp_path / "codec.yaml"
    assert [s.name for _, s in select(f"command:{path}")] == ["copy@16kbps"]
    assert [s.name for _, s in select(f"mine=command:{path}@8,31.5")] == ["mine@8kbps", "mine@32"]
    opened(any_kbps=[6, 64])
    ((model, spec),) = select(f"free=command:{path}@9.5")
    assert (spec.name, spec.nominal_kbps) == ("free@9.5kbps", 9.5)
    for text in ("5", "65"):
        with pytest.raises(UnknownPoint, match="any rate from 6 to 64 kbps"):
            select(f"free=command:{path}@{text}")
    assert model.free_point
    with pytest.raises(UnknownPoint, match="free does not operate at 'x'"):
        model.free_point("x")


def test_versions_name_programs_and_what_they_say(
    opened: Callable[..., Codec], tmp_path: Path
) -> None:
    def facts(**changed: Any) -> dict[str, str]:
        opened(**changed)
        return dict(open_command(tmp_path / "codec.yaml", "").versions())

    said = facts(version="cp --version")
    assert said["copy, version"].startswith("cp (GNU coreutils)")
    program = shutil.which("cp")
    assert program
    assert said["copy, encode"] == f"cp, sha256 {sha256_of_file(Path(program))[:16]}"
    (tmp_path / "script.sh").write_text("cp $1 $2")
    told = facts(encode=["sh", "{here}/script.sh", "{input}", "{coded}"])
    assert told["copy, script.sh"] == f"sha256 {sha256_of_file(tmp_path / 'script.sh')[:16]}"
    assert set(facts(**decoding("/" + "x" * 5000))) == {"copy, encode", "copy, decode"}
    assert "copy, version" not in facts()
    assert facts(version="no-such --version")["copy, version"].startswith("unknown (copy needs")
    assert facts(version="false")["copy, version"].startswith("unknown (copy: false ended with")
    assert facts(version="true")["copy, version"] == "unknown"


def test_a_process_of_someone_else_counts_as_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(process: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(running.os, "kill", forbidden)
    assert running._runs(4_711)
