"""Whether a file of unknown digest is evidently no complete weights file."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

_ZIP, _PICKLE = b"PK", b"\x80"
_TORCH_SUFFIXES = {".bin", ".ckpt", ".pt", ".pth", ".th"}
_LENGTH = struct.Struct("<Q")


def damage(path: Path) -> str:
    """What is wrong with a file, as far as its own format tells; empty if nothing is.

    Packages leave files behind that broke off, and a portal may answer with a page of its own;
    such a file must not be recorded as the one that was published.
    """
    if path.stat().st_size == 0:
        return "is empty"
    if path.suffix == ".json":
        return _json_damage(path)
    if path.suffix == ".safetensors":
        return _safetensors_damage(path)
    if path.suffix not in _TORCH_SUFFIXES:
        return ""
    with path.open("rb") as stream:
        start = stream.read(2)
    if start == _ZIP:  # its table of contents is at the end
        return "" if zipfile.is_zipfile(path) else "breaks off"
    return "" if start.startswith(_PICKLE) else "is no PyTorch file"


def _json_damage(path: Path) -> str:
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return "is no JSON"
    return ""


def _safetensors_damage(path: Path) -> str:
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(_LENGTH.size)
        length = _LENGTH.unpack(start)[0] if len(start) == _LENGTH.size else size
        if _LENGTH.size + length > size:
            return "breaks off"
        try:
            header = json.loads(stream.read(length))
            ends = [v["data_offsets"][1] for k, v in header.items() if k != "__metadata__"]
        except (ValueError, TypeError, KeyError, AttributeError):
            return "is no safetensors file"
    return "" if size == _LENGTH.size + length + max(ends, default=0) else "breaks off"
