"""Checkpoints of one's own: which file at a path is meant, what to call it, and as what it counts.

Nothing is typed: rates, depths and sizes follow from the configuration and the weights.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from snacbench.audio.io import sha256_of_file
from snacbench.codecs._checkpoint import PACKAGES
from snacbench.codecs._neural import model_at_depths
from snacbench.errors import UserError, WeightsMismatch
from snacbench.models import CodecModel, HostedFile, Loader, LocatedWeights, WeightsSource
from snacbench.types import CodecSpec
from snacbench.weights import embedded

CONFIG = embedded.CONFIG_FILE
LICENCE = "unknown"
_SUFFIXES = {".safetensors", ".bin", ".pth", ".pt", ".th", ".ckpt"}
# In this order where a folder has several: as DAC's and SNAC's packages save them.
_USUAL = ("weights.pth", "pytorch_model.bin", "model.safetensors")
_NO_WEIGHTS = {
    "package", "optimizer", "scheduler", "tracker", "metadata", "training_args", "rng_state",
}  # fmt: skip
_SAYS_NOTHING = {
    *PACKAGES, "weights", "model", "pytorch_model", "checkpoint", "checkpoints", "ckpt", "state",
    "state_dict", "generator", "codec", "latest", "last", "best", "final", "ema",
}  # fmt: skip


# ---------------------------------------------------------------------------- which file is meant


def find(path: Path, family: str) -> dict[str, Path]:
    """The weights file at a path and the configuration beside it, by name.

    Raises
    ------
    UserError
        If a folder holds no weights, or several of which one must be named.
    """
    weights = path if path.is_file() else _weights_in(path, family)
    if weights.name == CONFIG:
        raise UserError(f"{path} is the configuration; name the weights file, or their folder")
    files = {weights.name: weights}
    if (weights.parent / CONFIG).is_file():
        files[CONFIG] = weights.parent / CONFIG
    return files


def _weights_in(folder: Path, family: str) -> Path:
    """The one weights file in a folder, in the subfolder that DAC makes, or in its only tag."""
    for place in (folder, folder / family):
        if files := _weights_files(place):
            usual = [file for name in _USUAL for file in files if file.name == name]
            if len(files) > 1 and not usual:
                listed = ", ".join(file.name for file in files)
                raise UserError(
                    f"{place} holds several weights files ({listed}); name one of them: "
                    f"{family}:{files[0]}"
                )
            return (usual or files)[0]
    tags = [t for t in _subfolders(folder) if _weights_files(t / family) or _weights_files(t)]
    if len(tags) == 1:
        return _weights_in(tags[0], family)
    if tags:
        raise UserError(
            f"{folder} holds several checkpoints ({', '.join(t.name for t in tags)}); name one of "
            f"them: {family}:{tags[0]}"
        )
    raise UserError(f"no weights in {folder}: {_what_is_there(folder, family)}")


def _weights_files(folder: Path) -> list[Path]:
    return [
        file
        for file in (sorted(folder.iterdir()) if folder.is_dir() else ())
        if file.suffix in _SUFFIXES and file.stem not in _NO_WEIGHTS and file.is_file()
    ]


def _subfolders(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir())


def _what_is_there(folder: Path, family: str) -> str:
    packages = [*folder.glob("package.pth"), *_in_subfolders(folder, family, "package.pth")]
    if packages:
        return (
            f"{packages[0]} is a torch.package, which runs code when it is loaded; save the "
            "weights too: model.save(PATH, package=False)"
        )
    for other in PACKAGES:
        if any(_in_subfolders(folder, other, "weights.pth")):
            return f"it holds a {PACKAGES[other]}; write {other}:{folder}"
    found = sorted(child.name for child in folder.iterdir())
    if not found:
        return "the folder is empty"
    expected = ", ".join(sorted(_SUFFIXES))
    return f"expected a file that ends in {expected}, found {', '.join(found[:6])}"


def _in_subfolders(folder: Path, family: str, name: str) -> Iterator[Path]:
    """Files of that name where DAC's ``save_to_folder`` puts them, without and with a tag."""
    yield from folder.glob(f"{family}/{name}")
    yield from folder.glob(f"*/{family}/{name}")


def configuration(files: Mapping[str, Path], arguments: Collection[str]) -> dict[str, Any]:
    """Arguments of the network from a ``config.json``; empty without one.

    They are the file itself, or its entry ``model``. The `arguments` are all that there may be.

    Raises
    ------
    UserError
        If the file is no such configuration.
    """
    whole = whole_configuration(files)
    inner = whole.get("model")
    read: dict[str, Any] = inner if isinstance(inner, dict) else whole
    if unknown := sorted(read.keys() - set(arguments)):
        raise UserError(
            f"{files[CONFIG]} has keys that mean nothing here: {', '.join(unknown)}; there may be "
            f"{', '.join(arguments)}"
        )
    return read


def whole_configuration(files: Mapping[str, Path]) -> dict[str, Any]:
    """A ``config.json`` as it stands; empty without one.

    Raises
    ------
    UserError
        If the file is no JSON object, or describes a model of the transformers library.
    """
    path = files.get(CONFIG)
    if path is None:
        return {}
    try:
        read = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({error})") from error
    if not isinstance(read, dict):
        raise UserError(f"{path}: expected an object of names and values, found {read!r:.40}")
    if "model_type" in read:
        raise UserError(
            f"{path} describes a model of the transformers library ({read['model_type']}); "
            "here the files of the codec's own package are read"
        )
    return read


def weights_of(files: Mapping[str, Path]) -> Path:
    """The weights among a model's files."""
    return next(path for name, path in files.items() if name != CONFIG)


def files_of(spec: CodecSpec, weights: LocatedWeights | None) -> Mapping[str, Path]:
    """A model's files; those of a checkpoint of one's own still as they were located.

    Raises
    ------
    WeightsMismatch
        If there are none, or a training run has written over them since.
    """
    if weights is None:
        raise WeightsMismatch(f"{spec.name} cannot run without weights")
    if weights.info.source == "own":
        for name, path in weights.files.items():
            if sha256_of_file(path) != weights.info.sha256.get(name):
                raise WeightsMismatch(
                    f"{path} has changed since this run began; copy a checkpoint that a training "
                    "run writes over, and evaluate the copy"
                )
    return weights.files


# --------------------------------------------------------------------------------- what to call it


def name_of(weights: Path, family: str, given: str) -> str:
    """The name that the user gives, or the family with the part of the path that tells most."""
    if given:
        return given
    telling = next(_telling_parts(weights), "own")
    telling = re.sub(r"[^\w.+-]+", "-", telling).strip("-") or "own"
    return telling if telling.startswith(f"{family}-") else f"{family}-{telling}"


def _telling_parts(weights: Path) -> Iterator[str]:
    for part in (weights.stem, *(parent.name for parent in weights.parents)):
        if part and part.lower() not in _SAYS_NOTHING:
            yield part


# ------------------------------------------------------------------------------- as what it counts


def model_of(
    points: Sequence[CodecSpec],
    files: Mapping[str, Path],
    load: Loader,
    *,
    package: str,
    notes: Sequence[str],
) -> CodecModel:
    """A model at a path: its bare name selects its full depth, and every point keeps the notes."""
    if notes:
        points = [replace(p, settings={**p.settings, "notes": list(notes)}) for p in points]
    hosted = tuple(HostedFile(name, url_path=str(path)) for name, path in files.items())
    source = WeightsSource("own", str(weights_of(files)), hosted, revision="")
    return model_at_depths(points, load, source, package=package)
