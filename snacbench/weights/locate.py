"""From a model and a policy to checked weights files on this disk: found, or else fetched."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal, NamedTuple

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
from snacbench.models import CodecModel, HostedFile, LocatedWeights
from snacbench.progress import Progress, Silent
from snacbench.types import WeightsInfo
from snacbench.weights import embedded
from snacbench.weights.lock import Known, LockedFile, known_digest, lock_path, locked_files, record
from snacbench.weights.policy import (
    Copy,
    WeightsPolicy,
    copies,
    folder_for,
    host_address,
    how_to_name_a_folder,
    source_of,
    weights_folder,
)

_COMMIT, _SHA256 = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")
_TORCH_SUFFIXES = {".bin", ".ckpt", ".pt", ".pth", ".th"}


def locate(
    model: CodecModel, policy: WeightsPolicy, progress: Progress | None = None
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
        return _read(model, {path.name: path for path in fixed_paths(model)}, kind, origin)
    if folder := folder_for(model, policy):
        # A user's: compared with what is pinned and recorded, never recorded itself.
        files, locked = dict[str, Path](), locked_files(model.name)
        for file in source.files:
            path = find_in_folder(model, file, folder)
            if path is None:
                looked = ", ".join(str(p) for p in _places_in(model, file, folder))
                raise WeightsUnavailable(
                    f"no {file.name} for {model.name} in {folder}; looked for {looked}"
                )
            files[file.name] = path
        located = _read(model, files, "folder", str(folder))
        known = {
            file.name: known_digest(model.name, file, locked.get(file.name))
            for file in source.files
        }
        checked = [k.fits(located.info.sha256[name]) for name, k in known.items() if k.by]
        info = replace(
            located.info,
            verified=all(checked) if checked else None,
            pinned_by={name: k.by for name, k in known.items() if k.by},
        )
        return LocatedWeights(files, info)
    if source.host == "folder":
        raise WeightsUnavailable(how_to_name_a_folder(model))
    if policy.base == "embedded":
        raise WeightsUnavailable(
            f"{model.name} is a published model and has no embedded weights; ask for "
            f"{model.family}-mini, or pass --weights published or --weights DIR"
        )
    return _published(model, policy, progress or Silent())


def state_of(model: CodecModel, policy: WeightsPolicy) -> str:
    """One phrase for the plan: where a model's weights are, without downloading anything."""
    source = model.source
    if source is None or source.host == "embedded":
        return "embedded demonstration weights" if source else "no weights"
    if source.host == "own":
        return source.repository
    if folder := folder_for(model, policy):
        missing = [f.name for f in source.files if find_in_folder(model, f, folder) is None]
        return f"missing {', '.join(missing)} in {folder}" if missing else f"{folder}"
    if source.host == "folder":
        return f"folder not named: set {source.environment_variable}"
    found = [copies(model, file) for file in source.files]
    places = dict.fromkeys(of_file[0].place for of_file in found if of_file)
    return (
        f"published, in the {' and the '.join(places)}" if all(found) else "published, not cached"
    )


def fixed_paths(model: CodecModel) -> list[Path]:
    """Files of an embedded model, or of one's own: of those there is but one copy."""
    source = source_of(model)
    if source.host == "own":
        return [Path(file.url_path) for file in source.files]
    folder = embedded.folder(model.name)
    return [folder / name for name in (embedded.CONFIG_FILE, embedded.WEIGHTS_FILE)]


def _read(
    model: CodecModel,
    files: Mapping[str, Path],
    kind: Literal["embedded", "folder", "own"],
    origin: str,
) -> LocatedWeights:
    digests = {name: sha256_of_file(path) for name, path in files.items()}
    return LocatedWeights(files, WeightsInfo(kind, origin, source_of(model).revision, digests))


# --------------------------------------------------------------------------- in the user's folder


def _places_in(model: CodecModel, file: HostedFile, folder: Path) -> Iterator[Path]:
    """Places in a folder where people keep a model: by repository, by our name, or flat."""
    for subfolder in (source_of(model).repository.rpartition("/")[2], model.name, "."):
        for name in (file.name, *file.aliases):
            yield folder / subfolder / name


def find_in_folder(model: CodecModel, file: HostedFile, folder: Path) -> Path | None:
    """A file of a model in a folder, by any of the names and subfolders that people use."""
    return next((p for p in _places_in(model, file, folder) if p.is_file()), None)


# ------------------------------------------------------------------------------------- published


@dataclass(frozen=True)
class Found:
    """A file that is what is known of it, and where it came from."""

    path: Path
    sha256: str
    origin: str
    commit: str = ""

    def as_entry(self) -> LockedFile:
        """What the lock file records of it."""
        size = self.path.stat().st_size
        return LockedFile(
            sha256=self.sha256, size_bytes=size, origin=self.origin, commit=self.commit
        )


