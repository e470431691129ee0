"""The files behind a clip's players: one script with its audio, and small spectrograms.

Browsers let a page from disk load scripts, but not read audio: it comes as a script in UTF-16, with
15 bits in a character, a fifteenth more than the bytes themselves.
"""

import codecs
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from snacbench.audio.channels import downmix
from snacbench.audio.io import read, read_clip
from snacbench.audio.levels import limited
from snacbench.audio.resample import fit_length, resample
from snacbench.errors import AudioError
from snacbench.files import sha256_of_file
from snacbench.rows import Coded
from snacbench.store.run_folder import RunFolder
from snacbench.types import Audio, Clip

FOLDER = "media"
# One rate for all signals of a page, so that browsers resample none of them, and to the sample
# the same length; it is also Opus' own rate.
RATE_HZ = 48_000
OPUS_KBPS = 130.0
# libsndfile asks libopus, per channel, for 256 kbps at compression 0 and for 6 at 1.
_MOST_KBPS, _LEAST_KBPS = 256.0, 6.0
_PREVIEW_BYTES_PER_S = 17_000  # with Ogg's own

_BITS = 15
_FIRST = 0x3000  # from here 2**15 code points follow that are neither surrogates nor line ends
_WEIGHTS = (1 << np.arange(_BITS - 1, -1, -1)).astype(np.uint16)

WIDTH, HEIGHT = 440, 132
RANGE_DB = 80.0  # from the loudest spot of the reference down
CHANGE_DB = 30.0

_WINDOW = 2048
_FRAMES_PER_COLUMN = 2
_MARKS_HZ = {"250": 250, "500": 500} | {f"{khz}k": 1000 * khz for khz in (1, 2, 4, 8, 16)}
_MEL = 1127.0  # O'Shaughnessy's mel: 1127 ln(1 + f / 700 Hz)

Picture = NDArray[np.float64]


@dataclass(frozen=True)
class Preview:
    """What players play: Opus previews or lossless FLAC, and at most how long, in seconds."""

    lossless: bool = False
    longest_s: float = float("inf")

    @property
    def label(self) -> str:
        """What a listener hears, in words."""
        preview = f"Preview: Opus {OPUS_KBPS:.0f} kbps"
        return "Lossless: FLAC, 24 bit" if self.lossless else preview

    @staticmethod
    def longest_within(num_bytes: float, num_signals: int) -> float:
        """How long, in seconds, so many Opus previews may be to fit into so many bytes."""
        return num_bytes / (_PREVIEW_BYTES_PER_S * max(1, num_signals))

    def cut(self, audio: Audio) -> Audio:
        """A signal at the rate of the page, cut to its first seconds."""
        most = max(1, round(min(self.longest_s, audio.duration_s) * audio.rate_hz))
        cut = np.ascontiguousarray(audio.samples[:, :most])
        return resample(Audio(cut, audio.rate_hz), RATE_HZ)

    def encoded(self, audio: Audio) -> bytes:
        """A signal as a FLAC file, or as an Ogg file with Opus at 130 kbps (variable) in all."""
        per_channel = OPUS_KBPS / audio.channels
        how: dict[str, Any] = {"format": "FLAC", "subtype": "PCM_24"}
        if not self.lossless:
            level = (_MOST_KBPS - per_channel) / (_MOST_KBPS - _LEAST_KBPS)
            how = {"format": "OGG", "subtype": "OPUS", "compression_level": level}
        file = io.BytesIO()
        soundfile.write(file, audio.samples.T, audio.rate_hz, **how)
        return file.getvalue()


@dataclass(frozen=True)
class Sources:
    """Where the signals of a clip are: its recording, and codec -> row of the decoded audio."""

    clip: Clip | None
    coded: Mapping[str, Coded]


