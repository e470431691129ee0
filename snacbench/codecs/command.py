"""Codecs that exist as an encoder and a decoder program, and two that ship: Codec 2, opus-tools."""

import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import Any

from snacbench.audio.resample import fit_length
from snacbench.errors import CodecError, MissingPackage, UserError
from snacbench.files import sha256_of_file
from snacbench.later import av, np, soundfile
from snacbench.models import CodecModel, LocatedWeights, any_rate
from snacbench.types import Audio, CodecSpec, Encoded
from snacbench.units import BITS_PER_BYTE

Value = int | float | str
Bits = Callable[[bytes, Mapping[str, Value]], int]

_FOLDER = "snacbench-command-"
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(\w+)\}")
_GIVEN = {"input", "coded", "output", "kbps", "bit_per_s"}
_GIVEN |= {"rate_hz", "channels", "num_samples", "seed"}
_SUBTYPES = {"int16": "PCM_16", "int24": "PCM_24", "float32": "FLOAT"}


# ---------------------------------------------------------------------------- which bits count
def whole_file(header_bytes: int = 0) -> Bits:
    """Every byte of the coded file counts, but for a header."""
    return lambda coded, settings: (len(coded) - header_bytes) * BITS_PER_BYTE


def frames(coded: bytes, bytes_per_frame: int, bits_per_frame: int) -> int:
    """Used bits of frames that are filled up to whole bytes.

    Raises `CodecError` where the file is no whole frames, or what is filled up is not zero.
    """
    if not bytes_per_frame or len(coded) % bytes_per_frame:
        raise CodecError(
            f"the coded file has {len(coded)} bytes, which are no whole frames of "
            f"{bytes_per_frame} bytes"
        )
    unused = (1 << (bytes_per_frame * BITS_PER_BYTE - bits_per_frame)) - 1
    starts = range(0, len(coded), bytes_per_frame)
    if any(int.from_bytes(coded[i : i + bytes_per_frame], "big") & unused for i in starts):
        text = f"frames of {bytes_per_frame} bytes use more than the first {bits_per_frame} bits"
        raise CodecError(text)
    return len(starts) * bits_per_frame


def ogg_packets(coded: bytes, settings: Mapping[str, Value]) -> int:
    """Packets of an Ogg stream count as a decoder gets them, without its pages and its headers.

    Raises `CodecError` where the file is none with one stream, or was cut off.
    """
    from snacbench.audio.containers import extent_of  # a list of codecs need not wait for it

    try:
        with av.open(io.BytesIO(coded), "r", "ogg") as container:
            streams = len(container.streams)
            size = sum(packet.size for packet in container.demux())
    except av.error.FFmpegError as error:
        raise CodecError(f"the coded file is no Ogg stream ({error.strerror})") from error
    if streams != 1:
        raise CodecError(f"the Ogg file holds {streams} streams, expected one")
    if extent_of(io.BytesIO(coded), len(coded)).is_cut:  # of which FFmpeg says nothing
        end = f"the Ogg file ends after {len(coded)} bytes without the mark of its end"
        raise CodecError(end)
    return size * BITS_PER_BYTE


# ----------------------------------------------------------------------------------- the codec
@dataclass(frozen=True)
class Point:
    """An operating point: a rate in kbps, a name, or both; and values for placeholders."""

    kbps: float | None = None
    name: str = ""
    settings: Mapping[str, Value] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What stands after the @ in the point's name."""
        return self.name or f"{self.kbps or 0:g}kbps"


