from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import chdir, closing
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import soundfile

from snacbench.audio import io
from snacbench.audio.io import (
    NOT_STATED,
    Header,
    probe,
    read,
    read_clip,
    write_flac,
)
from snacbench.errors import AudioError, StoreError
from snacbench.types import Audio, Clip
from tests.containers import by_pyav

RATE_HZ = 16_000
_NOT_AUDIO = r"a.wav is not audio that libsndfile or FFmpeg can read \([^\d]*\)"


NOT_AUDIO = [
    (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
        "pointer of Git LFS.*lfs pull",
    ),
    (b"\r\n<!DOCTYPE html><html><body>404</body></html>", r"a web page \(HTML\)"),
    (b"<html><head></head></html>", r"a web page \(HTML\)"),
    (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document"),
    (b'{"error": "not found"}', "JSON text"),
    (b'{\n  "message": "rate limit"\n}', "JSON text"),
    (b"This is no recording. " * 50, "not audio but text; it begins 'This is no rec"),
    (b"PK\x03\x04" + bytes(100), "a ZIP archive; unpack it"),
    (b"MThd\0\0\0\x06" + bytes(100), "a MIDI file"),
    (b"%PDF-1.7" + bytes(100), "a PDF document"),
]


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
    assert probe(wav) == Header(RATE_HZ, 2, 4000)


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
    with pytest.raises(
        AudioError, match=r"ends after 0.00 of 0.00 s \(5 of 10 samples\): the file is trunc"
    ):
        read(flac, start=59_995, num_samples=10)


def test_a_truncated_flac_is_an_error_and_no_shorter_clip(flac):
    content = flac.read_bytes()
    flac.write_bytes(content[: len(content) // 2])
    assert probe(flac) == Header(RATE_HZ, 1, 60_000)
    with pytest.raises(
        AudioError, match=r"long.flac opens but .* beyond \d.\d\d of the 3.75 s .*truncated"
    ):
        read(flac)


def test_a_flac_that_does_not_state_its_length_is_read_to_its_end(flac):
    whole = read(flac).samples
    content = bytearray(flac.read_bytes())
    content[21] &= 0xF0  # total samples, 36 bits of STREAMINFO: 0 where the encoder wrote to a pipe
    content[22:26] = bytes(4)
    flac.write_bytes(content)
    assert probe(flac) == Header(RATE_HZ, 1, 60_000, NOT_STATED)
    assert np.array_equal(read(flac).samples, whole)
    assert np.array_equal(read(flac, start=7, num_samples=9).samples, whole[:, 7:16])


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

    def test_noise_named_wav(self, tmp_path, open_file):
        (tmp_path / "a.wav").write_bytes(np.random.default_rng(0).bytes(5000))
        with pytest.raises(AudioError, match=_NOT_AUDIO):
            open_file(tmp_path / "a.wav")

    @pytest.mark.parametrize(("content", "message"), NOT_AUDIO)
    def test_what_stands_in_place_of_audio_is_named(self, tmp_path, open_file, content, message):
        (tmp_path / "a.wav").write_bytes(content)
        with pytest.raises(AudioError, match=rf"a.wav is .*{message}"):
            open_file(tmp_path / "a.wav")

    @pytest.mark.parametrize("suffix", ["wav", "mp3", "flac"])
    def test_a_pipe_is_not_waited_for(self, tmp_path, open_file, suffix):
        os.mkfifo(tmp_path / f"a.{suffix}")
        with pytest.raises(AudioError, match=r"is a named pipe \(FIFO\), not a file of audio"):
            open_file(tmp_path / f"a.{suffix}")

    def test_a_device_and_a_socket_are_named(self, tmp_path, open_file):
        with pytest.raises(AudioError, match="zero is a device, not a file of audio"):
            open_file(Path("/dev/zero"))
        with closing(socket.socket(socket.AF_UNIX)) as listener, chdir(tmp_path):
            listener.bind("a.wav")
            with pytest.raises(AudioError, match=r"a.wav is a socket, not a file of audio"):
                open_file(Path("a.wav"))

    def test_folder_named_wav(self, tmp_path, open_file):
        (tmp_path / "a.wav").mkdir()
        with pytest.raises(AudioError, match=r"a.wav is a folder, not a file of audio"):
            open_file(tmp_path / "a.wav")

    def test_memory_that_ends_is_told(self, wav, open_file, monkeypatch):
        def refuse(*arguments, **options):
            raise MemoryError

        monkeypatch.setattr(io.soundfile, "SoundFile", refuse)
        with pytest.raises(AudioError, match="needs more memory than there is; use --segment-s"):
            open_file(wav)

    def test_not_permitted(self, wav, open_file, monkeypatch):
        wav.write_bytes(b"x")  # root reads any file; so one that fails anyway, and a denying check
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
    (tmp_path / "decoded").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*decoded/a.flac"):
        write_flac(tmp_path / "decoded" / "a.flac", Audio(noise(), RATE_HZ))


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
    assert probe(path).rate_hz == 48_000
    assert read(path).rate_hz == 48_000


def written(path: Path, samples: np.ndarray, **options) -> Path:
    soundfile.write(path, samples.astype(np.float32), RATE_HZ, **({"subtype": "FLOAT"} | options))
    return path


def test_whole_numbers_in_a_float_file_are_named(tmp_path):
    path = written(tmp_path / "a.wav", np.rint(noise()[0] * 30_000))
    with pytest.raises(AudioError, match=r"whole numbers up to 2\d,\d{3} .* divide them by 32,768"):
        read(path)


@pytest.mark.parametrize("value", [4e37, -1e4, 33.3])
def test_a_sample_far_beyond_full_scale_is_damage(tmp_path, value):
    samples = noise()[0]
    samples[7] = value
    with pytest.raises(AudioError, match=r"a.wav holds a sample of .* where full scale is 1"):
        read(written(tmp_path / "a.wav", samples))


def test_a_mix_beyond_full_scale_is_read_as_it_is(tmp_path):
    samples = 3 * noise()[0]
    assert np.array_equal(read(written(tmp_path / "a.wav", samples)).samples[0], samples)


def test_what_a_header_claims_is_checked_before_memory_is_taken(flac, monkeypatch):
    content = bytearray(flac.read_bytes())
    content[21] |= 0x0F  # 36 bits of length, and a file of 0.2 MB
    content[22:26] = b"\xff" * 4
    flac.write_bytes(content)
    monkeypatch.setattr(io.soundfile.SoundFile, "read", None)
    for open_file in (probe, read):
        with pytest.raises(
            AudioError, match=r"claims 4,294,967 s of audio, more than its bytes can"
        ):
            open_file(flac)


@pytest.mark.parametrize("rate_hz", [1, 2_000_000_000])
def test_a_rate_that_no_recording_has_is_damage(wav, rate_hz):
    content = bytearray(wav.read_bytes())
    content[24:28] = struct.pack("<I", rate_hz)
    wav.write_bytes(content)
    with pytest.raises(
        AudioError, match=f"states 2 channels at {rate_hz} Hz; expected 1 to 1024 at"
    ):
        probe(wav)


def test_a_video_without_sound_is_named(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(AudioError, match=r"a.mp4 holds no stream of audio"):
        probe(tmp_path / "a.mp4")


def test_sound_is_read_beside_pictures_that_last_longer(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        pcm = np.rint(noise() * 2**15).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm, "s16", "mono")
        frame.sample_rate, frame.pts = RATE_HZ, 0
        container.mux(sound.encode(frame))
        for number in range(50):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            picture.pts = number
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
    assert np.array_equal(read(tmp_path / "a.mkv").samples, pcm.astype(np.float32) / 2**15)


def test_a_stream_that_changes_its_rate_is_refused(tmp_path):
    parts = [by_pyav("adts", "aac", rate_hz=rate_hz) for rate_hz in (24_000, 48_000)]
    (tmp_path / "a.aac").write_bytes(b"".join(parts))
    with pytest.raises(AudioError, match="changes from 1 channels at 24000 Hz to 1 at 48000 Hz"):
        probe(tmp_path / "a.aac")


def test_damage_within_an_mp4_is_no_shorter_clip(tmp_path):
    content = bytearray(by_pyav("ipod", "alac"))
    middle = len(content) // 2
    content[middle : middle + 500] = bytes(500)
    (tmp_path / "a.m4a").write_bytes(content)
    with pytest.raises(AudioError, match=r"a.m4a (opens but cannot be decoded|decodes to)"):
        read(tmp_path / "a.m4a")
