"""What people typed, before it is kept."""

from __future__ import annotations

import unicodedata

MAX_COMMENT = 2_000
MAX_ANSWER = 500

# Marks that turn the direction of writing: in a table they make a cell look like another.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def cleaned(text: str, limit: int) -> str:
    """The text on one line, without control characters, cut to `limit` characters."""
    spaced = "".join(" " if character.isspace() else character for character in text)
    kept = "".join(c for c in spaced if c not in _TURNING and unicodedata.category(c) not in _BAD)
    return " ".join(kept.split())[:limit].rstrip()


_BAD = frozenset(("Cc", "Cs"))  # control characters; halves of surrogate pairs