@dataclass(frozen=True)
class CommandCodec:
    """A codec whose encoder and decoder are programs; `model` makes of it what a file declares.

    ``docs/outside-codecs.md`` explains every field. In `encode` and `decode`, names in braces
    stand for files, the point's rate and its settings; ``bits(coded, settings)`` tells how many
    bits of the coded file count. `rate_hz` is in Hz, what ends in ``_samples`` in samples at it
    (or the name of a setting that holds the number), `any_kbps` the lowest and highest rate.
    """

    name: str
    rate_hz: int
    encode: str
    decode: str
    points: Sequence[float | Point]
    bits: Bits
    channels: tuple[int, ...] = (1,)
    default: Sequence[str] = ()
    any_kbps: tuple[float, float] | None = None
    input: str = "wav int16"
    output: str = "wav int16"
    coded_suffix: str = ".bin"
    frame_samples: int | str = 1
    tail_samples: int | str = 0
    delay_samples: int | str = 0
    may_lack_samples: int | str = 0
    latency_ms: int | str | None = None
    timeout_s: float = 300.0
    version: str = ""
    install: str = ""
    licence: str = "not stated"
    citation: str = "not stated"

    def model(self) -> CodecModel:
        """The codec as a file declares it in ``MODELS``, once everything in it fits together.

        Raises `UserError` if something is missing or does not fit; the message names the field.
        """
        points = [p if isinstance(p, Point) else Point(float(p)) for p in self.points]
        labels = [point.label for point in points]
        if mistake := next(self._mistakes(points, labels), ""):
            raise UserError(f"{self.name}: {mistake}")
        specs = tuple(map(self._spec, points))

        return CodecModel(
            name=self.name, family="command", points=specs, load=self._load,
            default=tuple(f"{self.name}@{label}" for label in self.default or labels),
            free_point=any_rate(self.name, self.any_kbps, lambda kbps: self._spec(Point(kbps))),
            versions=lambda: LoadedCommand(specs[0], self).versions(),
        )  # fmt: skip

    def _mistakes(self, points: Sequence[Point], labels: Sequence[str]) -> Iterator[str]:
        if min(self.rate_hz, self.timeout_s, *self.channels, 1) <= 0 or not self.channels:
            yield (
                f"rate_hz, channels, timeout_s: expected numbers above 0, found {self.rate_hz}, "
                f"{self.channels}, {self.timeout_s}"
            )
        if not points or any(p.kbps <= 0 if p.kbps is not None else not p.name for p in points):
            yield "points: expected one or more, each with kbps above 0, or a name"
        if len({*labels}) < len(labels):
            yield f"points: of {', '.join(labels)} one occurs more than once; give it a name"
        if taken := sorted({name for p in points for name in p.settings} & _GIVEN):
            yield f"settings: {', '.join(taken)} cannot be set, it has a meaning"
        if not {*self.default} <= {*labels}:
            yield f"default: {', '.join(self.default)}: there are {', '.join(labels)}"
        if self.any_kbps and not 0 < self.any_kbps[0] < self.any_kbps[1]:
            yield f"any_kbps: expected two rising rates, found {self.any_kbps}"
        for side, needed in (("encode", ("input", "coded")), ("decode", ("coded", "output"))):
            if missing := [f"{{{n}}}" for n in needed if f"{{{n}}}" not in getattr(self, side)]:
                yield f"{side}: does not say where {' and '.join(missing)} goes"
        for side in ("input", "output"):
            if not re.fullmatch(r"(wav|raw) (int16|int24|float32)", found := getattr(self, side)):
                yield f"{side}: expected wav or raw, and int16, int24 or float32, found {found!r}"

    def _spec(self, point: Point) -> CodecSpec:
        """One operating point, once every placeholder is known to have a value there."""
        spec = CodecSpec(
            name=f"{self.name}@{point.label}", model=self.name, family="command",
            rate_hz=self.rate_hz, channels=self.channels, nominal_kbps=point.kbps,
            settings=dict(point.settings), stochastic="{seed}" in self.decode, licence=self.licence,
            citation=self.citation,
        )  # fmt: skip
        codec = LoadedCommand(spec, self)
        try:
            for line in (self.encode, self.decode, self.version):
                codec.words(line, codec.values(Path("/")))
            for number in ("frame_samples", "tail_samples", "delay_samples", "may_lack_samples"):
                codec.number(number)
            latency_s = None if self.latency_ms is None else codec.number("latency_ms") / 1000
        except UserError as error:
            raise UserError(f"{self.name}, point {point.label}: {error}") from error
        return replace(spec, latency_s=latency_s)

    def _load(
        self, spec: CodecSpec, weights: LocatedWeights | None, device: str
    ) -> "LoadedCommand":
        codec = LoadedCommand(spec, self)
        for line in (self.encode, self.decode):
            codec.program(line)
        for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
            owner = re.match(rf"{_FOLDER}(\d+)-", folder.name)
            if owner and not Path("/proc", owner[1]).exists():  # of a worker that was killed
                shutil.rmtree(folder, ignore_errors=True)
        return codec


