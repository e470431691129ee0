"""A model with one file on a host, and files that stand for its weights."""

import hashlib
from pathlib import Path

from snacbench.models import CodecModel, HostedFile, WeightsSource
from snacbench.weights.lock import LockedFile, record

BODY, NEWER = b"\x80" + bytes(range(256)) * 1000, b"\x80newer"
DIGEST, NEWER_DIGEST = (hashlib.sha256(body).hexdigest() for body in (BODY, NEWER))


def published(host: str = "cdn", sha256: str = "", *, name: str = "our-name") -> CodecModel:
    file = HostedFile("model.bin", "a/model.bin", sha256, ("old.bin",))
    source = WeightsSource(host, "owner/their-name", (file,), revision="v1")
    return CodecModel(name, "family", (), (), lambda *_: None, source)


def put(path: Path, body: bytes = BODY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def lock_it(sha256: str = DIGEST, **facts: str) -> LockedFile:
    """The record of an earlier use of that model."""
    entry = LockedFile(sha256=sha256, size_bytes=77, origin="https://host/file", **facts)
    record("our-name", {"model.bin": entry})
    return entry
