"""Where files of published weights may be on this disk: our own cache, and the packages'."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from snacbench.models import CodecModel, HostedFile, WeightsSource
from snacbench.settings import cache_folder

_SHA256_DIGITS = 64


@dataclass(frozen=True)
class Copy:
    """A file in a cache, unchecked; `sha256` is what the cache itself says it should be."""

    path: Path
    place: str
    commit: str = ""
    sha256: str = ""


def weights_folder() -> Path:
    """Where snacbench keeps what it fetches, one folder per model."""
    return cache_folder() / "weights"


def own_path(model: CodecModel, file: HostedFile) -> Path:
    """Where snacbench keeps a file that it fetches."""
    return weights_folder() / model.name / file.name


def own_copy(model: CodecModel, file: HostedFile) -> Copy | None:
    """The file in snacbench's own cache, if it is there."""
    path = own_path(model, file)
    return Copy(path, "snacbench cache") if path.is_file() else None


def package_copy(source: WeightsSource, file: HostedFile) -> Copy | None:
    """The file in the cache of the model's own package, if it is there."""
    if source.host == "hub":
        return _hub_copy(source, file)
    path = _package_folder(source) / file.name
    return Copy(path, "package cache") if path.is_file() else None


def copies(model: CodecModel, source: WeightsSource, file: HostedFile) -> list[Copy]:
    """Every copy of a file, ours first."""
    return [c for c in (own_copy(model, file), package_copy(source, file)) if c]


def at_hand(model: CodecModel) -> bool:
    """Whether there is some copy of every file of a published model, right or not."""
    source = model.source
    return source is not None and all(copies(model, source, file) for file in source.files)


def _package_folder(source: WeightsSource) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    if source.host == "github":
        return Path("~/.cache/descript/dac").expanduser()  # DAC ignores XDG_CACHE_HOME
    return Path(os.environ.get("TORCH_HOME") or cache / "torch") / "hub" / "checkpoints"


def _hub_copy(source: WeightsSource, file: HostedFile) -> Copy | None:
    """A file of the hub's cache: snapshots/<commit>/<file> is a link to blobs/<digest>."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(source.repository, file.url_path, revision=source.revision)
    if not isinstance(found, str):
        return None
    path = Path(found)
    commit = path.parts[path.parts.index("snapshots") + 1] if "snapshots" in path.parts else ""
    blob = path.resolve().name
    return Copy(path, "hub cache", commit, blob if len(blob) == _SHA256_DIGITS else "")
