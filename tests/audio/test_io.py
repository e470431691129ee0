"""Reading: to the sample, or refused with the reason. Writing: 24 bits, or not at all."""

import errno
import os
import resource
import struct
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from unittest.mock import Mock

import av
import numpy as np
import pytest
import soundfile

from snacbench.audio import io
from snacbench.audio.io import NOT_STATED, Header, probe, read, read_clip, write_flac, write_wav
from snacbench.audio.measures import measure
from snacbench.errors import AudioError, MissingPackage, StoreError
from snacbench.types import Audio, Clip
from tests.support.containers import by_pyav, corpus

RATE_HZ, JUNK = 16_000, np.random.default_rng(0).bytes(5000)


def noise(channels=1, num_samples=4000):
    return np.random.default_rng(0).uniform(-0.9, 0.9, (channels, num_samples)).astype(np.float32)


@pytest.fixture
def wav(tmp_path):
    """A 16-bit stereo file."""
    path = tmp_path / "source.wav"
    soundfile.write(path, noise(2).T, RATE_HZ, subtype="PCM_16")
    return path


@pytest.fixture
def flac(tmp_path):
    path = tmp_path / "long.flac"
    soundfile.write(path, noise(1, 60_000).T, RATE_HZ)
    return path


def patch(path, place, data):
    content = path.read_bytes()
    path.write_bytes(content[:place] + data + content[place + len(data) :])


