from __future__ import annotations

import errno
import hashlib
import os
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from snacbench.audio import io
from snacbench.audio.io import probe, read, read_clip, sha256_of_file, write_flac
from snacbench.errors import AudioError, StoreError
from snacbench.types import Audio, Clip

RATE_HZ = 16_000
_NOT_AUDIO = r"a.wav is not audio that libsndfile can read \([^\d]*\)"


def noise(channels: int = 1, num_samples: int = 4000) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.9, 0.9, (channels, num_samples)).astype(np.float32)


@pytest.fixture
def wav(tmp_path) -> Path:
    """A 16-bit stereo file."""
    path = tmp_path / "source.wav"
    soundfile.write(path, noise(2).T, RATE_HZ, subtype="PCM_16")
    return path


@pytest.fixture
def flac(tmp_path) -> Path:
    path = tmp_path / "long.flac"
    soundfile.write(path, noise(1, 60_000).T, RATE_HZ)
    return path


def test_a_16_bit_source_survives_flac_unchanged(wav, tmp_path):
    audio = read(wav)
    assert write_flac(tmp_path / "out.flac", audio) == 0
    again = read(tmp_path / "out.flac")
    assert np.array_equal(again.samples, audio.samples)
    assert again.rate_hz == audio.rate_hz
    assert soundfile.info(str(tmp_path / "out.flac")).subtype == "PCM_24"


def test_flac_is_within_half_a_step_of_24_bits(tmp_path):
    audio = Audio(noise(3), RATE_HZ)
    write_flac(tmp_path / "deep" / "er" / "out.flac", audio)
    error = np.abs(read(tmp_path / "deep" / "er" / "out.flac").samples - audio.samples)
    assert error.max() <= 2**-24


def test_samples_outside_the_range_of_24_bits_are_counted_and_clipped(tmp_path):
    loud = Audio(np.array([[1.0, -1.0, 1.5, -1.5, 0.5]], np.float32), RATE_HZ)
    assert write_flac(tmp_path / "loud.flac", loud) == 3
    top = 1 - 2**-23
    expected = np.array([top, -1.0, top, -1.0, 0.5], np.float32)
    assert np.array_equal(read(tmp_path / "loud.flac").samples[0], expected)


def test_probe_reads_rate_channels_and_length(wav):
    assert probe(wav) == (RATE_HZ, 2, 4000)


def test_a_segment_is_cut_to_the_sample(flac):
    segment = read(flac, start=12_345, num_samples=678)
    assert np.array_equal(segment.samples, read(flac).samples[:, 12_345 : 12_345 + 678])
    clip = Clip("a", flac, "0", RATE_HZ, 1, num_samples=678, start=12_345)
    assert np.array_equal(read_clip(clip).samples, segment.samples)


@pytest.mark.parametrize("start", [60_000, 70_000])
def test_a_segment_behind_the_end_holds_nothing(flac, start):
    with pytest.raises(AudioError, match=r"long.flac holds no samples; remove it"):
        read(flac, start=start, num_samples=10)


def test_a_segment_across_the_end_is_an_error(flac):
    with pytest.raises(AudioError, match="ends after 5 of 10 samples: the file is truncated"):
        read(flac, start=59_995, num_samples=10)