def sources(folder: RunFolder) -> dict[str, Sources]:
    """Clip id -> where its signals are; the last row of a clip and codec counts."""
    clips = {clip.id: clip for clip in folder.read(Clip)}
    coded: dict[str, dict[str, Coded]] = {}
    for row in folder.read(Coded):
        coded.setdefault(row.clip, {})[row.codec] = row
    return {id_: Sources(clips.get(id_), rows) for id_, rows in coded.items()}


def write_players(  # noqa: PLR0913, PLR0917 - the first four are the same for all clips
    run: RunFolder,
    target: Path,
    names: Sequence[str],
    preview: Preview,
    number: int,
    found: Sources,
) -> dict[str, Any]:
    """Write the files of one clip's players and return what the page must know of them.

    There, ``audio`` and ``change`` tell of each signal, the reference first, whether there is audio
    and whether there is a picture of what it changed.
    """
    signals, problems = signals_of(run, found, names, preview)
    files = [None if signal is None else preview.encoded(signal) for signal in signals]
    content = [None if file is None else [len(file), packed(file)] for file in files]
    script = packed_script(f"snacbench.media({number})", content)
    (target / FOLDER / f"{number}.js").write_bytes(script)

    clip = found.clip  # the upper end of pictures: half of the recording's rate, 24 kHz at most
    top_hz = min(RATE_HZ, clip.rate_hz if clip else RATE_HZ) / 2
    pictures = target / FOLDER / str(number)
    pictures.mkdir(parents=True)
    levels = [None if s is None else levels_db(s, top_hz) for s in signals]
    reference = levels[0]
    top_db = next((float(np.max(picture)) for picture in levels if picture is not None), 0.0)
    change = [False] * len(levels)
    for index, picture in enumerate(levels):
        if picture is None:
            continue
        # The lightest colour is `top_db`, the darkest 80 dB less.
        image = _webp((picture - top_db) / RANGE_DB + 1, "magma")
        (pictures / f"{index}.webp").write_bytes(image)
        if index and reference is not None:
            image = change_image(reference=reference, degraded=picture, top_db=top_db)
            (pictures / f"{index}-change.webp").write_bytes(image)
            change[index] = True
    facts = [
        f"{clip.rate_hz / 1000:g} kHz",
        {1: "mono", 2: "stereo"}.get(clip.channels, f"{clip.channels} channels"),
        "from a lossy file" if clip.lossy_source else "",
        f"cluster {clip.cluster}" if clip.cluster else "",
        clip.licence or "",
    ] if clip else []  # fmt: skip
    return {
        "audio": [signal is not None for signal in signals],
        "change": change,
        "held_s": round(next((s.duration_s for s in signals if s is not None), 0.0), 4),
        "full_s": round(clip.duration_s, 3) if clip else None,
        "marks": marks(top_hz),
        "transcript": clip.transcript if clip else None,
        "facts": " · ".join(fact for fact in facts if fact),
        "problems": problems,
    }


def signals_of(
    folder: RunFolder, found: Sources, names: Sequence[str], preview: Preview
) -> tuple[list[Audio | None], list[str]]:
    """The reference and then each codec's output, None where there is none, and why.

    All are at the page's rate and of one length.
    """
    problems: list[str] = []
    signals: list[Audio | None] = [None]
    clip = found.clip
    try:
        if clip is None:
            problems.append("the run does not say where the recording is")
        elif (audio := read_clip(clip)) and sha256_of_file(clip.path) != clip.sha256:
            problems.append(f"{clip.path} is no longer the file that the run coded")
        else:
            mono = folder.run.request.channels == "mono"
            signals[0] = preview.cut(downmix(limited(audio)) if mono else limited(audio))
    except (AudioError, OSError) as error:
        problems.append(f"the recording is not at hand: {error}")
    for row in map(found.coded.get, names):
        signal = None
        if row is not None and row.decoded is not None:
            try:
                signal = preview.cut(read(folder.path / row.decoded))
            except AudioError as error:
                problems.append(str(error))
        signals.append(signal)
    length = next((signal.num_samples for signal in signals if signal is not None), 0)
    return [s and Audio(fit_length(s.samples, length), s.rate_hz) for s in signals], problems


