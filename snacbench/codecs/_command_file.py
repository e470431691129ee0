"""The YAML file that describes a command-line codec: its fields, and what can be wrong with them.

``docs/outside-codecs.md`` is the reference for whoever writes such a file.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    StringConstraints,
    ValidationError,
    model_validator,
)

from snacbench.errors import UserError, did_you_mean

FIXED = frozenset(
    {"input", "coded", "output", "here", "kbps", "bit_per_s", "rate_hz", "channels",
     "num_samples", "seed"}
)  # fmt: skip
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(\w+)\}")


def fill(text: str, values: Mapping[str, int | float | str]) -> str:
    """Put values where their names stand in braces; a doubled brace is a brace.

    Raises
    ------
    UserError
        If there is no value of that name.
    """

    def value(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0][0]
        if found[1] not in values:
            raise UserError(f"no value for {{{found[1]}}} in {text!r}; there are: {_names(values)}")
        held = values[found[1]]
        return f"{held:.12g}" if isinstance(held, float) else str(held)

    return _PLACEHOLDER.sub(value, text)


def _names(values: Mapping[str, int | float | str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(values))


def _as_words(written: Any) -> Any:
    """A command line as a list of words, whether it was written as one or as a string."""
    if isinstance(written, str):
        return shlex.split(written)
    if isinstance(written, list):
        return [str(word) if isinstance(word, int | float) else word for word in written]
    return written


def _as_text(written: Any) -> Any:
    return str(written) if isinstance(written, int) and not isinstance(written, bool) else written


def _as_rule(written: Any) -> Any:
    return {"rule": written} if isinstance(written, str) else written


def _as_point(written: Any) -> Any:
    number = isinstance(written, int | float) and not isinstance(written, bool)
    return {"kbps": written} if number else written


def _as_value(written: Any) -> Any:
    if isinstance(written, str | int | float) and not isinstance(written, bool):
        return written
    raise ValueError(f"expected text or a number, found {written!r:.60}; write 'yes' in quotes")


def _as_number(written: Any) -> Any:
    counts = isinstance(written, int) and not isinstance(written, bool) and written >= 0
    if counts or (isinstance(written, str) and re.fullmatch(r"\{\w+\}", written)):
        return written
    raise ValueError(
        f"expected a whole number from 0, or the name of a setting in braces, found {written!r:.60}"
    )


def _as_delay(written: Any) -> Any:
    return 0 if written in ("none", None) else _as_number(written)


Value = Annotated[int | float | str, BeforeValidator(_as_value)]
# The name in braces of a setting stands for a number that is another one for each point.
Number = Annotated[int | str, BeforeValidator(_as_number)]
Command = Annotated[tuple[str, ...], BeforeValidator(_as_words), Field(min_length=1)]
ChannelCounts = Annotated[tuple[Annotated[StrictInt, Field(ge=1, le=8)], ...], Field(min_length=1)]
Name = Annotated[str, BeforeValidator(_as_text), StringConstraints(pattern=r"^[\w.+-]+$")]


class _Part(BaseModel):
    """An unknown key is a mistake, not a wish."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Signal(_Part):
    """A file of samples: what an encoder reads, or what a decoder writes."""

    container: Literal["wav", "raw"] = "wav"
    sample_format: Literal["int16", "int24", "float32"] = "int16"


class FileSize(_Part):
    """Every byte of the coded file counts, but for a header."""

    rule: Literal["file_size"]
    header_bytes: Number = 0


class Frames(_Part):
    """Frames of whole bytes whose last bits are not used."""

    rule: Literal["frames"]
    bytes_per_frame: Number
    bits_per_frame: Number


class OggPackets(_Part):
    """Packets of an Ogg stream, without its pages and header packets."""

    rule: Literal["ogg_packets"]
    header_packets: Annotated[StrictInt, Field(ge=0)] = 2


class Printed(_Part):
    """A command that prints the number of bits."""

    rule: Literal["command"]
    command: Command


BitsRule = Annotated[
    Annotated[FileSize | Frames | OggPackets | Printed, Field(discriminator="rule")],
    BeforeValidator(_as_rule),
]


class Point(_Part):
    """An operating point: a rate, and values for placeholders of one's own."""

    name: Name | None = None
    kbps: Annotated[float, Field(gt=0)] | None = None
    settings: dict[str, Value] = {}

    @property
    def label(self) -> str:
        """What stands after the @ in the point's name."""
        return self.name or f"{self.kbps:g}kbps"

    @model_validator(mode="after")
    def _can_be_named(self) -> Self:
        if self.name is None and self.kbps is None:
            raise ValueError("a point needs kbps, or a name, or both")
        if taken := sorted(self.settings.keys() & FIXED):
            raise ValueError(f"settings: {', '.join(taken)} cannot be set, it has a meaning")
        return self


