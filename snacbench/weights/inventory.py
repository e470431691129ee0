"""What is on this disk of each model, and whether it still is what it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from snacbench.errors import WeightsUnavailable
from snacbench.files import sha256_of_file
from snacbench.models import CodecModel, HostedFile
from snacbench.weights.locate import find, find_in_folder, fixed_paths, locate, what_is_wrong
from snacbench.weights.lock import Known, LockedFile, locked_files, record
from snacbench.weights.policy import (
    Copy,
    WeightsPolicy,
    copies,
    folder_for,
    is_published,
    source_of,
)

_FIXED = {"embedded": "part of the package", "own": "your own"}


@dataclass(frozen=True)
class Item:
    """One file of a model: where it is, without having read it. `place` tells even if it is not."""

    model: str
    file: str
    size_bytes: int | None
    place: str
    digest: Literal["pinned", "pinned in part", "locked", "unknown", ""]


@dataclass(frozen=True)
class Verdict:
    """One file that was read: ``ok``, ``wrong``, or ``unknown`` for want of a digest."""

    model: str
    path: Path
    state: Literal["ok", "wrong", "unknown"]
    detail: str = ""


def items(model: CodecModel, policy: WeightsPolicy) -> Iterator[Item]:
    """The files of a model, and where each is; nothing is read or asked for."""
    source = model.source
    if source is None:
        return
    if source.host in _FIXED:
        for path in fixed_paths(model):
            place = "embedded" if source.host == "embedded" else str(path)
            yield Item(model.name, path.name, path.stat().st_size, place, "")
        return
    folder = folder_for(model, policy)
    for file, known in _files(model):
        here, place = _here(model, policy, file), "not here"
        if folder:
            place = str(here[0].path) if here else f"not in {folder}"
        elif here:
            place = here[0].place
        elif not is_published(model):
            place = f"not here: set {source.environment_variable}=DIR"
        recorded = known.entry.size_bytes if known.entry else None
        size = here[0].path.stat().st_size if here else recorded
        yield Item(model.name, file.name, size, place, known.ground)


def _files(model: CodecModel) -> Iterator[tuple[HostedFile, Known]]:
    """Files of a model with what is known of each, be it contradictory."""
    locked = locked_files(model.name)
    for file in source_of(model).files:
        yield file, Known(model.name, file.sha256.lower(), locked.get(file.name))


def _here(model: CodecModel, policy: WeightsPolicy, file: HostedFile) -> list[Copy]:
    """Copies of a file: in the folder that the policy names, and nowhere else; or in caches."""
    if folder := folder_for(model, policy):
        path = find_in_folder(model, file, folder)
        return [Copy(path, "folder")] if path else []
    return copies(model, file) if is_published(model) else []


def paths(model: CodecModel, policy: WeightsPolicy) -> list[Path]:
    """The checked files that a run would use, none of them fetched."""
    located = locate(model, replace(policy, offline=True))
    return list(located.files.values()) if located else []


def verify(model: CodecModel, policy: WeightsPolicy) -> Iterator[Verdict]:
    """Read every copy of a model's files again and compare it with what is known of it."""
    source = model.source
    if source is None:
        return
    if source.host in _FIXED:
        for path in fixed_paths(model):
            yield Verdict(model.name, path, "ok", _FIXED[source.host])
        return
    for file, known in _files(model):
        for copy in _here(model, policy, file):
            wrong = what_is_wrong(copy, sha256_of_file(copy.path), known)
            state = "wrong" if wrong else "ok" if known.by else "unknown"
            yield Verdict(model.name, copy.path, state, wrong or known.ground)  # type: ignore[arg-type]


def accept(model: CodecModel) -> list[str]:
    """Record the files of a model that are here in place of those recorded before.

    Returns names of the files recorded; those that are not here are forgotten. A digest that this
    package pins cannot be accepted away: `WeightsMismatch`.
    """
    if not is_published(model):
        raise WeightsUnavailable(f"{model.name} has no published weights to accept")
    before, entries = locked_files(model.name), dict[str, LockedFile]()
    for file in source_of(model).files:
        found = find(model, file, Known(model.name, file.sha256.lower()))
        if found:
            old = before.get(file.name)
            unchanged = old is not None and old.sha256 == found.sha256
            entries[file.name] = old if old and unchanged else found.as_entry()
    record(model.name, entries, anew=True)
    return list(entries)
