"""From a model and a policy to checked weights files on this disk: found, or else fetched."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

from snacbench.download import fetch_file, refuse_offline
from snacbench.download import offline as offline_here
from snacbench.errors import (
    CannotKeep,
    DigestMismatch,
    DownloadError,
    WeightsMismatch,
    WeightsUnavailable,
)
from snacbench.files import sha256_of_file
from snacbench.models import CodecModel, HasWeights, HostedFile, LocatedWeights
from snacbench.progress import Progress, Silent
from snacbench.types import WeightsInfo
from snacbench.weights import embedded
from snacbench.weights.lock import SHA256_DIGITS, Known, LockedFile, known_files, lock_path, record
from snacbench.weights.policy import (
    Copy,
    WeightsPolicy,
    copies,
    folder_for,
    host_address,
    how_to_name_a_folder,
    is_published,
    source_of,
    weights_folder,
)

_TORCH_SUFFIXES = {".bin", ".ckpt", ".pt", ".pth", ".th"}


def locate(
    model: HasWeights, policy: WeightsPolicy, progress: Progress | None = None
) -> LocatedWeights | None:
    """Weights files of a model under a policy; None for codecs that have no weights.

    Fetches what is published and not on this disk, and records what is seen for the first time.
    """
    source = model.source
    if source is None:
        return None
    if source.host in ("embedded", "own"):
        kind: Literal["embedded", "own"] = "embedded" if source.host == "embedded" else "own"
        origin = "snacbench package" if kind == "embedded" else source.repository
        files = {path.name: path for path in _fixed_paths(model)}
        return LocatedWeights(files, WeightsInfo(kind, origin, source.revision, _digests(files)))
    if folder := folder_for(model, policy):
        return _in_folder(model, folder)
    if source.host == "folder":
        raise WeightsUnavailable(how_to_name_a_folder(model))
    if policy.base == "embedded":
        family = model.family if isinstance(model, CodecModel) else model.name
        raise WeightsUnavailable(
            f"{model.name} is a published model and has no embedded weights; ask for "
            f"{family}-mini, or pass --weights published or --weights DIR"
        )
    return _published(model, policy, progress or Silent())


def state_of(model: HasWeights, policy: WeightsPolicy) -> str:
    """One phrase for the plan: where a model's weights are, without downloading anything."""
    source = model.source
    if source is None or source.host == "embedded":
        return "embedded demonstration weights" if source else "no weights"
    if source.host == "own":
        return source.repository
    if folder := folder_for(model, policy):
        missing = [f.name for f in source.files if not _found_in(model, f, folder)]
        return f"missing {', '.join(missing)} in {folder}" if missing else f"{folder}"
    if source.host == "folder":
        return f"folder not named: set {source.environment_variable}"
    found = [copies(model, file) for file in source.files]
    places = dict.fromkeys(of_file[0].place for of_file in found if of_file)
    return (
        f"published, in the {' and the '.join(places)}" if all(found) else "published, not cached"
    )


@dataclass(frozen=True)
class Item:
    """A copy of a model's file, or a file of which there is none: `place` tells what to do.

    `digest` tells by what its digest is known, `wrong` how it differs; empty where it was not read.
    """

    model: str
    file: str
    path: Path | None
    place: str
    size_bytes: int | None
    digest: str = ""
    wrong: str = ""


def items(model: HasWeights, policy: WeightsPolicy, *, read: bool = False) -> Iterator[Item]:
    """The files of a model, and where each is; nothing is asked of the network.

    With `read`, every copy is compared with what is known of it.
    """
    source = model.source
    if source and source.host in ("embedded", "own"):
        for path in _fixed_paths(model):
            place = "embedded" if source.host == "embedded" else str(path)
            yield Item(model.name, path.name, path, place, path.stat().st_size)
        return
    for known in known_files(model):
        file, folder = known.file, folder_for(model, policy)
        digest = {"package": "pinned", "lock": "locked"}.get(known.by or "", "unknown")
        if folder:
            here = [Copy(path, str(path)) for path in _found_in(model, file, folder)[:1]]
        else:
            here = copies(model, file) if is_published(model) else []
        for copy in here:
            wrong = what_is_wrong(copy, sha256_of_file(copy.path), known) if read else ""
            size = copy.path.stat().st_size
            yield Item(model.name, file.name, copy.path, copy.place, size, digest, wrong)
        if not here:
            place = f"not in {folder}" if folder else "not here"
            if not folder and not is_published(model):
                place += f": set {source_of(model).environment_variable}=DIR"
            recorded = known.entry.size_bytes if known.entry else None
            yield Item(model.name, file.name, None, place, recorded, digest)


def _fixed_paths(model: HasWeights) -> list[Path]:
    """Files of an embedded model, or of one's own: of those there is but one copy."""
    source = source_of(model)
    if source.host == "own":
        return [Path(file.url_path) for file in source.files]
    folder = embedded.folder(model.name)
    return [folder / name for name in (embedded.CONFIG_FILE, embedded.WEIGHTS_FILE)]


