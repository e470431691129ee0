"""What a codec runs under: ``loss:burst=3@5%``, ``flips@1e-4``, ``level@-20dB``, ``cascade@3``.

``KIND[:option[=value]]...@STRENGTH[,STRENGTH...]``. A condition's name is this with one strength,
the options in alphabetical order and defaults left out. Names hold no comma and no slash: those of
a path are written as in a URL (``%2F``), as its colons and percent signs must be by users.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import quote, unquote

from snacbench.errors import UserError, did_you_mean
from snacbench.later import np

Stage = Literal["input", "channel", "cascade"]
_NUMBER = re.compile(r"([+-]?(?:inf|\d+(?:\.\d+)?(?:e[+-]?\d+)?))\s*([a-z%]*)", re.IGNORECASE)
_LIMITS = {"burst": (1.0, 1000.0, ""), "packet": (1.0, 10_000.0, "ms")}
_DEFAULTS = {"pink", "packet=20ms"}


class _Kind(NamedTuple):
    stage: Stage
    unit: str
    neutral: float
    lowest: float
    highest: float
    example: str
    options: Mapping[str, str] = {}  # those of one value exclude each other


_LOSS = {"burst": "burst", "packet": "packet", "zero": "concealment", "repeat": "concealment"}
_NOISE = {"pink": "noise", "white": "noise", "file": "noise", "clean": "reference"}
_REVERB = {"file": "response", "clean": "reference"}
KINDS: Mapping[str, _Kind] = {
    "loss": _Kind("channel", "%", 0, 0, 100, "loss:burst=3@5%", _LOSS),
    "flips": _Kind("channel", "", 0, 0, 0.5, "flips@1e-4"),
    "level": _Kind("input", "dB", 0, -100, 60, "level@-20dB"),
    "noise": _Kind("input", "dB", float("inf"), -60, 100, "noise@10dB", _NOISE),
    "reverb": _Kind("input", "s", 0, 0.05, 20, "reverb@0.5s", _REVERB),
    "cascade": _Kind("cascade", "", 1, 1, 5, "cascade@3"),
}


@dataclass(frozen=True)
class Condition:
    """One kind at one strength, for example a loss of 5 % of all packets.

    `strength` is the rate of lost packets in %, the share of flipped bits, the gain in dB, the SNR
    in dB, the RT60 in s (of a recorded room the gain of what follows the direct path), or the
    number of passes.
    """

    kind: str
    strength: float
    options: tuple[str, ...] = ()  # sorted

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

    def option(self, name: str) -> str | None:
        """The value of an option, empty where it takes none; None if it is not set."""
        found = (option.partition("=") for option in self.options)
        return next((unquote(value) for key, _, value in found if key == name), None)


def conditions_of(texts: Iterable[str]) -> tuple[Condition, ...]:
    """The conditions that texts name, each once, in their order.

    Noise and reverb give two for each strength: scored against what the codec got and, with
    ``clean`` in the name, against the clean clip.

    Raises `UserError` for what is no condition; files are not looked for.
    """
    found: dict[Condition, None] = {}
    for one in (one for text in texts for one in _parsed(text)):
        found[one] = None
        if "clean" in KINDS[one.kind].options and not one.against_clean:
            found[replace(one, options=tuple(sorted((*one.options, "clean"))))] = None
    return tuple(found)


def condition_named(name: str) -> Condition:
    """The condition of a name as `Condition.name` has it; raises as `conditions_of`."""
    first, *more = _parsed(name)
    if more:
        raise _wrong(name, f"{1 + len(more)} strengths", "one")
    return first


def _wrong(text: str, found: str, expected: str) -> UserError:
    return UserError(f"condition {text}: found {found}, expected {expected}")


def _parsed(text: str) -> list[Condition]:
    told, _, strengths = text.strip().rpartition("@")
    name, *options = told.split(":")
    if name not in KINDS:
        examples = ", ".join(kind.example for kind in KINDS.values())
        hint = did_you_mean(name or text, KINDS)
        raise _wrong(text, repr(name or text), f"KIND@STRENGTH such as {examples}; {hint}")
    kind, kept = KINDS[name], dict[str, str]()
    for option in options:
        group, canonical = _option(text, kind, option)
        if group in kept:
            raise _wrong(text, f"{kept[group]} and {option}", "one of them")
        kept[group] = canonical
    one = Condition(name, kind.neutral, tuple(sorted(set(kept.values()) - _DEFAULTS)))
    lowest, highest = (0.0, 1.0) if "response" in kept else (kind.lowest, kind.highest)
    if burst := one.option("burst"):  # more would be possible in longer bursts only
        highest *= float(burst) / (1 + float(burst))
    expected = f"{'a whole number from ' * (name == 'cascade')}{lowest:g} to {highest:g}"
    expected += f" in bursts of {burst}" if burst else ""
    found = []
    for strength in map(str.strip, strengths.split(",")):
        value = _number(strength, one.unit)
        fits = value is not None and (lowest <= value <= highest or value == kind.neutral)
        if value is None or not fits or (name == "cascade" and not value.is_integer()):
            told = f"{expected}, then {one.unit or 'no unit'}, as in {kind.example}"
            raise _wrong(text, f"the strength {strength!r}", told)
        found.append(replace(one, strength=value))
    return found


def _option(text: str, kind: _Kind, option: str) -> tuple[str, str]:
    """What an option sets, and the option as names have it."""
    key, equals, value = option.partition("=")
    expected = f"{key} without a value"
    if key not in kind.options:
        expected = f"{' or '.join(kind.options) or 'none'}, as in {kind.example}"
    elif key in _LIMITS:
        lowest, highest, unit = _LIMITS[key]
        number = _number(value, unit)
        if number is not None and lowest <= number <= highest:
            return kind.options[key], f"{key}={number:g}{unit}"
        expected = f"{key}=NUMBER{unit} from {lowest:g}{unit} to {highest:g}{unit}"
    elif key == "file":
        path = Path(unquote(value)).expanduser().absolute()
        if value:
            return kind.options[key], f"file={quote(str(path), safe='')}"
        expected = "file=PATH"
    elif not equals:
        return kind.options[key], key
    raise _wrong(text, f"the option {option!r}", expected)


def _number(text: str, unit: str) -> float | None:
    """A number in a unit, to six digits as names have it; None if it is none."""
    found = _NUMBER.fullmatch(text)
    if not found or found[2].lower() != unit.lower():
        return None
    return float(f"{float(found[1]):g}") + 0.0  # no negative zero


def generator(*key: object) -> "np.random.Generator":
    """Random numbers that depend on a key alone, on no other draw."""
    digest = hashlib.sha256("\0".join(map(str, key)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
