"""What a codec runs under: ``loss:burst=3@5%``, ``flips@1e-4``, ``level@-20dB``, ``cascade@3``.

``KIND[:option[=value]]...@STRENGTH[,STRENGTH...]``. A condition's name is this with one strength,
the options in alphabetical order and defaults left out; it holds no comma, and no slash: what a
path holds of those is written as in a URL (``%2F``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, unquote

from snacbench.errors import UserError, did_you_mean
from snacbench.later import np

if TYPE_CHECKING:
    import numpy

Stage = Literal["input", "channel", "cascade"]
_NUMBER = re.compile(r"([+-]?(?:inf|\d+(?:\.\d+)?(?:e[+-]?\d+)?))\s*([a-z%]*)", re.IGNORECASE)
PACKET_S = 0.02  # what one packet holds, unless `packet` says otherwise


@dataclass(frozen=True)
class _Kind:
    """A kind of condition; of its `options` those that share a group exclude each other."""

    stage: Stage
    unit: str
    neutral: float
    lowest: float
    highest: float
    example: str
    options: Mapping[str, str]  # what each option sets


_CLEAN = {"clean": "reference"}
KINDS: Mapping[str, _Kind] = {
    "loss": _Kind("channel", "%", 0, 0, 100, "loss:burst=3@5%", {
        "burst": "burst", "packet": "packet", "zero": "concealment", "repeat": "concealment",
    }),
    "flips": _Kind("channel", "", 0, 0, 0.5, "flips@1e-4", {}),
    "level": _Kind("input", "dB", 0, -100, 60, "level@-20dB", {}),
    "noise": _Kind("input", "dB", float("inf"), -60, float("inf"), "noise@10dB", {
        "pink": "noise", "white": "noise", "file": "noise", **_CLEAN,
    }),
    "reverb": _Kind("input", "s", 0, 0, 20, "reverb@0.5s", {"file": "response", **_CLEAN}),
    "cascade": _Kind("cascade", "", 1, 1, 5, "cascade@3", {}),
}  # fmt: skip
_NUMBERS = {"burst": (1.0, 1000.0, ""), "packet": (1.0, 10_000.0, "ms")}  # lowest, highest, unit
_DEFAULTS = {"pink", "packet=20ms"}


@dataclass(frozen=True)
class Condition:
    """One kind at one strength, for example a loss of 5 % of all packets.

    `strength` is the rate of lost packets in %, the share of flipped bits, the gain in dB, the SNR
    in dB, the RT60 in s or the number of passes; of a recorded room it is the gain of all that
    follows the direct path. `options` are as the name has them, sorted.
    """

    kind: str
    strength: float
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the operating points end in, ``loss@5%``; `condition_named` reads it again."""
        number = f"{self.strength:g}"
        if self.kind == "flips" and self.strength:
            mantissa, exponent = f"{self.strength:.5e}".split("e")
            number = f"{float(mantissa):g}e{int(exponent)}"
        return f"{':'.join((self.kind, *self.options))}@{number}{self.unit}"

    @property
    def unit(self) -> str:
        """That of `strength`; empty for plain numbers."""
        return "" if self.kind == "reverb" and self.option("file") else KINDS[self.kind].unit

    @property
    def stage(self) -> Stage:
        """Whether it changes what is encoded, what is decoded, or how often."""
        return KINDS[self.kind].stage

    @property
    def neutral(self) -> bool:
        """Whether it changes nothing: then a point equals the one without condition."""
        return self.strength == KINDS[self.kind].neutral

    @property
    def against_clean(self) -> bool:
        """Whether decodes are scored against the clip as it was, not as the codec got it."""
        return "clean" in self.options

    @property
    def passes(self) -> int:
        """How often a clip goes through the codec."""
        return int(self.strength) if self.kind == "cascade" else 1

    def option(self, name: str) -> str | None:
        """The value of an option, empty where it takes none; None if it is not set."""
        for option in self.options:
            key, _, value = option.partition("=")
            if key == name:
                return unquote(value) if name == "file" else value
        return None