class CommandFile(_Part):
    """A command-line codec as its file describes it."""

    name: Name
    licence: str = "not stated"
    citation: str = "not stated"
    rate_hz: Annotated[StrictInt, Field(gt=0)]
    channels: Annotated[
        tuple[Annotated[StrictInt, Field(ge=1, le=8)], ...], Field(min_length=1)
    ] = (1,)
    points: Annotated[tuple[Annotated[Point, BeforeValidator(_as_point)], ...], Field(min_length=1)]
    default: tuple[Name, ...] = ()
    any_kbps: tuple[float, float] | None = None
    input: Signal = Signal()
    output: Signal = Signal()
    coded_suffix: Annotated[str, StringConstraints(pattern=r"^\.[\w.]+$")] = ".bin"
    encode: Command
    decode: Command
    bits: BitsRule
    frame_samples: Number = 1
    tail_samples: Number = 0
    delay_samples: Annotated[int | str, BeforeValidator(_as_delay)] = 0
    may_lack_samples: Number = 0
    latency_ms: Number | None = None
    timeout_s: Annotated[float, Field(gt=0)] = 300.0
    version: Command | None = None
    install: str = ""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        labels = [point.label for point in self.points]
        if twice := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"points: {', '.join(twice)} occurs more than once; give it a name")
        if unknown := [label for label in self.default if label not in labels]:
            raise ValueError(f"default: {', '.join(unknown)}: {did_you_mean(unknown[0], labels)}")
        if self.any_kbps and not 0 < self.any_kbps[0] < self.any_kbps[1]:
            raise ValueError(f"any_kbps: expected two rising rates, found {list(self.any_kbps)}")
        if self.any_kbps and any(point.settings for point in self.points):
            raise ValueError("any_kbps: a rate that is not listed has no settings; leave one out")
        for field, words, needed in (
            ("encode", self.encode, ("input", "coded")),
            ("decode", self.decode, ("coded", "output")),
        ):
            missing = [f"{{{name}}}" for name in needed if f"{{{name}}}" not in " ".join(words)]
            if missing:
                raise ValueError(f"{field}: does not say where {' and '.join(missing)} goes")
        return self

    def commands(self) -> dict[str, tuple[str, ...]]:
        """Every command line, by its field."""
        lines = {"encode": self.encode, "decode": self.decode}
        if isinstance(self.bits, Printed):
            lines["bits.command"] = self.bits.command
        return {**lines, "version": self.version} if self.version else lines

    def numbers(self) -> dict[str, int | str]:
        """Every number that may differ between points, by its field."""
        fields = ("frame_samples", "tail_samples", "delay_samples", "may_lack_samples")
        numbers = {field: getattr(self, field) for field in fields}
        if self.latency_ms is not None:
            numbers["latency_ms"] = self.latency_ms
        for field in ("header_bytes", "bytes_per_frame", "bits_per_frame"):
            if hasattr(self.bits, field):
                numbers[f"bits.{field}"] = getattr(self.bits, field)
        return numbers

    @property
    def seeded(self) -> bool:
        """Whether the decoder takes a seed, and so draws random numbers."""
        return "{seed}" in " ".join(self.decode)


def read_command_file(path: Path) -> CommandFile:
    """Read the description of a command-line codec.

    Raises
    ------
    UserError
        If it cannot be read, is not YAML, or a field is missing, unknown or has a wrong value.
    """
    try:
        described = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the codec file {path} ({error})") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(described, dict):
        raise UserError(
            f"{path} describes no codec: expected names and values, found {described!r:.60}; "
            "see docs/outside-codecs.md"
        )
    try:
        file = CommandFile.model_validate(described)
    except ValidationError as error:
        raise UserError(f"{path}: {_what_is_wrong(error)}") from error
    return file


def _what_is_wrong(error: ValidationError) -> str:
    """The first mistake, with its field."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
        return f"{field}: no such field; {did_you_mean(field, CommandFile.model_fields)}"
    text = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        text = "is missing"
    elif not first["loc"]:
        return text
    elif first["type"] != "value_error":
        text += f", found {first['input']!r:.60}"
    return f"{field}: {text}"
