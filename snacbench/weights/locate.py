"""From a model and a policy to weights files on this disk, with their digests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from snacbench.audio.io import sha256_of_file
from snacbench.errors import WeightsMismatch, WeightsUnavailable
from snacbench.models import CodecModel, HostedFile, LocatedWeights, WeightsSource
from snacbench.types import WeightsInfo
from snacbench.weights import embedded
from snacbench.weights.policy import WeightsPolicy
from snacbench.weights.published import cached_files, fetch


def locate(model: CodecModel, policy: WeightsPolicy) -> LocatedWeights | None:
    """Weights files of a model under a policy; None for codecs that have no weights.

    Downloads what is published and not cached.

    Raises
    ------
    WeightsUnavailable
        If the weights are not at hand; the message says where they can be had.
    WeightsMismatch
        If a cached or downloaded file does not have its pinned digest.
    """
    source = model.source
    if source is None:
        return None
    if source.host == "embedded":
        return _located(source, _embedded_files(model), "embedded", "snacbench package")
    if source.host == "own":
        files = {file.name: Path(file.url_path) for file in source.files}
        return _located(source, files, "own", source.repository)
    if folder := _folder_for(model, source, policy):
        files = _local_files(model, source, folder)
        return _located(source, files, "folder", str(folder))
    if source.host == "folder":
        raise WeightsUnavailable(
            f"{model.name} needs models that only you can name: {source.advice}; then set "
            f"{source.environment_variable}=DIR or pass --weights {model.name}=DIR"
        )
    if policy.base == "embedded":
        raise WeightsUnavailable(
            f"{model.name} is a published model and has no embedded weights; ask for "
            f"{model.family}-mini, or pass --weights published or --weights DIR"
        )
    located = _located(source, fetch(source), "published", source.repository)
    if located.info.verified is False:
        raise WeightsMismatch(
            f"the cached weights of {model.name} in {next(iter(located.files.values())).parent} "
            "do not have the published sha256; delete them so that they are fetched again"
        )
    return located


def state_of(model: CodecModel, policy: WeightsPolicy) -> str:
    """One phrase for the plan: where a model's weights are, without downloading anything."""
    source = model.source
    if source is None:
        return "no weights"
    if source.host == "embedded":
        return "embedded demonstration weights"
    if source.host == "own":
        return source.repository
    if folder := _folder_for(model, source, policy):
        missing = [f.name for f in source.files if _find(model, source, f, folder) is None]
        return f"{folder}" if not missing else f"missing {', '.join(missing)} in {folder}"
    if source.host == "folder":
        return f"folder not named: set {source.environment_variable}"
    return "published, cached" if cached_files(source) else "published, not cached"


def _folder_for(model: CodecModel, source: WeightsSource, policy: WeightsPolicy) -> Path | None:
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
        path = _find(model, source, file, folder)
        if path is None:
            looked = ", ".join(str(p) for p in _candidates(model, source, file, folder))
            raise WeightsUnavailable(
                f"no {file.name} for {model.name} in {folder}; looked for {looked}"
            )
        files[file.name] = path
    return files


def _find(model: CodecModel, source: WeightsSource, file: HostedFile, folder: Path) -> Path | None:
    return next((p for p in _candidates(model, source, file, folder) if p.is_file()), None)


def _candidates(
    model: CodecModel, source: WeightsSource, file: HostedFile, folder: Path
) -> Iterator[Path]:
    """Places in a folder where people keep a model: by repository, by our name, or flat."""
    for subfolder in (source.repository.rpartition("/")[2], model.name, "."):
        for name in (file.name, *file.aliases):
            yield folder / subfolder / name


def _located(
    source: WeightsSource,
    files: Mapping[str, Path],
    kind: Literal["published", "embedded", "folder", "own"],
    origin: str,
) -> LocatedWeights:
    digests = {name: sha256_of_file(path) for name, path in files.items()}
    pinned = {f.name: f.sha256 for f in source.files if f.sha256}
    verified = (
        all(digests[name].startswith(expected) for name, expected in pinned.items())
        if pinned
        else None
    )
    return LocatedWeights(files, WeightsInfo(kind, origin, source.revision, digests, verified))
