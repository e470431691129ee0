"""Random secrets, their digests, and names that people can say."""

from __future__ import annotations

import hashlib
import hmac
import secrets

TOKEN_BYTES = 32  # 256 bits
KEY_BYTES = 16

_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none that is taken for another when read aloud


def new_token() -> str:
    """A secret that lets its bearer in: 256 random bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def new_key() -> str:
    """A name for a page or stimulus that tells nothing about it: 128 random bits."""
    return secrets.token_urlsafe(KEY_BYTES)


def new_name() -> str:
    """A listener's name, no secret: ``k7m3-p2vd``."""
    letters = [secrets.choice(_LETTERS) for _ in range(8)]
    return f"{''.join(letters[:4])}-{''.join(letters[4:])}"


def digest(token: str) -> str:
    """What is kept of a token.

    No salt and no slow hash: they protect secrets that people choose, and these are 256 random
    bits.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def same_digest(one: str, other: str) -> bool:
    """Whether two digests are equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(one, other)
