"""What is on this disk of each model, and whether it still is what it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from snacbench.audio.io import sha256_of_file
from snacbench.errors import WeightsUnavailable
from snacbench.models import CodecModel, HostedFile, WeightsSource
from snacbench.weights import embedded, lock
from snacbench.weights.caches import Copy, copies
from snacbench.weights.digests import Known, is_complete, known_digest
from snacbench.weights.hosts import is_published
from snacbench.weights.locate import find_in_folder, folder_for, locate
from snacbench.weights.lock import locked_files
from snacbench.weights.policy import WeightsPolicy
from snacbench.weights.published import find, what_is_wrong

State = Literal["ok", "wrong", "unknown"]
_FIXED = {"embedded": "part of the package", "own": "your own"}
DigestState = Literal["pinned", "pinned in part", "locked", "unknown", ""]


@dataclass(frozen=True)
class Item:
    """One file of a model: where it is, without having read it. `place` tells even if it is not."""

    model: str
    file: str
    size_bytes: int | None
    place: str
    digest: DigestState


@dataclass(frozen=True)
class Verdict:
    """One file that was read: ``ok``, ``wrong``, or ``unknown`` for want of a digest."""

    model: str
    path: Path
    state: State
    detail: str = ""


def items(model: CodecModel, policy: WeightsPolicy) -> Iterator[Item]:
    """The files of a model, and where each is; nothing is read or asked for."""
    source = model.source
    if source is None:
        return
    if source.host in _FIXED:
        for path in _fixed_paths(model, source):
            place = "embedded" if source.host == "embedded" else str(path)
            yield Item(model.name, path.name, path.stat().st_size, place, "")
        return
    folder, locked = folder_for(model, source, policy), locked_files(model.name)
    for file in source.files:
        known = Known(model.name, file.sha256.lower(), locked.get(file.name))
        here, place = _whereabouts(model, source, file, folder)
        recorded = known.entry.size_bytes if known.entry else None
        size = here.stat().st_size if here else recorded
        yield Item(model.name, file.name, size, place, _state(known))


def _whereabouts(
    model: CodecModel, source: WeightsSource, file: HostedFile, folder: Path | None
) -> tuple[Path | None, str]:
    """Path of a file, if it is here, and the words for where it is."""
    if folder:
        path = find_in_folder(model, source, file, folder)
        return path, str(path) if path else f"not in {folder}"
    if not is_published(source):
        return None, f"not here: set {source.environment_variable}=DIR"
    found = copies(model, source, file)
    return (found[0].path, found[0].place) if found else (None, "not here")


def paths(model: CodecModel, policy: WeightsPolicy) -> list[Path]:
    """The checked files that a run would use, none of them fetched.

    Raises
    ------
    WeightsUnavailable
        If a file is not here.
    WeightsMismatch
        If a file is not what it must be.
    """
    source = model.source
    if source is None or not is_published(source) or folder_for(model, source, policy):
        located = locate(model, policy)
        return list(located.files.values()) if located else []
    locked = locked_files(model.name)
    found = {
        file.name: find(model, file, known_digest(model.name, file, locked.get(file.name)))
        for file in source.files
    }
    if missing := [name for name, file in found.items() if file is None]:
        raise WeightsUnavailable(
            f"{', '.join(missing)} of {model.name} is not on this disk; "
            f"run 'snacbench weights fetch {model.name}'"
        )
    return [file.path for file in found.values() if file]


def verify(model: CodecModel, policy: WeightsPolicy) -> Iterator[Verdict]:
    """Read every copy of a model's files again and compare it with what is known of it."""
    source = model.source
    if source is None:
        return
    if source.host in _FIXED:
        yield from (
            Verdict(model.name, path, "ok", _FIXED[source.host])
            for path in _fixed_paths(model, source)
        )
        return
    folder, locked = folder_for(model, source, policy), locked_files(model.name)
    for file in source.files:
        known = Known(model.name, file.sha256.lower(), locked.get(file.name))
        here = copies(model, source, file) if is_published(source) and not folder else []
        if folder and (path := find_in_folder(model, source, file, folder)):
            here = [Copy(path, "folder")]
        for copy in here:
            wrong = what_is_wrong(copy, sha256_of_file(copy.path), known)
            state: State = "wrong" if wrong else "ok" if known.by else "unknown"
            yield Verdict(model.name, copy.path, state, wrong or known.ground)


def accept(model: CodecModel) -> list[str]:
    """Record the files of a model that are here in place of those recorded before.

    Returns
    -------
    list of str
        Names of the files recorded; those that are not here are forgotten.

    Raises
    ------
    WeightsMismatch
        If a file differs from a digest that this package pins, which nobody can accept away.
    WeightsUnavailable
        If the model is not a published one.
    """
    source = model.source
    if source is None or not is_published(source):
        raise WeightsUnavailable(f"{model.name} has no published weights to accept")
    before, entries = locked_files(model.name), dict[str, lock.LockedFile]()
    for file in source.files:
        found = find(model, file, Known(model.name, file.sha256.lower()))
        if found:
            old = before.get(file.name)
            unchanged = old is not None and old.sha256 == found.sha256
            entries[file.name] = old if old and unchanged else found.as_entry()
    lock.replace(model.name, entries)
    return list(entries)


def _fixed_paths(model: CodecModel, source: WeightsSource) -> list[Path]:
    """Files of which there is but one copy, and nothing to compare it with."""
    if source.host == "own":
        return [Path(file.url_path) for file in source.files]
    folder = embedded.folder(model.name)
    return [folder / name for name in (embedded.CONFIG_FILE, embedded.WEIGHTS_FILE)]


def _state(known: Known) -> DigestState:
    if is_complete(known.pinned):
        return "pinned"
    if known.entry:
        return "locked"
    return "pinned in part" if known.pinned else "unknown"