def conditions_of(texts: Iterable[str]) -> tuple[Condition, ...]:
    """The conditions that texts name, each once, in their order.

    Noise and reverb give two for each strength: scored against what the codec got and, with
    ``clean`` in the name, against the clean clip.

    Raises `UserError` for what is no condition, or a file that is not there.
    """
    found: dict[Condition, None] = {}
    for text in texts:
        for one in _parsed(text):
            path = one.option("file")
            if path is not None and not Path(path).is_file():
                raise UserError(
                    f"condition {text}: there is no file {path}; give the path of a recording, its "
                    "colons as %3A"
                )
            found[one] = None
            if "clean" in KINDS[one.kind].options and not one.against_clean:
                options = tuple(sorted((*one.options, "clean")))
                found[Condition(one.kind, one.strength, options)] = None
    return tuple(found)


def condition_named(name: str) -> Condition:
    """The condition of a name as `Condition.name` has it; files are not looked for.

    Raises `UserError` if it is none.
    """
    first, *more = _parsed(name)
    if more:
        raise UserError(f"condition {name}: found {1 + len(more)} strengths, expected one")
    return first


def _parsed(text: str) -> list[Condition]:
    told, _, strengths = text.strip().rpartition("@")
    name, *options = told.split(":")
    kind = KINDS.get(name)
    if kind is None:
        examples = ", ".join(kind.example for kind in KINDS.values())
        raise UserError(
            f"condition {text}: found {name or text!r}, expected KIND@STRENGTH such as "
            f"{examples}; {did_you_mean(name or text, KINDS)}"
        )
    kept: dict[str, str] = {}
    for option in options:
        group, canonical = _option(text, kind, option)
        if group in kept:
            raise UserError(f"condition {text}: {kept[group]} and {option} exclude each other")
        kept[group] = canonical
    one = Condition(name, kind.neutral, tuple(sorted(set(kept.values()) - _DEFAULTS)))
    highest = 1.0 if one.option("file") and name == "reverb" else kind.highest
    if burst := one.option("burst"):  # a good packet would be followed by a lost one for sure
        highest *= float(burst) / (1 + float(burst))
    found = []
    for strength in strengths.split(","):
        value = _number(strength.strip(), one.unit)
        whole = name != "cascade" or (value is not None and value.is_integer())
        if value is None or not (kind.lowest <= value <= highest and whole):
            raise UserError(
                f"condition {text}: found the strength {strength.strip()!r}, expected a "
                f"{'whole ' if name == 'cascade' else ''}number from {kind.lowest:g} to "
                f"{highest:g}{f' in bursts of {burst}' if burst else ''}, "
                f"{f'then {one.unit}' if one.unit else 'without unit'}, as in {kind.example}"
            )
        found.append(replace(one, strength=value))
    return found


def _option(text: str, kind: _Kind, option: str) -> tuple[str, str]:
    """What an option sets, and the option as names have it."""
    key, equals, value = option.partition("=")
    if key not in kind.options:
        expected = " or ".join(kind.options) or "none"
    elif key in _NUMBERS:
        lowest, highest, unit = _NUMBERS[key]
        number = _number(value, unit)
        if number is not None and lowest <= number <= highest:
            return kind.options[key], f"{key}={number:g}{unit}"
        expected = f"{key}=NUMBER{unit} from {lowest:g}{unit} to {highest:g}{unit}"
    elif key == "file" and value:
        path = Path(value if Path(value).exists() else unquote(value)).expanduser().absolute()
        return kind.options[key], f"file={quote(str(path), safe='')}"
    elif not equals and key != "file":
        return kind.options[key], key
    else:
        expected = "file=PATH" if key == "file" else f"{key} without a value"
    raise UserError(
        f"condition {text}: found the option {option!r}, expected {expected}, as in {kind.example}"
    )


def _number(text: str, unit: str) -> float | None:
    """A number in a unit, to six digits as names have it; None if it is none."""
    found = _NUMBER.fullmatch(text)
    if not found or found[2].lower() != unit.lower():
        return None
    return float(f"{float(found[1]):g}") + 0.0  # no negative zero


def generator(*key: object) -> numpy.random.Generator:
    """Random numbers that depend on a key alone, on no other draw."""
    digest = hashlib.sha256("\0".join(map(str, key)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
