"""What is in a container comes out of it, or the file is refused by name; so with damage."""

from __future__ import annotations

import io
import resource
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from snacbench.audio.io import NOT_STATED, probe, read
from snacbench.audio.measures import measure
from snacbench.errors import AudioError
from tests.support.containers import corpus

# Coders that work in blocks or have a priming: what may lie before and after the second itself.
_MOST_PADDING_S = 0.08


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
        error = np.abs(audio.samples[0, : len(case.samples)] - case.samples).max()
        assert error <= case.tolerance
    path.write_bytes(case.half)
    if case.states:
        with pytest.raises(AudioError, match=r"truncated|damaged|is not audio"):
            read(path)
    else:
        assert probe(path).note == NOT_STATED
        assert 0.2 < read(path).num_samples / len(case.samples) < 0.6


@pytest.mark.parametrize(
    "name", ["wav-pcm_16-file", "mp3-without-xing", "ff-ipod-alac", "aiff-gsm610-file"]
)
def test_a_segment_is_part_of_the_whole_also_beside_a_macos_resource_fork(name, tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(corpus()[name].data)
    path.with_name("._a.bin").write_bytes(b"\0\5\x16\7\0\2\0\0".ljust(82, b"\0"))
    whole = read(path).samples
    part = read(path, start=5_000, num_samples=7_001).samples
    assert np.array_equal(part, whole[:, 5_000:12_001])
    with pytest.raises(AudioError, match="ends after"):
        read(path, start=20_000, num_samples=7_001)


def test_g723_in_au_is_decoded_by_libsndfile(tmp_path: Path) -> None:
    path = tmp_path / "a.au"  # FFmpeg makes something else of its bits
    path.write_bytes(corpus()["au-g723_40-file"].data)
    assert np.array_equal(read(path).samples[0], soundfile.read(path, dtype="float32")[0])


def test_an_mp3_beside_a_macos_resource_fork_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(corpus()["ff-mp3-libmp3lame"].data)
    (tmp_path / "._a.mp3").write_bytes(b"\0\5\x16\7\0\2\0\0".ljust(82, b"\0"))
    assert probe(tmp_path / "a.mp3").num_samples == read(tmp_path / "a.mp3").num_samples


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
    with (
        suppress(soundfile.LibsndfileError, TypeError),
        soundfile.SoundFile(io.BytesIO(data)) as file,
    ):
        yield file.read(min(file.frames, 1 << 22), "float32", always_2d=True).T
    with suppress(av.FFmpegError, IndexError, ValueError):
        with av.open(io.BytesIO(data), metadata_errors="replace") as container:
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