def packed(data: bytes) -> str:
    """Bytes as characters of 15 bits each; the last one is filled up with zeros."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    groups = np.pad(bits, (0, -len(bits) % _BITS)).reshape(-1, _BITS)
    return str((groups @ _WEIGHTS + _FIRST).astype("<u2").tobytes().decode("utf-16-le"))


def packed_script(call: str, argument: Any) -> bytes:
    """A script in UTF-16 that calls a function; its byte order mark tells any browser so."""
    return codecs.BOM_UTF16_LE + f"{call}({script_json(argument)});\n".encode("utf-16-le")


def script_json(value: Any) -> str:
    """JSON that is also safe inside an HTML page and inside a script."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


# ------------------------------------------------------------------------------------ pictures
def levels_db(audio: Audio, top_hz: float) -> Picture:
    """Level in dB, arbitrary reference: shape (`HEIGHT`, `WIDTH`), in equal steps of mel and time.

    The highest frequency comes first.
    """
    mono = audio.samples.mean(axis=0)
    padded = np.pad(mono, (_WINDOW // 2, _WINDOW // 2 + _WINDOW))
    starts = np.linspace(0, len(mono), WIDTH * _FRAMES_PER_COLUMN, endpoint=False).astype(np.intp)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[starts]
    spectrum = np.fft.rfft(frames * np.hanning(_WINDOW), axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).reshape(WIDTH, _FRAMES_PER_COLUMN, -1).mean(1)
    top_mel = _MEL * np.log1p(top_hz / 700)
    edges_hz = 700 * np.expm1(np.linspace(0, top_mel, HEIGHT + 1) / _MEL)
    # Mean power between edges that are given in bins and may lie within one.
    total = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], axis=1)
    edges = np.clip(edges_hz * _WINDOW / audio.rate_hz + 0.5, 0, total.shape[1] - 1)
    whole = np.minimum(edges.astype(np.intp), total.shape[1] - 2)
    upto = total[:, whole] + (edges - whole) * (total[:, whole + 1] - total[:, whole])
    rows = np.diff(upto, axis=1) / np.maximum(np.diff(edges), 1e-9)
    return np.asarray(10 * np.log10(rows.T[::-1] + 1e-12))


def marks(top_hz: float) -> list[tuple[str, float]]:
    """Frequencies to label, and how high each lies in a picture, in percent of its height."""
    top_mel = np.log1p(top_hz / 700)
    places = {mark: 100 * float(np.log1p(hz / 700) / top_mel) for mark, hz in _MARKS_HZ.items()}
    return [(mark, round(height, 2)) for mark, height in places.items() if height < 97]


def change_image(*, reference: Picture, degraded: Picture, top_db: float) -> bytes:
    """What was added (red) and what is missing (blue), in dB, as a WebP picture.

    What is more than 80 dB under the loudest spot of the reference counts as silence.
    """
    floor = top_db - RANGE_DB
    change = np.maximum(degraded, floor) - np.maximum(reference, floor)
    return _webp(change / (2 * CHANGE_DB) + 0.5, "RdBu_r")


def _webp(shares: Picture, colours: str) -> bytes:
    from matplotlib.image import imsave

    file = io.BytesIO()
    how = {"quality": 62, "method": 4}
    imsave(file, shares, vmin=0, vmax=1, cmap=colours, format="webp", pil_kwargs=how)
    return file.getvalue()


def picture_scale() -> dict[str, Any]:
    """What the page must know of all pictures: size in pixels, ranges in dB, colours in CSS."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    scale: dict[str, Any] = {"range_db": f"{RANGE_DB:g}", "change_db": f"{CHANGE_DB:g}"}
    for what, name in (("level", "magma"), ("change", "RdBu_r")):
        stops = colormaps[name](np.linspace(0, 1, 9))
        scale[f"{what}_gradient"] = ", ".join(map(to_hex, stops))
    return {**scale, "picture_size": (WIDTH, HEIGHT)}