def _digests(files: Mapping[str, Path]) -> dict[str, str]:
    return {name: sha256_of_file(path) for name, path in files.items()}


# --------------------------------------------------------------------------- in the user's folder


def _in_folder(model: HasWeights, folder: Path) -> LocatedWeights:
    """Files of the user's: compared with what is pinned and recorded, never recorded themselves."""
    files, known_of = dict[str, Path](), {known.file.name: known for known in known_files(model)}
    for name, known in known_of.items():
        if not (found := _found_in(model, known.file, folder)):
            looked = ", ".join(map(str, _places_in(model, known.file, folder)))
            raise WeightsUnavailable(f"no {name} for {model.name} in {folder}; looked for {looked}")
        files[name] = found[0]
    digests = _digests(files)
    pinned_by = {name: known.by for name, known in known_of.items() if known.by}
    fits = [known_of[name].fits(digests[name]) for name in pinned_by]
    revision, verified = source_of(model).revision, all(fits) if fits else None
    info = WeightsInfo("folder", str(folder), revision, digests, verified, pinned_by)
    return LocatedWeights(files, info)


def _places_in(model: HasWeights, file: HostedFile, folder: Path) -> list[Path]:
    """Places in a folder where people keep a model: by repository, by our name, or flat."""
    named = source_of(model).repository.rpartition("/")[2]
    subfolders = dict.fromkeys((named, model.name, "."))
    return [folder / sub / name for sub in subfolders for name in (file.name, *file.aliases)]


def _found_in(model: HasWeights, file: HostedFile, folder: Path) -> list[Path]:
    return [path for path in _places_in(model, file, folder) if path.is_file()]


# ------------------------------------------------------------------------------------- published


def _published(model: HasWeights, policy: WeightsPolicy, shown: Progress) -> LocatedWeights:
    """Every file of a published model, checked; what is seen for the first time is recorded."""
    source, known_of = source_of(model), known_files(model)
    locked = [known.entry for known in known_of if known.entry]
    # All files of one commit: that of an earlier use, or whatever the first file is found at.
    revision = next((entry.commit for entry in locked if entry.commit), source.revision)
    files, entries, pinned_by = dict[str, Path](), dict[str, LockedFile](), {}
    for known in known_of:
        name = known.file.name
        found = _find(model, known, shown)
        if found is None:
            try:
                found = _fetch(model, known, revision, shown, offline=policy.offline)
            except DigestMismatch as error:
                raise WeightsMismatch(f"{error}{known.says}") from error
            except CannotKeep as error:
                text = f"{error}, or set SNACBENCH_CACHE to another folder"
                raise WeightsUnavailable(text) from error
            except DownloadError as error:
                way_out = "connect to a network"
                if offline_here(policy.offline):
                    way_out = (
                        f"run 'snacbench weights fetch {model.name}' where there is a network, and "
                        f"copy {weights_folder()} and {lock_path()} here"
                    )
                elif error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                    address = f"{host_address(source)}/{source.repository}"
                    way_out = f"if it must be applied for at {address}, do so and set HF_TOKEN"
                elif error.status == HTTPStatus.NOT_FOUND:
                    way_out = "look whether it has moved"
                copy = f"--weights {model.name}=DIR with a local copy, or leave out what needs it"
                if isinstance(model, CodecModel):
                    copy = "--weights DIR with a local copy, or --weights embedded for the "
                    copy += "demonstration models"
                raise WeightsUnavailable(
                    f"cannot get {name} of {source.repository} ({error}); {way_out}, or pass {copy}"
                ) from error
        files[name], entries[name] = found
        pinned_by[name] = known.by or "first use"
        revision = entries[name].commit or revision
    if news := {known.file.name: entries[known.file.name] for known in known_of if not known.entry}:
        record(model.name, news)
    info = WeightsInfo(
        "published",
        source.repository,
        " ".join(dict.fromkeys(e.commit for e in entries.values() if e.commit)) or source.revision,
        {name: entry.sha256 for name, entry in entries.items()},
        True if any(known.by for known in known_of) else None,
        pinned_by,
    )
    return LocatedWeights(files, info)


def _find(model: HasWeights, known: Known, shown: Progress) -> tuple[Path, LockedFile] | None:
    """A copy of a file on this disk that is what it must be; None if there is none.

    Copies in the packages' caches that are not are passed over with a note.
    """
    for copy in copies(model, known.file):
        digest = sha256_of_file(copy.path)
        wrong = what_is_wrong(copy, digest, known)
        if not wrong:
            return copy.path, known.entry or _entry(copy.path, digest, copy.commit)
        if copy.place == "snacbench cache":
            raise WeightsMismatch(f"{copy.path} {wrong}; delete it, so that it is fetched again")
        shown.note(f"{copy.path} {wrong}; it is not used")
    return None


