"""From a model and a policy to checked weights files on this disk: found, or else fetched."""

import json
import zipfile
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
from snacbench.weights.lock import Known, LockedFile, known_files, lock_path, record
from snacbench.weights.policy import (
    SHA256_DIGITS,
    Copy,
    WeightsPolicy,
    copies,
    folder_for,
    host_address,
    is_published,
    places_in,
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
    if model.source is None:
        return None
    if not is_published(model) or folder_for(model, policy):
        return _at_hand(model, policy)
    if policy.base == "embedded":
        raise WeightsUnavailable(
            f"{model.name} is a published model and has no embedded weights; ask for one that has "
            "(snac-mini, dac-mini, encodec-mini), or pass --weights published or --weights DIR"
        )
    return _published(model, policy, progress or Silent())


def _at_hand(model: HasWeights, policy: WeightsPolicy) -> LocatedWeights:
    """Files of this package or of the user's, compared with what is known but never recorded."""
    source, folder = source_of(model), folder_for(model, policy)
    files, digests, fits, pinned_by = dict[str, Path](), dict[str, str](), list[bool](), {}
    for known in known_files(model):
        name, found = known.file.name, copies(model, known.file, policy)
        if folder and not found:
            looked = ", ".join(map(str, places_in(folder, model, known.file)))
            raise WeightsUnavailable(f"no {name} for {model.name} in {folder}; looked for {looked}")
        files[name], digests[name] = found[0].path, sha256_of_file(found[0].path)
        if known.by:
            pinned_by[name] = known.by
            fits.append(known.fits(digests[name]))
    kind: Literal["folder", "embedded", "own"] = "folder"
    if not folder:
        kind = "embedded" if source.host == "embedded" else "own"
    origin, verified = str(folder or source.repository), all(fits) if fits else None
    info = WeightsInfo(kind, origin, source.revision, digests, verified, pinned_by)
    return LocatedWeights(files, info)


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
        found = _find(model, known, policy, shown)
        if found is None:
            try:
                found = _fetch(model, known, revision, shown, offline=policy.offline)
            except DigestMismatch as error:
                raise WeightsMismatch(f"{error}{known.says}") from error
            except CannotKeep as error:
                text = f"{error}, or set SNACBENCH_CACHE to another folder"
                raise WeightsUnavailable(text) from error
            except DownloadError as error:
                address = f"{host_address(source)}/{source.repository}"
                applied_for = f"if it must be applied for at {address}, do so and set HF_TOKEN"
                ways_out: dict[int | None, str] = {
                    HTTPStatus.UNAUTHORIZED: applied_for,
                    HTTPStatus.FORBIDDEN: applied_for,
                    HTTPStatus.NOT_FOUND: "look whether it has moved",
                }
                way_out = ways_out.get(error.status, "connect to a network")
                if offline_here(policy.offline):
                    way_out = (
                        f"run 'snacbench weights fetch {model.name}' where there is a network, and "
                        f"copy {weights_folder()} and {lock_path()} here"
                    )
                copy = f"--weights {model.name}=DIR with a local copy, or leave out what needs it"
                if isinstance(model, CodecModel):
                    copy += ", or take the demonstration models: --weights embedded"
                raise WeightsUnavailable(
                    f"cannot get {name} of {source.repository} ({error}); {way_out}, or pass {copy}"
                ) from error
        files[name], entries[name] = found
        pinned_by[name] = known.by or "first use"
        revision = entries[name].commit or revision
    if news := {known.file.name: entries[known.file.name] for known in known_of if not known.entry}:
        record(model.name, news)
    commits = " ".join(dict.fromkeys(e.commit for e in entries.values() if e.commit))
    digests = {name: entry.sha256 for name, entry in entries.items()}
    of = source.repository, commits or source.revision, digests
    verified = True if any(known.by for known in known_of) else None
    return LocatedWeights(files, WeightsInfo("published", *of, verified, pinned_by))


def _find(
    model: HasWeights, known: Known, policy: WeightsPolicy, shown: Progress
) -> tuple[Path, LockedFile] | None:
    """A copy of a file on this disk that is what it must be; None if there is none."""
    # Copies in the packages' caches that are not are passed over with a note.
    for copy in copies(model, known.file, policy):
        digest = sha256_of_file(copy.path)
        wrong = what_is_wrong(copy, digest, known)
        if not wrong:
            return copy.path, known.entry or _entry(copy.path, digest, copy.commit)
        if copy.place == "snacbench cache":
            raise WeightsMismatch(f"{copy.path} {wrong}; delete it, so that it is fetched again")
        shown.note(f"{copy.path} {wrong}; it is not used")
    return None


def _entry(path: Path, sha256: str, commit: str, origin: str = "") -> LockedFile:
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
    model: HasWeights, known: Known, revision: str, shown: Progress, *, offline: bool
) -> tuple[Path, LockedFile]:
    """Fetch a file into snacbench's cache, from its commit where the hub tells one."""
    source, file = source_of(model), known.file
    target = weights_folder() / model.name / file.name
    url, commit, facts = f"{host_address(source)}/{file.url_path}", "", dict[str, Any]()
    if source.host == "hub":
        url, commit, facts = _asked_of_the_hub(model, file, revision, offline=offline)
    sha256 = facts.pop("sha256", "") or known.sha256
    if not sha256.startswith(known.sha256):
        text = f"{url} has sha256 {sha256}, expected {known.sha256}; the file was not fetched"
        raise DigestMismatch(text)
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
    """Where a file lies on the hub at a revision, its commit, and what it must be."""
    # A mirror may not know a commit that an earlier fetch recorded; then the source's own revision
    # is asked for, and the recorded digest decides.
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
