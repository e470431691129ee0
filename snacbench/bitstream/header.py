"""The header of a ``.sncb`` file as bytes."""

from __future__ import annotations

import re

from snacbench.bitstream import wire
from snacbench.bitstream.file import Header
from snacbench.errors import BitstreamError

# How the source's channels went to the codec. New ways are added at the end.
CHANNEL_MODES = ("mono", "stereo", "all channels", "mono in both channels", "each channel alone")
MAX_CHANNELS = 64
MAX_RATE_HZ = 10_000_000
MAX_WEIGHTS_FILES = 64
_DIGEST_BYTES = 32
_DIGEST = re.compile(r"[0-9a-f]{64}")


def header_bytes(header: Header) -> bytes:
    """All fields, without a length before them.

    Raises
    ------
    BitstreamError
        If the format has no form for a field.
    """
    if header.channel_mode not in CHANNEL_MODES:
        raise BitstreamError(
            f"no way of handling channels is called {header.channel_mode!r}; a .sncb file knows "
            f"{', '.join(CHANNEL_MODES)}"
        )
    weights = sorted(header.weights_sha256.items())
    tables = [header.tables_sha256] if header.tables_sha256 else []
    return b"".join(
        (
            wire.text(header.codec),
            wire.number(len(weights)),
            *(wire.text(name) + _digest(digest) for name, digest in weights),
            wire.number(header.codec_rate_hz),
            wire.number(header.rate_hz),
            wire.number(header.channels),
            wire.number(header.num_samples),
            wire.number(CHANNEL_MODES.index(header.channel_mode)),
            wire.number(header.seed),
            wire.text(header.coder),
            wire.number(len(tables)),
            *map(_digest, tables),
        )
    )


def read_header(cursor: wire.Cursor) -> Header:
    """The inverse.

    Raises
    ------
    BitstreamError
        If the bytes are no header.
    """
    return Header(
        codec=cursor.text("the codec's name"),
        weights_sha256=_weights(cursor),
        codec_rate_hz=cursor.number("the codec's rate", least=1, most=MAX_RATE_HZ),
        rate_hz=cursor.number("the source's rate", least=1, most=MAX_RATE_HZ),
        channels=cursor.number("the source's channels", least=1, most=MAX_CHANNELS),
        num_samples=cursor.number("the source's length", least=1),
        channel_mode=CHANNEL_MODES[cursor.number("the channel mode", most=len(CHANNEL_MODES) - 1)],
        seed=cursor.number("the seed"),
        coder=cursor.text("the coder's name"),
        tables_sha256=_tables(cursor),
    )


def _weights(cursor: wire.Cursor) -> dict[str, str]:
    weights: dict[str, str] = {}
    for _ in range(cursor.number("the number of weights files", most=MAX_WEIGHTS_FILES)):
        name = cursor.text("the name of a weights file")
        if weights and name <= max(weights):
            raise wire.impossible("the weights files are not in order")
        weights[name] = _read_digest(cursor)
    return weights


def _tables(cursor: wire.Cursor) -> str:
    return _read_digest(cursor) if cursor.number("whether there are tables", most=1) else ""


def _digest(sha256: str) -> bytes:
    if not _DIGEST.fullmatch(sha256):
        raise BitstreamError(
            f"a sha256 digest has 64 hexadecimal digits in lower case, found {sha256!r}"
        )
    return bytes.fromhex(sha256)


def _read_digest(cursor: wire.Cursor) -> str:
    return bytes(cursor.take(_DIGEST_BYTES, "a digest")).hex()