def _published(model: CodecModel, policy: WeightsPolicy, shown: Progress) -> LocatedWeights:
    """Every file of a published model, checked; what is seen for the first time is recorded."""
    source, locked = source_of(model), locked_files(model.name)
    offline = offline_here(policy.offline)
    # All files of one commit: that of an earlier use, or whatever the first file is found at.
    revision = next((entry.commit for entry in locked.values() if entry.commit), source.revision)
    found: dict[str, Found] = {}
    for file in source.files:
        known = known_digest(model.name, file, locked.get(file.name))
        here = find(model, file, known, shown)
        if here is None:
            try:
                here = _fetch(model, file, known, revision, shown, offline=offline)
            except DigestMismatch as error:
                raise WeightsMismatch(f"{error}{known.says}{known.way_out}") from error
            except CannotKeep as error:
                text = f"{error}, or set SNACBENCH_CACHE to another folder"
                raise WeightsUnavailable(text) from error
            except DownloadError as error:
                way_out = "connect to a network"
                if offline:
                    way_out = (
                        f"run 'snacbench weights fetch {model.name}' where there is a network, and "
                        f"copy {weights_folder()} and {lock_path()} here"
                    )
                elif error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                    address = f"{host_address(source)}/{source.repository}"
                    way_out = f"if it must be applied for at {address}, do so and set HF_TOKEN"
                elif error.status == HTTPStatus.NOT_FOUND:
                    way_out = "look whether it has moved"
                raise WeightsUnavailable(
                    f"cannot get {file.name} of {source.repository} ({error}); {way_out}, or pass "
                    "--weights DIR with a local copy, or --weights embedded for the demonstration "
                    "models"
                ) from error
        found[file.name] = here
        revision = here.commit or revision
    if news := {name: f.as_entry() for name, f in found.items() if name not in locked}:
        record(model.name, news)
    pinned = {file.name for file in source.files if file.sha256}
    commits = dict.fromkeys(file.commit for file in found.values() if file.commit)
    info = WeightsInfo(
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
    return LocatedWeights({name: file.path for name, file in found.items()}, info)


def find(
    model: CodecModel, file: HostedFile, known: Known, progress: Progress | None = None
) -> Found | None:
    """A copy of a file on this disk that is what it must be; None if there is none.

    Copies in the packages' caches that are not are passed over with a note.
    """
    for copy in copies(model, file):
        digest = sha256_of_file(copy.path)
        wrong = what_is_wrong(copy, digest, known)
        if not wrong:
            origin = known.entry.origin if known.entry else copy.path.as_uri()
            commit = known.entry.commit if known.entry else copy.commit
            return Found(copy.path, digest, origin, commit)
        if copy.place == "snacbench cache":
            raise WeightsMismatch(
                f"{copy.path} {wrong}; delete it, so that it is fetched again{known.way_out}"
            )
        (progress or Silent()).note(f"{copy.path} {wrong}; it is not used")
    return None


def what_is_wrong(copy: Copy, digest: str, known: Known) -> str:
    """How a copy differs from what it must be; empty if it does not, as far as can be told."""
    if known.by:
        fits, expected = known.fits(digest), f"{known.sha256}{known.says}"
        return "" if fits else f"has sha256 {digest}, expected {expected}"
    if copy.sha256 and copy.sha256 != digest:
        return f"has sha256 {digest}, expected {copy.sha256} (as its cache says)"
    return damage(copy.path)


def damage(path: Path) -> str:
    """What is wrong with a file, as far as its own format tells; empty if nothing is.

    Packages leave files behind that broke off, and a portal may answer with a page of its own;
    such a file must not be recorded as the one that was published.
    """
    with path.open("rb") as stream:
        start = stream.read(2)
    said = "" if start else "is empty"
    if start and path.suffix == ".json":
        try:
            json.loads(path.read_bytes())
        except ValueError:
            said = "is no JSON"
    elif start and path.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "np"):
                pass
        except SafetensorError as error:
            said = f"is no whole safetensors file ({error})"
    elif start == b"PK" and path.suffix in _TORCH_SUFFIXES:  # its table of contents is at the end
        said = "" if zipfile.is_zipfile(path) else "breaks off"
    elif start and path.suffix in _TORCH_SUFFIXES and not start.startswith(b"\x80"):
        said = "is no PyTorch file"
    return said


def _fetch(  # noqa: PLR0913 - the file, what is known of it, and how to get it
    model: CodecModel,
    file: HostedFile,
    known: Known,
    revision: str,
    shown: Progress,
    *,
    offline: bool,
) -> Found:
    """Fetch a file into snacbench's cache, from its commit where the hub tells one."""
    source, target = source_of(model), weights_folder() / model.name / file.name
    url, commit, sha256 = f"{host_address(source)}/{file.url_path}", "", known.sha256
    headers: Mapping[str, str] = {}
    size_bytes: int | None = None
    if source.host == "hub":
        told = _asked_of_the_hub(model, file, revision, offline=offline)
        url, headers = told.location, told.headers
        commit, size_bytes = told.commit, told.size_bytes
        if told.sha256 and not told.sha256.startswith(known.sha256):
            raise DigestMismatch(
                f"{url} has sha256 {told.sha256}, expected {known.sha256}; the file was not fetched"
            )
        sha256 = told.sha256 or known.sha256
    digest = fetch_file(
        url,
        target,
        sha256=sha256,
        size_bytes=size_bytes,
        headers=headers,
        progress=shown,
        offline=offline,
    )
    if not known.by and (wrong := damage(target)):
        target.unlink()
        raise WeightsMismatch(
            f"what came from {url} {wrong}; it was not kept. Something between here and the host "
            "may answer in its place, such as a login page"
        )
    return Found(target, digest, url, commit)


class _Told(NamedTuple):
    """What the hub says of a file before it is fetched; `commit` is what a branch stood for."""

    location: str
    commit: str
    sha256: str
    size_bytes: int | None
    headers: Mapping[str, str]


def _asked_of_the_hub(
    model: CodecModel, file: HostedFile, revision: str, *, offline: bool
) -> _Told:
    """Where a file lies on the hub at a revision, and what it must be.

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
    commit = commit if _COMMIT.fullmatch(commit) else ""
    digest = digest if _SHA256.fullmatch(digest) else ""  # of small files, it is git's SHA-1
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return _Told(address(commit or revision), commit, digest, told.size, headers)
