"""Command-line codecs of others, described by a small YAML file each.

``command:PATH`` opens a file of one's own; those in the folder ``commands`` are codecs by name.
Each clip goes through the programs in a temporary folder of its own. All that the decoder gets is
the coded file, which is the one packet of the `Encoded`; how many of its bits count is for the
file's rule to say (``docs/outside-codecs.md``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from pathlib import Path

from snacbench.audio.io import sha256_of_file
from snacbench.codecs._command_audio import cut_to_length, read_signal, write_signal
from snacbench.codecs._command_bits import payload_bits
from snacbench.codecs._command_file import CommandFile, Point, fill, read_command_file
from snacbench.codecs._command_run import (
    Call,
    cannot_write,
    program_path,
    remove_left_over_folders,
    work_folder,
)
from snacbench.errors import CodecError, MissingPackage, UnknownPoint, UserError
from snacbench.models import CodecModel, CodecOpener, HostedFile, LocatedWeights, WeightsSource
from snacbench.types import Audio, CodecSpec, Encoded

COMMANDS = Path(str(files(__package__))) / "commands"
SHIPPED = ("codec2", "opus-tools")
_SHOWN_DIGITS = 16


@dataclass(frozen=True)
class CommandCodec:
    """A command-line codec at one operating point; `here` is the folder of its file."""

    spec: CodecSpec
    file: CommandFile
    here: Path

    def encode(self, audio: Audio) -> Encoded:
        """Run the encoder on a clip and keep the file that it writes."""
        with work_folder() as folder:
            call = self._call(folder, audio.channels, audio.num_samples)
            sent = self._sent(audio.num_samples, call)
            write_signal(Path(str(call.values["input"])), audio, sent, self.file.input)
            call.run(self.file.encode)
            coded = call.written("coded", self.file.encode).read_bytes()
            bits = payload_bits(coded, self.file.bits, call)
        return Encoded(
            num_samples=audio.num_samples,
            channels=audio.channels,
            rate_hz=audio.rate_hz,
            packets=(coded,),
            payload_bits=bits,
        )

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Run the decoder on the coded file, and remove the delay that the codec declares."""
        with work_folder() as folder:
            call = self._call(folder, encoded.channels, encoded.num_samples, seed=seed)
            try:
                Path(str(call.values["coded"])).write_bytes(encoded.packets[0])
            except OSError as error:
                raise cannot_write(folder, error) from error
            call.run(self.file.decode)
            output = call.written("output", self.file.decode)
            try:
                samples = read_signal(output, self.file.output, encoded.rate_hz, encoded.channels)
                kept = cut_to_length(
                    samples,
                    delay=call.whole(self.file.delay_samples),
                    num_samples=encoded.num_samples,
                    sent=self._sent(encoded.num_samples, call),
                    may_lack=call.whole(self.file.may_lack_samples),
                )
            except CodecError as error:
                raise CodecError(f"{self.spec.model}: {error}") from error
        return Audio(kept, encoded.rate_hz)

    def _sent(self, num_samples: int, call: Call) -> int:
        """Samples that the encoder gets: whole frames that hold clip, delay and tail."""
        needed = num_samples + call.whole(self.file.delay_samples)
        needed += call.whole(self.file.tail_samples)
        frame = max(1, call.whole(self.file.frame_samples))
        return -(-needed // frame) * frame

    def _call(self, folder: Path, channels: int, num_samples: int, *, seed: int = 0) -> Call:
        values: dict[str, int | float | str] = {
            **self.spec.settings,
            "here": str(self.here),
            "input": str(folder / f"input.{self.file.input.container}"),
            "coded": str(folder / f"coded{self.file.coded_suffix}"),
            "output": str(folder / f"output.{self.file.output.container}"),
            "rate_hz": self.file.rate_hz,
            "channels": channels,
            "num_samples": num_samples,
            "seed": seed,
        }
        if self.spec.nominal_kbps is not None:
            values["kbps"] = self.spec.nominal_kbps
            values["bit_per_s"] = round(self.spec.nominal_kbps * 1000)
        return Call(self.spec.model, folder, values, self.file.timeout_s, self.file.install)

    def preview(self) -> Call:
        """A call for no clip: to look up what does not depend on one."""
        return self._call(Path("/"), self.spec.channels[0], 1)


def open_command(path: Path, name: str) -> CodecModel:
    """The codec that a YAML file describes, under its own name or the one that is given.

    Raises
    ------
    UserError
        If the file is not one, or something in it is wrong.
    """
    file = read_command_file(path)
    model = name or file.name
    points = tuple(_spec(model, point, file, path) for point in file.points)
    labels = file.default or tuple(point.label for point in file.points)
    return CodecModel(
        name=model,
        family="command",
        points=points,
        default=tuple(f"{model}@{label}" for label in labels),
        load=partial(_load, path, file),
        source=WeightsSource(
            "own", _origin(path), (HostedFile(path.name, str(path)),), revision=""
        ),
        free_point=partial(_free_point, model, file, path) if file.any_kbps else None,
        versions=partial(_versions, path, file, points[0]),
    )


def _origin(path: Path) -> str:
    """Where a file comes from: the two that ship are nobody's own."""
    return "snacbench package" if path.parent == COMMANDS else str(path)


def _spec(model: str, point: Point, file: CommandFile, path: Path) -> CodecSpec:
    """One operating point, once every placeholder is known to have a value there.

    Raises
    ------
    UserError
        If one has none.
    """
    spec = CodecSpec(
        name=f"{model}@{point.label}",
        model=model,
        family="command",
        rate_hz=file.rate_hz,
        channels=file.channels,
        nominal_kbps=point.kbps,
        settings=dict(point.settings),
        stochastic=file.seeded,
        licence=file.licence,
        citation=file.citation,
    )
    call = CommandCodec(spec, file, path.parent).preview()
    for field, words in file.commands().items():
        for word in words:
            with _naming(path, field, point):
                fill(word, call.values)
    for field, number in file.numbers().items():
        with _naming(path, field, point):
            call.whole(number)
    if file.latency_ms is None:
        return spec
    return replace(spec, latency_s=call.whole(file.latency_ms) / 1000)


@contextmanager
def _naming(path: Path, field: str, point: Point) -> Iterator[None]:
    """Say in which file, field and point something is wrong."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {field}, point {point.label}: {error}") from error


def _free_point(model: str, file: CommandFile, path: Path, text: str) -> CodecSpec:
    lowest, highest = file.any_kbps or (0.0, 0.0)
    try:
        kbps = float(text.removesuffix("kbps"))
    except ValueError:
        kbps = 0.0
    if not lowest <= kbps <= highest:
        raise UnknownPoint(
            f"{model} does not operate at {text!r}; it takes any rate from {lowest:g} to "
            f"{highest:g} kbps"
        )
    return _spec(model, Point(kbps=kbps), file, path)


def _load(
    path: Path, file: CommandFile, spec: CodecSpec, weights: LocatedWeights | None, device: str
) -> CommandCodec:
    """The codec, once its programs are there and its file is still the one that was planned with.

    Raises
    ------
    UserError
        If the file has changed since, or a program is missing.
    """
    if weights and sha256_of_file(path) != weights.info.sha256.get(path.name):
        raise UserError(f"{path} has changed since this run began; start a new run")
    codec = CommandCodec(spec, file, path.parent)
    _programs(codec)
    remove_left_over_folders()
    return codec


def _programs(codec: CommandCodec) -> dict[str, Path]:
    """Where the programs are that a codec needs, by the field that names them.

    Raises
    ------
    MissingPackage
        If one is not installed.
    """
    call, file = codec.preview(), codec.file
    return {
        field: program_path(fill(words[0], call.values), codec=call.codec, install=file.install)
        for field, words in file.commands().items()
        if field != "version"
    }


def _versions(path: Path, file: CommandFile, spec: CodecSpec) -> Mapping[str, str]:
    """What the programs say of themselves, and their digests: a version may say too little.

    A program may be an interpreter: files that stand among its arguments count as well.
    """
    codec = CommandCodec(spec, file, path.parent)
    facts = {
        f"{spec.model}, {field}": f"{program.name}, {_digest_of(program)}"
        for field, program in _programs(codec).items()
    }
    values = codec.preview().values
    arguments = (Path(fill(w, values)) for words in file.commands().values() for w in words[1:])
    facts |= {f"{spec.model}, {a.name}": _digest_of(a) for a in arguments if _is_file(a)}
    if file.version:
        facts[f"{spec.model}, version"] = _version(codec, file.version)
    return facts


def _is_file(argument: Path) -> bool:
    try:
        return argument.is_absolute() and argument.is_file()
    except OSError:  # a script in words, too long for a name
        return False


def _digest_of(path: Path) -> str:
    return f"sha256 {sha256_of_file(path)[:_SHOWN_DIGITS]}"


def _version(codec: CommandCodec, command: Sequence[str]) -> str:
    """The first line that the version command prints; its failure is no reason to end a run."""
    try:
        with work_folder() as folder:
            printed = replace(codec.preview(), folder=folder).run(command)
    except (CodecError, MissingPackage) as error:
        return f"unknown ({error})"
    lines = (" ".join(line.split()) for line in printed.splitlines())
    return next(filter(None, lines), "unknown")


OPENER = CodecOpener("command", open_command, "a YAML file that describes a command-line codec")
MODELS = tuple(open_command(COMMANDS / f"{name}.yaml", "") for name in SHIPPED)