def test_the_length_that_a_flac_states_or_not(flac, monkeypatch):
    content, whole = flac.read_bytes(), read(flac).samples
    flac.write_bytes(content[: len(content) // 2])
    assert probe(flac) == Header(RATE_HZ, 1, 60_000)
    with pytest.raises(AudioError, match=r"flac opens but .* to the end of the 3.75 s .*trunc"):
        read(flac)
    flac.write_bytes(content)
    # Total samples, 36 bits of STREAMINFO: 0 where the encoder wrote to a pipe.
    patch(flac, 21, bytes([content[21] & 0xF0, 0, 0, 0, 0]))
    assert probe(flac) == Header(RATE_HZ, 1, 60_000, NOT_STATED)
    assert np.array_equal(read(flac).samples, whole)
    assert np.array_equal(read(flac, start=7, num_samples=9).samples, whole[:, 7:16])
    patch(flac, 21, bytes([content[21] | 0x0F, 255, 255, 255, 255]))  # of a file of 0.2 MB
    monkeypatch.setattr(io.soundfile.SoundFile, "read", None)  # before memory is taken
    for open_file in (probe, read):
        with pytest.raises(AudioError, match=r"claims 4,294,967 s of audio, more than its bytes"):
            open_file(flac)


def test_sound_beside_pictures_that_last_longer_and_pictures_alone(tmp_path):
    pcm = np.rint(noise() * 2**15).astype(np.int16)
    for path in (tmp_path / "a.mkv", tmp_path / "b.mkv"):
        with av.open(str(path), "w") as container:
            video = container.add_stream("mpeg4", rate=25)
            video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
            if path.name == "a.mkv":
                sound = container.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
                frame = av.AudioFrame.from_ndarray(pcm, "s16", "mono")
                frame.sample_rate, frame.pts = RATE_HZ, 0
                container.mux(sound.encode(frame))
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            for picture.pts in range(20):
                container.mux(video.encode(picture))
            container.mux(video.encode(None))
    assert np.array_equal(read(tmp_path / "a.mkv").samples, pcm.astype(np.float32) / 2**15)
    with pytest.raises(AudioError, match=r"b.mkv holds no stream of audio"):
        probe(tmp_path / "b.mkv")


def test_a_stream_that_changes_and_damage_within_are_refused(tmp_path, wav):
    parts = [by_pyav("adts", "aac", rate_hz=rate_hz) for rate_hz in (24_000, 48_000)]
    (tmp_path / "a.aac").write_bytes(b"".join(parts))
    with pytest.raises(AudioError, match="changes from 1 channels at 24000 Hz to 1 at 48000 Hz"):
        probe(tmp_path / "a.aac")
    (tmp_path / "a.m4a").write_bytes(content := by_pyav("ipod", "alac"))
    patch(tmp_path / "a.m4a", len(content) // 2, bytes(500))
    with pytest.raises(AudioError, match=r"a.m4a (opens but cannot be decoded|decodes to)"):
        read(tmp_path / "a.m4a")
    for rate_hz in (1, 2_000_000_000):
        patch(wav, 24, struct.pack("<I", rate_hz))
        with pytest.raises(AudioError, match=f"states 2 channels at {rate_hz} Hz; expected 1 to"):
            probe(wav)


@pytest.mark.parametrize(("value", "message"), [
    (np.nan, r"a.wav: 1 of 4000 samples are NaN or infinite"),
    (4e37, r"a.wav holds a sample of .* where full scale is 1"),
    (None, r"whole numbers up to 2\d,\d{3} .* divide them by 32,768"),
])  # fmt: skip
def test_samples_that_are_none(tmp_path, value, message):
    path, samples = tmp_path / "a.wav", 3 * noise()[0]
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    assert np.array_equal(read(path).samples[0], samples)  # a mix beyond full scale
    if value is None:
        samples = np.rint(samples * 10_000)
    else:
        samples[7] = value
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    with pytest.raises(AudioError, match=message):
        read(path)


@pytest.mark.parametrize(("content", "message"), [
    (None, r"does not exist; check the path"),
    (b"", r"is empty \(0 bytes\); fetch it again"),
    (JUNK, r"is not audio that libsndfile or FFmpeg can read \([^\d]*\)"),
    (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS.*lfs pull"),
    (b"\r\n<!DOCTYPE html><html><body>404</body></html>",
     "is .* text, which begins '<!DOCTYPE"),
    (b'<?xml version="1.0"?><Error><Code>Denied</Code></Error>', "is .* text, .* '<[?]xml"),
    (b'{\n  "message": "rate limit"\n}',
     "is not audio but text, which begins '{ \"mess.*'; fetch"),
    (b"RIFF\x24\x10\0\0WAVEfmt " + bytes(16), "holds 24 of the 4132 bytes that its header"),
    (b"PK\x03\x04" + bytes(100), r"is an archive .*; unpack it"),
])  # fmt: skip
def test_what_stands_in_place_of_audio_is_named(tmp_path, content, message):
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioError, match=rf"a.wav {message}"):
        probe(path)


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe.wav")
    kinds = {tmp_path: "a folder", pipe: "a named pipe .FIFO.", Path("/dev/zero"): "a device"}
    for path, kind in kinds.items():
        with pytest.raises(AudioError, match=f"{path} is {kind}.*, not a file of audio"):
            probe(path)


@pytest.mark.parametrize("open_file", [probe, read])
def test_no_samples_no_memory_no_permission(wav, open_file, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(io.soundfile, "SoundFile", Mock(side_effect=MemoryError))
        with pytest.raises(AudioError, match="needs more memory than there is; use --segment"):
            open_file(wav)
    soundfile.write(wav, np.zeros(0), RATE_HZ)
    with pytest.raises(AudioError, match=r"source.wav holds no samples; remove it or record"):
        open_file(wav)
    wav.write_bytes(b"x")  # root reads any file; so one that fails anyway, and a denying check
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(AudioError, match=r"source.wav may not be read by this user"):
        open_file(wav)


def test_a_package_that_does_not_load_is_not_the_files_fault(wav, monkeypatch):
    class Broken:
        def __getattr__(self, name):
            raise MissingPackage("the Python package soundfile does not load")

    def no_av(_):
        raise ImportError("libavcodec.so: cannot open shared object file", name="av")

    with monkeypatch.context() as patched:
        patched.setattr(io, "soundfile", Broken())
        with pytest.raises(MissingPackage, match="soundfile"):
            probe(wav)
    wav.write_bytes(b"junk" * 64)  # which libsndfile leaves to FFmpeg
    monkeypatch.setattr(io, "_ffmpeg", no_av)
    with pytest.raises(MissingPackage, match="the Python package av"):
        probe(wav)


def test_what_is_written_is_within_24_bits(tmp_path, wav):
    path, audio = tmp_path / "deep" / "er" / "out.flac", read(wav)
    assert write_flac(path, audio) == write_wav(tmp_path / "out.wav", audio) == 0
    assert np.array_equal(read(path).samples, audio.samples)  # a 16-bit source
    assert np.array_equal(read(tmp_path / "out.wav").samples, audio.samples)
    assert soundfile.info(str(path)).subtype == "PCM_24"
    write_flac(path, Audio(noise(3), RATE_HZ))
    assert np.abs(read(path).samples - noise(3)).max() <= 2**-24
    loud = Audio(np.array([[1.0, -1.0, 1.5, -1.5, 0.5]], np.float32), RATE_HZ)
    assert write_flac(path, loud) == 3
    for channels, rate_hz in ((9, RATE_HZ), (1, 700_000)):
        text = rf"FLAC cannot hold {channels} channels at {rate_hz} Hz \(.*up to 8 channels"
        with pytest.raises(AudioError, match=text):
            write_flac(tmp_path / "a.flac", Audio(noise(channels, 10), rate_hz))
    top = 1 - 2**-23
    assert np.array_equal(read(path).samples[0], np.array([top, -1.0, top, -1.0, 0.5], np.float32))


def test_why_nothing_could_be_written_is_named_and_nothing_is_left(tmp_path, monkeypatch):
    audio = Audio(noise(), RATE_HZ)
    (tmp_path / "decoded").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*decoded/a.flac \(.* its permissions"):
        write_flac(tmp_path / "decoded" / "a.flac", audio)
    full = Mock(side_effect=OSError(errno.ENOSPC, "No space left on device"))
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreError, match=r"a.flac \(No space left on device\).*free some space"):
        write_flac(tmp_path / "out" / "a.flac", audio)
    assert list((tmp_path / "out").iterdir()) == []


# Coders that work in blocks or have a priming: what may lie before and after the second itself.
_MOST_PADDING_S = 0.08
SOME = ["wav-pcm_16-file", "mp3-without-xing", "ff-ipod-alac", "aiff-gsm610-file"]


@pytest.mark.parametrize("name", corpus())
def test_a_file_gives_its_samples_or_is_refused_and_so_is_half_of_it(name, tmp_path):
    case, path = corpus()[name], tmp_path / "a.bin"
    path.write_bytes(case.data)
    if case.refused:
        with pytest.raises(AudioError, match=case.refused):
            probe(path)
        return
    header, audio = probe(path), read(path)
    assert (header.rate_hz, header.channels) == (audio.rate_hz, 1)
    assert header.num_samples == audio.num_samples
    assert header.note == ("" if case.states else NOT_STATED)
    assert audio.rate_hz == pytest.approx(case.rate_hz, rel=0.02)
    extra = audio.num_samples - len(case.samples)
    parts = len(case.samples) // case.rate_hz
    assert (-1 if case.tolerance is None else 0) <= extra <= parts * _MOST_PADDING_S * case.rate_hz
    if case.tolerance is not None:
        assert extra <= 10
        assert np.abs(audio.samples[0, : len(case.samples)] - case.samples).max() <= case.tolerance
    path.write_bytes(case.half)
    if case.states:
        with pytest.raises(AudioError, match=r"truncated|damaged|is not audio"):
            read(path)
    else:
        assert probe(path).note == NOT_STATED
        assert 0.2 < read(path).num_samples / len(case.samples) < 0.6


@pytest.mark.parametrize("name", SOME)
def test_a_segment_is_part_of_the_whole_also_beside_a_macos_resource_fork(name, tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(corpus()[name].data)
    path.with_name("._a.bin").write_bytes(b"\0\5\x16\7\0\2\0\0".ljust(82, b"\0"))
    whole = read(path).samples
    part = read_clip(Clip("a", path, "0", RATE_HZ, 1, num_samples=7_001, start=5_000))
    assert np.array_equal(part.samples, whole[:, 5_000:12_001])
    with pytest.raises(AudioError, match=r"ends after .* of .* s \(.* of 7001 samples\): the file"):
        read(path, start=20_000, num_samples=7_001)
    with pytest.raises(AudioError, match=r"a.bin holds no samples; remove it"):
        read(path, start=70_000, num_samples=10)


def test_g723_in_au_is_decoded_by_libsndfile(tmp_path):
    path = tmp_path / "a.au"  # FFmpeg makes something else of its bits
    path.write_bytes(corpus()["au-g723_40-file"].data)
    assert np.array_equal(read(path).samples[0], soundfile.read(path, dtype="float32")[0])


KINDS = (
    "wav-pcm_16-file", "wav-float-file", "aiff-pcm_24-file", "flac-pcm_16-file", "ogg-vorbis-file",
    "ff-mp3-libmp3lame", "caf-alac_16-file", "ff-ipod-aac",
)  # fmt: skip
_MOST_BYTES = 2 << 30  # of address space beyond what is in use


def mutated(data, rng):
    """A file with bits flipped, bytes replaced, cut out or doubled; headers more often."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        reach = len(changed) if rng.random() < 0.8 else min(len(changed), 128)
        place, kind = int(rng.integers(reach)), rng.integers(5)
        if kind == 0:
            changed[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            changed[place : place + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
        elif kind == 2:
            changed[place : place + 8] = rng.bytes(8)
        elif kind == 3:
            del changed[place : place + int(rng.integers(1, 500))]
        else:
            changed[place:place] = changed[place : place + int(rng.integers(1, 500))]
        if len(changed) < 64:
            break
    return bytes(changed)


def as_decoded(data):
    """What libsndfile and FFmpeg make of a file by themselves."""
    with suppress(soundfile.LibsndfileError, TypeError), soundfile.SoundFile(BytesIO(data)) as file:
        yield file.read(min(file.frames, 1 << 22), "float32", always_2d=True).T
    with suppress(av.FFmpegError, IndexError, ValueError):
        with av.open(BytesIO(data), metadata_errors="replace") as container:
            frames = [f.to_ndarray() for f in container.decode(audio=0)]
            context = container.streams.audio[0].codec_context
        whole = np.concatenate(frames, axis=1)
        whole = whole if context.format.is_planar else whole.reshape(-1, context.channels).T
        scale = 2.0 ** (1 - 8 * whole.dtype.itemsize) if whole.dtype.kind == "i" else 1.0
        yield (whole * scale).astype(np.float32)


@pytest.fixture
def little_memory():
    """A limit on memory, beyond which taking some fails."""
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (in_use + _MOST_BYTES, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "seeds", [range(25), pytest.param(range(25, 275), marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_damaged_files_are_read_as_decoded_or_refused(kind, seeds, tmp_path):
    path, data = tmp_path / "a.bin", corpus()[kind].data
    refused = 0
    for seed in seeds:
        changed = mutated(data, np.random.default_rng([seed, KINDS.index(kind)]))
        path.write_bytes(changed)
        try:
            audio = read(path)
        except AudioError:
            refused += 1
            continue
        measure(audio)
        alike = [d for d in as_decoded(changed) if d.shape == audio.samples.shape]
        assert any(np.allclose(d, audio.samples, atol=1e-6) for d in alike), seed
    assert refused > 0