@dataclass(frozen=True)
class LoadedCommand:
    """A command-line codec at one operating point."""

    spec: CodecSpec
    file: CommandCodec

    def encode(self, audio: Audio) -> Encoded:
        """Run the encoder on a clip and keep the file that it writes."""
        with _work_folder() as folder:
            values = self.values(folder, audio.channels, audio.num_samples)
            container, sample_format = self.file.input.split()
            samples: Any = fit_length(audio.samples, self._sent(audio.num_samples))
            if sample_format != "float32":
                bits = int(sample_format[3:])
                full_scale = 2.0 ** (bits - 1)
                whole = np.rint(samples * np.float64(full_scale))
                whole = np.clip(whole, -full_scale, full_scale - 1)
                # As 32-bit integers, of which soundfile keeps the upper bits.
                samples = whole.astype(np.int32) << (32 - bits)
            options = {"format": container.upper(), "subtype": _SUBTYPES[sample_format]}
            place = str(values["input"])
            soundfile.write(place, samples.T, audio.rate_hz, endian="LITTLE", **options)
            self.run(self.file.encode, values, writes="coded")
            coded = Path(str(values["coded"])).read_bytes()
        weighed: Any = self.file.bits(coded, self.spec.settings)  # of a function of the user
        if not (isinstance(weighed, Integral) and 0 < int(weighed) <= len(coded) * BITS_PER_BYTE):
            raise self._error(
                f"{weighed} bits were weighed in a coded file of {len(coded)} bytes; check the "
                "function given as bits, which returns a whole number"
            )
        size = (audio.num_samples, audio.channels, audio.rate_hz)
        return Encoded(*size, packets=(coded,), payload_bits=int(weighed))

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Run the decoder on the coded file, and remove the delay that the codec declares."""
        container, sample_format = self.file.output.split()
        options: dict[str, Any] = {}
        if container == "raw":
            options = {"samplerate": encoded.rate_hz, "channels": encoded.channels}
            options |= {"format": "RAW", "subtype": _SUBTYPES[sample_format], "endian": "LITTLE"}
        with _work_folder() as folder:
            values = self.values(folder, encoded.channels, encoded.num_samples, seed=seed)
            Path(str(values["coded"])).write_bytes(encoded.packets[0])
            self.run(self.file.decode, values, writes="output")
            try:
                read, rate_hz = soundfile.read(
                    str(values["output"]), dtype="float32", always_2d=True, **options
                )
            except soundfile.LibsndfileError as error:
                text = f"the decoder's output is no {container} file ({error})"
                raise self._error(text) from error
        if (rate_hz, read.shape[1]) != (encoded.rate_hz, encoded.channels):
            raise self._error(
                f"the decoder wrote {rate_hz} Hz, {read.shape[1]} channels; expected "
                f"{encoded.rate_hz} Hz, {encoded.channels} channels"
            )
        samples = np.ascontiguousarray(read.T)
        delay, num_samples = self.number("delay_samples"), encoded.num_samples
        came, expected = samples.shape[1], delay + num_samples
        # Decoders may flush what they hold; at twice the rate most clips would be longer than this.
        most = 1.5 * self._sent(num_samples) + 48_000
        if came < expected - self.number("may_lack_samples") or came > most:
            raise self._error(
                f"the decoder wrote {came} samples, expected {expected} ({delay} of delay and "
                f"{num_samples} of signal); check rate_hz, delay_samples, frame_samples and "
                "may_lack_samples"
            )
        return Audio(fit_length(samples[:, delay:], num_samples), encoded.rate_hz)

    def versions(self) -> Mapping[str, str]:
        """What the programs say of themselves, and their digests: a version may say too little.

        A program may be an interpreter: files that stand among its arguments count as well.
        """
        facts, model = {}, self.file.name
        for side, line in (("encode", self.file.encode), ("decode", self.file.decode)):
            program = self.program(line)
            facts[f"{model}, {side}"] = f"{program.name}, sha256 {sha256_of_file(program)[:16]}"
            for path in map(Path, self.words(line, self.values(Path("/")))[1:]):
                with suppress(OSError):  # a script in words, too long for a name
                    if path.is_absolute() and path.is_file():
                        facts[f"{model}, {path.name}"] = f"sha256 {sha256_of_file(path)[:16]}"
        if self.file.version:
            try:
                with _work_folder() as folder:
                    printed = self.run(self.file.version, self.values(folder))
            except (CodecError, MissingPackage) as error:  # no reason to end a run
                printed = f"unknown ({error})"
            lines = filter(None, (" ".join(line.split()) for line in printed.splitlines()))
            facts[f"{model}, version"] = next(lines, "unknown")
        return facts

    def _error(self, text: str) -> CodecError:
        return CodecError(f"{self.spec.model}: {text}")

    def _sent(self, num_samples: int) -> int:
        """Samples that the encoder gets: whole frames that hold clip, delay and tail."""
        needed = num_samples + self.number("delay_samples") + self.number("tail_samples")
        frame = max(1, self.number("frame_samples"))
        return -(-needed // frame) * frame

    def values(
        self, folder: Path, channels: int = 1, num_samples: int = 1, *, seed: int = 0
    ) -> dict[str, Value]:
        """What stands for each placeholder in a call whose files are in a folder."""
        kbps = self.spec.nominal_kbps
        rates = {} if kbps is None else {"kbps": kbps, "bit_per_s": round(kbps * 1000)}
        return {
            **self.spec.settings,
            "input": str(folder / f"input.{self.file.input.split()[0]}"),
            "coded": str(folder / f"coded{self.file.coded_suffix}"),
            "output": str(folder / f"output.{self.file.output.split()[0]}"),
            "rate_hz": self.file.rate_hz,
            "channels": channels,
            "num_samples": num_samples,
            "seed": seed,
            **rates,
        }

    def number(self, name: str) -> int:
        """A field that is a whole number, or the name of a setting that is one."""
        given = getattr(self.file, name)
        found = self.spec.settings.get(given) if isinstance(given, str) else given
        if isinstance(found, int) and not isinstance(found, bool) and found >= 0:
            return found
        raise UserError(
            f"{name}: expected a whole number from 0, or the name of a setting that is one, found "
            f"{given!r}"
        )

    def words(self, line: str, values: Mapping[str, Value]) -> list[str]:
        """A command line as words, each placeholder replaced; a doubled brace is a brace."""

        def value(found: re.Match[str]) -> str:
            if found[1] is None:
                return found[0][0]
            if found[1] not in values:
                names = ", ".join(f"{{{name}}}" for name in sorted(values))
                raise UserError(f"no value for {{{found[1]}}} in {line!r}; there are: {names}")
            held = values[found[1]]
            return f"{held:.12g}" if isinstance(held, float) else str(held)

        try:
            return [_PLACEHOLDER.sub(value, word) for word in shlex.split(line)]
        except ValueError as error:
            raise UserError(f"{line!r}: {error}") from error

    def program(self, line: str) -> Path:
        """Where the program of a command line is."""
        name = next(iter(self.words(line, self.values(Path("/")))), "")
        if found := shutil.which(name):
            return Path(found).absolute()  # programs run in another folder
        advice = f"; install it: {self.file.install}" if self.file.install else ""
        text = f"{self.spec.model} needs the program {name}, which is not installed{advice}"
        raise MissingPackage(text)

    def run(self, line: str, values: Mapping[str, Value], *, writes: str = "") -> str:
        """Run a command line, which `writes` the file of a placeholder; what it printed."""
        words = [str(self.program(line)), *self.words(line, values)[1:]]
        name, shown = Path(words[0]).name, f" (command: {shlex.join(words)})"
        try:
            process = subprocess.Popen(
                words, cwd=Path(str(values["input"])).parent, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                process_group=0,  # so that a script's own programs end with it
            )  # fmt: skip
        except OSError as error:
            raise self._error(f"{name} cannot be run ({error.strerror}){shown}") from error
        with process:
            try:
                out, err = process.communicate(timeout=self.file.timeout_s)
            except subprocess.TimeoutExpired as error:
                text = f"{name} did not end within {self.file.timeout_s:g} s (timeout_s){shown}"
                raise self._error(text) from error
            finally:
                # Not asked whether it ended: what it started may hold the pipes, and goes too.
                if process.returncode is None:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
        if status := process.returncode:
            how = f"ended with exit status {status}"
            if status < 0:
                how = f"was ended by signal {-status} ({signal.Signals(-status).name})"
            lines = err.decode("utf-8", "replace").strip().splitlines() or ["no message"]
            raise self._error(f"{name} {how}: {lines[-1].strip()}{shown}")
        path = Path(str(values[writes])) if writes else None
        if path and not (path.is_file() and os.access(path, os.R_OK) and path.stat().st_size):
            raise self._error(f"{name} reported success and wrote nothing to {{{writes}}}{shown}")
        return out.decode("utf-8", "replace")


@contextmanager
def _work_folder() -> Iterator[Path]:
    """A temporary folder for one call, gone afterwards; parallel workers never share one."""
    try:
        with tempfile.TemporaryDirectory(prefix=f"{_FOLDER}{os.getpid()}-") as name:
            yield Path(name)
    except OSError as error:
        raise UserError(
            f"cannot write temporary files in {tempfile.gettempdir()} "
            f"({error.strerror or error}); free some space or set TMPDIR to another folder"
        ) from error


# ------------------------------------------------------------------------------- two that ship
def _mode(kbps: float, name: str, frame: int, bits: int, delay: int = 160) -> Point:
    """A mode of Codec 2: samples and used bits per frame, delay in samples."""
    settings: dict[str, Value] = {"mode": name, "frame": frame, "bits": bits, "delay": delay}
    return Point(kbps, name, {**settings, "latency": (frame + delay) // 8})


_CODEC2 = CommandCodec(
    name="codec2",
    licence="LGPL-2.1-only",
    citation=(
        "Rowe: Techniques for Harmonic Sinusoidal Coding, University of South Australia, 1997; "
        "Codec 2, github.com/drowe67/codec2"
    ),
    install="apt-get install codec2", rate_hz=8_000, input="raw int16", output="raw int16",
    # A mode's name is its rate in bit/s. Analysis looks at blocks of 320 samples (Codec 2's
    # description, section on pitch estimation) and describes their middle, 160 samples back; 700C
    # interpolates over 80 more. Measured accordingly: over six sentences STOI is highest when 160
    # samples (700C: 240) are removed, 0.905 against 0.666 without.
    points=(
        _mode(0.7, "700C", 320, 28, 240), _mode(1.2, "1200", 320, 48), _mode(1.3, "1300", 320, 52),
        _mode(1.4, "1400", 320, 56), _mode(1.6, "1600", 320, 64), _mode(2.4, "2400", 160, 48),
        _mode(3.2, "3200", 160, 64),
    ),
    encode="c2enc {mode} {input} {coded}",
    decode="c2dec {mode} {coded} {output}",
    # c2enc fills each frame up to whole bytes: 1300 takes 52 bit and writes 56, 700C takes 28 and
    # writes 32, so the file's size would overstate these two by 8 and 14 %.
    bits=lambda coded, s: frames(coded, -(-int(s["bits"]) // BITS_PER_BYTE), int(s["bits"])),
    frame_samples="frame", delay_samples="delay", latency_ms="latency",
    version='dpkg-query --show "libcodec2*"',  # the programs do not tell
)  # fmt: skip
_OPUS_TOOLS = CommandCodec(
    name="opus-tools",  # the system's libopus, where the codec `opus` is PyAV's
    licence="BSD-2-Clause",
    citation="Valin, Vos, Terriberry: Definition of the Opus Audio Codec, RFC 6716, 2012",
    install="apt-get install opus-tools", rate_hz=48_000, channels=(1, 2),
    points=(6, 8, 12, 14, 16, 24, 32, 48, 64, 96, 128),
    default=("8kbps", "14kbps", "24kbps"), any_kbps=(6, 256),
    # Float samples both ways: what would be rounding to 16 bits belongs to no codec.
    input="wav float32",
    coded_suffix=".opus",
    # A fixed serial number, so that the same clip gives the same file.
    encode="opusenc --quiet --serial 1 --bitrate {kbps} {input} {coded}",
    # opusdec removes the pre-skip itself and ends with the last sample.
    decode="opusdec --quiet --float --rate {rate_hz} {coded} {output}",
    bits=ogg_packets,  # the container adds about 1 kbps, and more to short clips
    latency_ms=27,  # a frame of 20 ms and 6.5 ms of look-ahead
    version="opusenc --version",
)  # fmt: skip
MODELS = (_CODEC2.model(), _OPUS_TOOLS.model())