def test_a_truncated_flac_is_an_error_and_no_shorter_clip(flac):
    content = flac.read_bytes()
    flac.write_bytes(content[: len(content) // 2])
    assert probe(flac) == (RATE_HZ, 1, 60_000)
    with pytest.raises(AudioError, match=r"long.flac opens but .*the file is truncated or damaged"):
        read(flac)


def test_a_flac_that_does_not_state_its_length_says_how_to_mend_it(flac):
    content = bytearray(flac.read_bytes())
    content[21] &= 0xF0  # total samples, 36 bits of STREAMINFO: 0 where the encoder wrote to a pipe
    content[22:26] = bytes(4)
    flac.write_bytes(content)
    for open_file in (probe, read):
        with pytest.raises(AudioError, match=r"does not state its length; write it again"):
            open_file(flac)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_counted(tmp_path, bad):
    samples = noise()[0]
    samples[7] = bad
    soundfile.write(tmp_path / "bad.wav", samples, RATE_HZ, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"bad.wav: 1 of 4000 samples are NaN or infinite"):
        read(tmp_path / "bad.wav")


def test_a_file_without_samples_is_an_error(tmp_path):
    path = tmp_path / "none.wav"
    soundfile.write(path, np.zeros(0), RATE_HZ)
    for open_file in (probe, read):
        with pytest.raises(AudioError, match=r"none.wav holds no samples; remove it or record it"):
            open_file(path)


@pytest.mark.parametrize("open_file", [probe, read])
class TestUnreadable:
    def test_missing(self, tmp_path, open_file):
        with pytest.raises(AudioError, match=r"a.wav does not exist; check the path"):
            open_file(tmp_path / "a.wav")

    def test_zero_bytes(self, tmp_path, open_file):
        (tmp_path / "a.wav").touch()
        with pytest.raises(AudioError, match=r"a.wav is empty \(0 bytes\); fetch it again"):
            open_file(tmp_path / "a.wav")

    def test_text_named_wav(self, tmp_path, open_file):
        (tmp_path / "a.wav").write_text("This is not audio. " * 50)
        with pytest.raises(AudioError, match=_NOT_AUDIO):
            open_file(tmp_path / "a.wav")

    def test_folder_named_wav(self, tmp_path, open_file):
        (tmp_path / "a.wav").mkdir()
        with pytest.raises(AudioError, match=r"a.wav is not audio that libsndfile can read"):
            open_file(tmp_path / "a.wav")

    def test_not_permitted(self, wav, open_file, monkeypatch):
        wav.write_bytes(b"")  # root reads any file; so one that fails anyway, and a denying check
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(AudioError, match=r"source.wav may not be read by this user"):
            open_file(wav)


@pytest.mark.parametrize(("channels", "rate_hz"), [(9, RATE_HZ), (1, 700_000)])
def test_what_flac_cannot_hold_is_an_error(tmp_path, channels, rate_hz):
    text = f"up to 8 channels at 655350 Hz, found {channels} channels at {rate_hz} Hz"
    with pytest.raises(AudioError, match=text):
        write_flac(tmp_path / "a.flac", Audio(noise(channels, 10), rate_hz))


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, monkeypatch):
    write = soundfile.write

    def write_half(file, data, *args, **kwargs):
        write(file, data[: len(data) // 2], *args, **kwargs)

    monkeypatch.setattr(io.soundfile, "write", write_half)
    with pytest.raises(StoreError, match=r"the disk is full while writing .*a.flac; free some"):
        write_flac(tmp_path / "a.flac", Audio(noise(), RATE_HZ))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(io.soundfile, "write", refuse)
    with pytest.raises(StoreError, match=r"cannot write .*Permission denied.*check the folder's"):
        write_flac(tmp_path / "a.flac", Audio(noise(), RATE_HZ))


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "decoded").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*decoded/a.flac"):
        write_flac(tmp_path / "decoded" / "a.flac", Audio(noise(), RATE_HZ))


def test_sha256_is_that_of_the_bytes(wav):
    assert sha256_of_file(wav) == hashlib.sha256(wav.read_bytes()).hexdigest()


def test_a_write_that_libsndfile_gives_up_on_a_full_disk_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def give_up(*arguments: object, **options: object) -> None:
        raise soundfile.LibsndfileError(2, prefix="Error opening: ")

    monkeypatch.setattr(io.soundfile, "write", give_up)
    audio = Audio(np.zeros((1, 10), np.float32), 16_000)
    with pytest.raises(StoreError, match="check the folder's permissions and the free space"):
        io.write_flac(tmp_path / "a.flac", audio)
    monkeypatch.setattr(io.shutil, "disk_usage", lambda folder: SimpleNamespace(free=0))
    with pytest.raises(StoreError, match="the disk is full while writing"):
        io.write_flac(tmp_path / "a.flac", audio)


def test_an_mp3_beside_a_macos_resource_fork_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, np.zeros((4_800, 1), np.float32), 48_000, format="MP3")
    fork = struct.pack(">IIHII", 0x00051607, 0x00020000, 0, 0, 0)
    (tmp_path / "._a.mp3").write_bytes(fork.ljust(82, b"\0"))
    assert probe(path)[0] == 48_000
    assert read(path).rate_hz == 48_000
