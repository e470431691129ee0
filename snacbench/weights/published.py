"""From a published model to checked files on this disk: found in a cache, or else fetched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from snacbench.audio.io import sha256_of_file
from snacbench.download import Progress, Silent, fetch_file, offline
from snacbench.errors import (
    CannotKeep,
    DigestMismatch,
    DownloadError,
    WeightsMismatch,
    WeightsUnavailable,
)
from snacbench.models import CodecModel, HostedFile, LocatedWeights, WeightsSource
from snacbench.types import WeightsInfo
from snacbench.weights.caches import Copy, copies, own_copy, own_path, weights_folder
from snacbench.weights.digests import Known, known_digest
from snacbench.weights.hosts import host_address, is_commit, published
from snacbench.weights.integrity import damage
from snacbench.weights.lock import Entries, LockedFile, lock_path, locked_files, record

_DENIED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_OTHERWISE = (
    "or pass --weights DIR with a local copy, or --weights embedded for the demonstration models"
)


@dataclass(frozen=True)
class Found:
    """A file that is what is known of it, and where it came from."""

    path: Path
    sha256: str
    origin: str
    commit: str = ""

    def as_entry(self) -> LockedFile:
        """What the lock file records of it."""
        return LockedFile(
            sha256=self.sha256,
            size_bytes=self.path.stat().st_size,
            origin=self.origin,
            commit=self.commit,
        )


def obtain(model: CodecModel, progress: Progress | None = None) -> LocatedWeights:
    """Every file of a published model, checked; what is seen for the first time is recorded.

    Raises
    ------
    WeightsUnavailable
        If a file is neither here nor to be had.
    WeightsMismatch
        If a file differs from its pinned or recorded digest.
    """
    source = _published_source(model)
    shown = progress or Silent()
    locked = locked_files(model.name)
    # All files of one commit: that of an earlier use, or whatever the first file is found at.
    revision = next((entry.commit for entry in locked.values() if entry.commit), source.revision)
    found: dict[str, Found] = {}
    for file in source.files:
        known = known_digest(model.name, file, locked.get(file.name))
        found[file.name] = find(model, file, known, shown) or _fetch(
            model, file, known, revision, shown
        )
        revision = found[file.name].commit or revision
    if news := {name: f.as_entry() for name, f in found.items() if name not in locked}:
        record(model.name, news)
    return LocatedWeights(
        {name: file.path for name, file in found.items()}, _info(source, found, locked)
    )


def find(
    model: CodecModel, file: HostedFile, known: Known, progress: Progress | None = None
) -> Found | None:
    """A copy of a file on this disk that is what it must be; None if there is none.

    Copies in the packages' caches that are not are passed over with a note.

    Raises
    ------
    WeightsMismatch
        If the copy in snacbench's own cache is not what it must be.
    """
    source, shown = _published_source(model), progress or Silent()
    for copy in copies(model, source, file):
        digest = sha256_of_file(copy.path)
        wrong = what_is_wrong(copy, digest, known)
        if not wrong:
            origin = known.entry.origin if known.entry else copy.path.as_uri()
            commit = known.entry.commit if known.entry else copy.commit
            return Found(copy.path, digest, origin, commit)
        if copy == own_copy(model, file):
            raise WeightsMismatch(
                f"{copy.path} {wrong}; delete it, so that it is fetched again{known.way_out}"
            )
        shown.note(f"{copy.path} {wrong}; it is not used")
    return None


def what_is_wrong(copy: Copy, digest: str, known: Known) -> str:
    """How a copy differs from what it must be; empty if it does not, as far as can be told."""
    if known.by:
        return "" if known.fits(digest) else known.differs(digest)
    if copy.sha256 and copy.sha256 != digest:
        return f"has sha256 {digest}, expected {copy.sha256} (as its cache says)"
    return damage(copy.path)


def _fetch(
    model: CodecModel, file: HostedFile, known: Known, revision: str, shown: Progress
) -> Found:
    source, target = _published_source(model), own_path(model, file)
    try:
        there = published(source, file, revision)
        if there.sha256 and not there.sha256.startswith(known.sha256):
            raise DigestMismatch(
                f"{there.url} has sha256 {there.sha256}, expected {known.sha256}; the file was not "
                "fetched"
            )
        digest = fetch_file(
            there.url,
            target,
            sha256=there.sha256 or known.sha256,
            size_bytes=there.size_bytes,
            headers=there.headers,
            progress=shown,
        )
    except DigestMismatch as error:
        raise WeightsMismatch(f"{error}{known.says}{known.way_out}") from error
    except CannotKeep as error:
        raise WeightsUnavailable(f"{error}, or set SNACBENCH_CACHE to another folder") from error
    except DownloadError as error:
        raise WeightsUnavailable(_not_to_be_had(model, file, error)) from error
    if not known.by and (wrong := damage(target)):
        target.unlink()
        raise WeightsMismatch(
            f"what came from {there.url} {wrong}; it was not kept. Something between here and "
            "the host may answer in its place, such as a login page"
        )
    return Found(target, digest, there.url, there.revision if is_commit(there.revision) else "")


def _info(source: WeightsSource, found: Mapping[str, Found], locked: Entries) -> WeightsInfo:
    pinned = {file.name for file in source.files if file.sha256}
    commits = dict.fromkeys(file.commit for file in found.values() if file.commit)
    return WeightsInfo(
        "published",
        source.repository,
        " ".join(commits) or source.revision,
        {name: file.sha256 for name, file in found.items()},
        True if pinned or locked else None,
        {
            name: "package" if name in pinned else "lock" if name in locked else "first use"
            for name in found
        },
    )


def _published_source(model: CodecModel) -> WeightsSource:
    assert model.source is not None, model.name
    return model.source


def _not_to_be_had(model: CodecModel, file: HostedFile, error: DownloadError) -> str:
    source = _published_source(model)
    text = f"cannot get {file.name} of {source.repository} ({error})"
    if offline():
        return (
            f"{text}; run 'snacbench weights fetch {model.name}' where there is a network, and "
            f"copy {weights_folder()} and {lock_path()} here, {_OTHERWISE}"
        )
    if error.status in _DENIED:
        return (
            f"{text}; if it must be applied for at {host_address(source)}/{source.repository}, "
            f"do so and set HF_TOKEN, {_OTHERWISE}"
        )
    if error.status == HTTPStatus.NOT_FOUND:
        return f"{text}; look whether it has moved, {_OTHERWISE}"
    return f"{text}; connect to a network, {_OTHERWISE}"
