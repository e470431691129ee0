"""Bytes inside scripts: the one way for a page that is opened from disk to read a file.

Browsers let a page from disk load scripts, images and style sheets, but not read any other file. So
the audio of a clip comes as a script. Its bytes go into characters, 15 bits each, in a script in
UTF-16: that takes a fifteenth more than the bytes themselves, where base64 takes a third more.
"""

from __future__ import annotations

import codecs
import json
from typing import Any

import numpy as np

_BITS = 15
_FIRST = 0x3000  # from here 2**15 code points follow that are neither surrogates nor line ends
_WEIGHTS = (1 << np.arange(_BITS - 1, -1, -1)).astype(np.uint16)


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
