"""Any text as LaTeX that prints it, with nothing but the default fonts."""

from __future__ import annotations

import unicodedata

_COMMANDS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\`{}",
    '"': r"\char34{}",
    "-": r"-{}",  # two of them would join to a dash
    "[": "{[}",  # at the start of a row it would be an option of the line break before it
    "]": "{]}",
    "*": "{*}",
    "'": "'{}",
    "–": "--",
    "—": "---",
    "−": "$-$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "↳": r"$\hookrightarrow$",
    "∞": r"$\infty$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "µ": r"$\mu$",
    "μ": r"$\mu$",
    "…": r"\dots{}",
}
_LETTERS = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ")


def escaped(text: str) -> str:
    """Text as LaTeX. Letters that its default fonts lack become plain ones, or their code point."""
    return "".join(map(_escaped, " ".join(text.split())))


def _escaped(character: str) -> str:
    if character in _COMMANDS:
        return _COMMANDS[character]
    if (character.isascii() and character.isprintable()) or character in _LETTERS:
        return character
    plain = [c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c)]
    if plain and all(c.isascii() and c.isprintable() for c in plain):
        return "".join(_COMMANDS.get(c, c) for c in plain)
    return f"{{[}}U+{ord(character):04X}{{]}}"