def _entry(path: Path, sha256: str, commit: str, origin: str = "") -> LockedFile:
    """What the lock file records of a file, which comes from this disk or another origin."""
    size, origin = path.stat().st_size, origin or path.as_uri()
    return LockedFile(sha256=sha256, size_bytes=size, origin=origin, commit=commit)


def what_is_wrong(copy: Copy, digest: str, known: Known) -> str:
    """How a copy differs from what it must be; empty if it does not, as far as can be told."""
    if known.by:
        expected = f"{known.sha256}{known.says}"
        return "" if known.fits(digest) else f"has sha256 {digest}, expected {expected}"
    if copy.sha256 and copy.sha256 != digest:
        return f"has sha256 {digest}, expected {copy.sha256} (as its cache says)"
    return damage(copy.path)


def damage(path: Path) -> str:
    """What is wrong with a file, as far as its own format tells; empty if nothing is.

    Packages leave files behind that broke off, and a portal may answer with a page of its own;
    such a file must not be recorded as the one that was published.
    """
    from safetensors import SafetensorError, safe_open

    with path.open("rb") as stream:
        start = stream.read(2)
    whole = bool(start)
    try:
        if path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.suffix == ".safetensors":
            with safe_open(path, "np"):
                pass
        elif start == b"PK" and path.suffix in _TORCH_SUFFIXES:  # its contents are at the end
            whole = zipfile.is_zipfile(path)
        elif path.suffix in _TORCH_SUFFIXES:
            whole = start.startswith(b"\x80")
    except (ValueError, SafetensorError):
        whole = False
    return "" if whole else f"is no whole {path.suffix} file"


def _fetch(
    model: HasWeights,
    known: Known,
    revision: str,
    shown: Progress,
    *,
    offline: bool,
) -> tuple[Path, LockedFile]:
    """Fetch a file into snacbench's cache, from its commit where the hub tells one."""
    source, file = source_of(model), known.file
    target = weights_folder() / model.name / file.name
    url, commit, facts = f"{host_address(source)}/{file.url_path}", "", dict[str, Any]()
    if source.host == "hub":
        url, commit, facts = _asked_of_the_hub(model, file, revision, offline=offline)
    sha256 = facts.pop("sha256", "") or known.sha256
    if not sha256.startswith(known.sha256):
        raise DigestMismatch(
            f"{url} has sha256 {sha256}, expected {known.sha256}; the file was not fetched"
        )
    digest = fetch_file(url, target, sha256=sha256, progress=shown, offline=offline, **facts)
    if not known.by and (wrong := damage(target)):
        target.unlink()
        raise WeightsMismatch(
            f"what came from {url} {wrong}; it was not kept. Something between here and the host "
            "may answer in its place, such as a login page"
        )
    return target, _entry(target, digest, commit, url)


def _asked_of_the_hub(
    model: HasWeights, file: HostedFile, revision: str, *, offline: bool
) -> tuple[str, str, dict[str, Any]]:
    """Where a file lies on the hub at a revision, its commit, and what it must be.

    A mirror may not know a commit that an earlier fetch recorded; then the source's own revision
    is asked for, and the recorded digest decides.
    """
    import huggingface_hub as hub
    from huggingface_hub.errors import HfHubHTTPError

    source = source_of(model)
    place: dict[str, Any] = {"endpoint": host_address(source)}

    def address(at: str) -> str:
        return str(hub.hf_hub_url(source.repository, file.url_path, revision=at, **place))

    refuse_offline(address(revision), offline)
    token = hub.get_token()  # gated and private models need it
    try:
        try:
            told = hub.get_hf_file_metadata(address(revision), token=token or False, **place)
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status == HTTPStatus.NOT_FOUND and revision != source.revision:
                return _asked_of_the_hub(model, file, source.revision, offline=offline)
            if status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS:
                raise
            busy: dict[str, Any] = {"retry_on_errors": True, **place}
            told = hub.get_hf_file_metadata(address(revision), token=token or False, **busy)
    except HfHubHTTPError as error:
        status, reason = error.response.status_code, error.response.reason_phrase
        text = f"cannot fetch {address(revision)}: {status} {reason}"
        raise DownloadError(text, status=status) from error
    except Exception as error:  # of its HTTP client, which was another one in each release
        text = f"cannot fetch {address(revision)}: no connection ({type(error).__name__})"
        raise DownloadError(text) from error
    commit, digest = told.commit_hash or "", told.etag or ""
    facts = {
        "sha256": digest if len(digest) == SHA256_DIGITS else "",  # git's SHA-1 of small files
        "size_bytes": told.size,
        "headers": {"Authorization": f"Bearer {token}"} if token else {},
    }
    return address(commit or revision), commit, facts
