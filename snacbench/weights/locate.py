"""From a model and a policy to weights files on this disk, with their digests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from snacbench.audio.io import sha256_of_file
from snacbench.download import Progress
from snacbench.errors import WeightsUnavailable
from snacbench.models import CodecModel, HostedFile, LocatedWeights, WeightsSource
from snacbench.types import WeightsInfo
from snacbench.weights import embedded
from snacbench.weights.caches import copies
from snacbench.weights.digests import known_digest
from snacbench.weights.lock import locked_files
from snacbench.weights.policy import WeightsPolicy
from snacbench.weights.published import obtain


def locate(
    model: CodecModel, policy: WeightsPolicy, progress: Progress | None = None
) -> LocatedWeights | None:
    """Weights files of a model under a policy; None for codecs that have no weights.

    Fetches what is published and not on this disk.

    Raises
    ------
    WeightsUnavailable
        If the weights are not at hand; the message says where they can be had.
    WeightsMismatch
        If a file does not have the digest that this package pins or the lock file records.
    """
    source = model.source
    if source is None:
        return None
    if source.host == "embedded":
        return _located(source, _embedded_files(model), "embedded", "snacbench package")
    if source.host == "own":
        files = {file.name: Path(file.url_path) for file in source.files}
        return _located(source, files, "own", source.repository)
    if folder := folder_for(model, source, policy):
        return _in_folder(model, source, folder)
    if source.host == "folder":
        raise WeightsUnavailable(how_to_name_a_folder(model, source))
    if policy.base == "embedded":
        raise WeightsUnavailable(
            f"{model.name} is a published model and has no embedded weights; ask for "
            f"{model.family}-mini, or pass --weights published or --weights DIR"
        )
    return obtain(model, progress)


def how_to_name_a_folder(model: CodecModel, source: WeightsSource) -> str:
    """What to do about a model that only the user has."""
    return (
        f"{model.name} needs models that only you can name: {source.advice}; then set "
        f"{source.environment_variable}=DIR or pass --weights {model.name}=DIR"
    )


def state_of(model: CodecModel, policy: WeightsPolicy) -> str:
    """One phrase for the plan: where a model's weights are, without downloading anything."""
    source = model.source
    if source is None:
        return "no weights"
    if source.host == "embedded":
        return "embedded demonstration weights"
    if source.host == "own":
        return source.repository
    if folder := folder_for(model, source, policy):
        missing = [f.name for f in source.files if find_in_folder(model, source, f, folder) is None]
        return f"{folder}" if not missing else f"missing {', '.join(missing)} in {folder}"
    if source.host == "folder":
        return f"folder not named: set {source.environment_variable}"
    return f"published, {_places(model, source)}"


def _places(model: CodecModel, source: WeightsSource) -> str:
    found = [copies(model, source, file) for file in source.files]
    if not all(found):
        return "not cached"
    return f"in the {' and the '.join(dict.fromkeys(places[0].place for places in found))}"


def folder_for(model: CodecModel, source: WeightsSource, policy: WeightsPolicy) -> Path | None:
    """The folder that the user names for a model, by option or environment; None if by neither."""
    if model.name in policy.folders:
        return policy.folders[model.name]
    named = os.environ.get(source.environment_variable) if source.environment_variable else None
    if source.host == "folder" and named:
        return Path(named).expanduser()
    return policy.base if isinstance(policy.base, Path) else None


def _embedded_files(model: CodecModel) -> dict[str, Path]:
    folder = embedded.folder(model.name)
    return {name: folder / name for name in (embedded.CONFIG_FILE, embedded.WEIGHTS_FILE)}


def _local_files(model: CodecModel, source: WeightsSource, folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for file in source.files:
        path = find_in_folder(model, source, file, folder)
        if path is None:
            looked = ", ".join(str(p) for p in _candidates(model, source, file, folder))
            raise WeightsUnavailable(
                f"no {file.name} for {model.name} in {folder}; looked for {looked}"
            )
        files[file.name] = path
    return files


def find_in_folder(
    model: CodecModel, source: WeightsSource, file: HostedFile, folder: Path
) -> Path | None:
    """A file of a model in a folder, by any of the names and subfolders that people use."""
    return next((p for p in _candidates(model, source, file, folder) if p.is_file()), None)


def _candidates(
    model: CodecModel, source: WeightsSource, file: HostedFile, folder: Path
) -> Iterator[Path]:
    """Places in a folder where people keep a model: by repository, by our name, or flat."""
    for subfolder in (source.repository.rpartition("/")[2], model.name, "."):
        for name in (file.name, *file.aliases):
            yield folder / subfolder / name


def _in_folder(model: CodecModel, source: WeightsSource, folder: Path) -> LocatedWeights:
    """A user's folder: compared with what is pinned and recorded, never recorded itself."""
    files, locked = _local_files(model, source, folder), locked_files(model.name)
    known = {f.name: known_digest(model.name, f, locked.get(f.name)) for f in source.files}
    located = _located(source, files, "folder", str(folder))
    digests = located.info.sha256
    checked = [k.fits(digests[name]) for name, k in known.items() if k.by]
    info = replace(
        located.info,
        verified=all(checked) if checked else None,
        pinned_by={name: k.by for name, k in known.items() if k.by},
    )
    return LocatedWeights(files, info)


def _located(
    source: WeightsSource,
    files: Mapping[str, Path],
    kind: Literal["embedded", "folder", "own"],
    origin: str,
) -> LocatedWeights:
    digests = {name: sha256_of_file(path) for name, path in files.items()}
    return LocatedWeights(files, WeightsInfo(kind, origin, source.revision, digests))
