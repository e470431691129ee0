"""Weights files: read without running code, loaded strictly, with the configuration beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile, is_zipfile

from snacbench.errors import UserError, WeightsMismatch
from snacbench.files import sha256_of_file
from snacbench.later import np, torch
from snacbench.models import LocatedWeights
from snacbench.types import CodecSpec
from snacbench.weights import embedded

CONFIG = embedded.CONFIG_FILE
_SHOWN_KEYS = 4
_NORM_FORMS = (
    (".weight_g", ".parametrizations.weight.original0"),
    (".weight_v", ".parametrizations.weight.original1"),
)
_SUFFIXES = (".bin", ".ckpt", ".pt", ".pth", ".safetensors", ".th")
# In this order where a folder has several: as DAC's and SNAC's packages save them.
_USUAL = ("weights.pth", "pytorch_model.bin", "model.safetensors")
_NO_WEIGHTS = {"package", "optimizer", "scheduler", "tracker", "metadata", "training_args"}
_SAYS_NOTHING = {"weights", "model", "pytorch_model", "latest", "best", "snac", "dac", "encodec"}


def params_m(state: Mapping[str, torch.Tensor]) -> float:
    """Parameters in millions, without the running averages that only training needs."""
    counted = (t.numel() for k, t in state.items() if not k.endswith(embedded.TRAINING_ONLY))
    return float(sum(counted)) / 1e6


@dataclass(frozen=True)
class Checkpoint:
    """What a weights file holds: tensors under the model's own names, and DAC's metadata.

    `config` is the ``config.json`` beside it, or empty where there is none.
    """

    path: Path
    state: Mapping[str, torch.Tensor]
    metadata: Mapping[str, Any]
    config: Path | None = None

    @property
    def origin(self) -> Path:
        """The file that tells how the network is built."""
        return self.config or self.path

    def configuration(self, *, beside: Sequence[str] = ()) -> dict[str, Any]:
        """What the ``config.json`` says of the network; empty without such a file.

        It is the file itself, or its entry ``model`` with those named that stand `beside` it.
        """
        if self.config is None:
            return {}
        read = read_config(self.config)
        inner = read.get("model")
        if not isinstance(inner, dict):
            return read
        return {**{name: read[name] for name in beside if name in read}, **inner}

    def check_arguments(
        self, told: Mapping[str, Any], *, known: Collection[str], needed: str
    ) -> None:
        """Refuse what lacks something needed, the rate first, or has what nobody reads."""
        unknown = sorted(told.keys() - set(known))
        missing = [name for name in needed.split() if name not in told]
        if unknown or missing:
            faults = []
            if unknown:
                faults.append(f"has keys that mean nothing here: {', '.join(unknown)}")
            if missing:
                faults.append(f"lacks {', '.join(missing)}" if self.config else "is missing")
            raise UserError(
                f"{self.config or self.path.with_name(CONFIG)} {' and '.join(faults)}; the weights "
                f"do not tell how the model is built: expected a JSON object of {', '.join(known)}"
            )
        rate_hz = told[needed.partition(" ")[0]]
        if not (isinstance(rate_hz, int | float) and rate_hz > 0 and rate_hz % 1 == 0):
            raise UserError(f"{self.origin}: a rate of {rate_hz!r}, expected a whole number of Hz")


def read_config(path: Path) -> dict[str, Any]:
    """A ``config.json``; `WeightsMismatch` where it holds something else."""
    try:
        read = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise WeightsMismatch(f"{path} is not JSON ({error}); fetch or save it again") from error
    if not isinstance(read, dict):
        raise WeightsMismatch(f"{path}: expected an object of names and values, found {read!r:.40}")
    return read


def load_tensors(path: Path) -> Any:
    """What a ``.safetensors`` or PyTorch file holds, without executing code from it.

    Raises `WeightsMismatch` where the file is damaged, holds code, or is no such file.
    """
    from numpy._core.multiarray import scalar
    from safetensors.torch import load_file

    with path.open("rb") as stream:
        start = stream.read(40)
    if not start:
        raise WeightsMismatch(f"{path} is empty; fetch or save it again")
    if start.startswith(b"version https://git-lfs"):
        raise WeightsMismatch(f"{path} is a git-lfs pointer, not the file; run: git lfs pull")
    zipped = is_zipfile(path)
    inside = {name.partition("/")[2] for name in ZipFile(path).namelist()} if zipped else set()
    if inside & {".data/extern_modules", "constants.pkl"}:
        raise WeightsMismatch(
            f"{path} is a program (a torch.package or TorchScript): loading it runs code, which is "
            "not done; save the weights alone: torch.save(model.state_dict(), PATH)"
        )
    # Trainers log losses and steps as NumPy numbers; NumPy 1 called their maker by another name.
    numbers = (np.float64, np.float32, np.float16, np.int64, np.int32, np.bool_)
    harmless: list[Any] = [scalar, (scalar, "numpy.core.multiarray.scalar"), np.dtype]
    harmless += [type(np.dtype(number)) for number in numbers]
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with torch.serialization.safe_globals(harmless):
            # Mapped, a file of hundreds of megabytes costs nothing until a tensor is copied.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except OSError:
        raise
    except Exception as error:  # parsers of damaged files raise whatever they stumble over
        if held := re.search(r"GLOBAL (\S+)", str(error)):
            raise WeightsMismatch(
                f"{path} holds a Python object ({held[1]}) that could run code, and is not "
                "loaded; save the weights alone: torch.save(model.state_dict(), PATH)"
            ) from error
        raise WeightsMismatch(
            f"{path} is damaged or not a weights file ({first_line(error)}); fetch or save it again"
        ) from error


def first_line(error: Exception) -> str:
    """The first line of an error's message, or its type where it has none."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def read_checkpoint(files: Mapping[str, Path]) -> Checkpoint:
    """The weights among a model's files, with the configuration if it is there.

    Raises `WeightsMismatch` unless they are tensors by name, or such under ``state_dict``.
    """
    path = next(path for name, path in files.items() if name != CONFIG)
    held = load_tensors(path)
    inner = held.get("state_dict") if isinstance(held, Mapping) else None
    state = inner if isinstance(inner, Mapping) else held
    by_name = isinstance(state, Mapping) and all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in state.items()
    )
    if not by_name or not state:
        found = f"a {type(state).__name__}"
        if isinstance(state, Mapping):
            found = f"{sorted(map(str, state))[:_SHOWN_KEYS]}"
        raise WeightsMismatch(
            f"{path}: expected tensors by name, alone or under 'state_dict', found {found}; save "
            "the codec's own: torch.save(model.state_dict(), PATH)"
        )
    metadata = held.get("metadata") if inner is not None else None
    metadata = metadata if isinstance(metadata, Mapping) else {}
    return Checkpoint(path, state, metadata, files.get(CONFIG))


def fitting(
    model: torch.nn.Module, state: Mapping[str, torch.Tensor], origin: Path
) -> Mapping[str, torch.Tensor]:
    """The state under the model's own names; `WeightsMismatch` unless keys and shapes all fit.

    Weight norm may be in either of PyTorch's two forms, or fused already.
    """
    own = model.state_dict()
    normed = [k.removesuffix(g) for k in own for g in _NORM_FORMS[0] if k.endswith(g)]
    if normed and all(f"{name}.weight" in state for name in normed):
        fuse_weight_norm(model)
        own = model.state_dict()

    names = {
        key.removesuffix(mine) + theirs: key
        for forms in _NORM_FORMS
        for mine, theirs in (forms, forms[::-1])
        for key in own
        if key.endswith(mine)
    }
    state = {names.get(key, key): tensor for key, tensor in state.items()}
    misshapen = sorted(k for k in own.keys() & state.keys() if own[k].shape != state[k].shape)
    missing, unexpected = own.keys() - state.keys(), state.keys() - own.keys()
    if missing or unexpected or misshapen:
        shapes = ""
        for key in misshapen[:1]:
            found, expected = (tuple(held[key].shape) for held in (state, own))
            shapes = f"; {key} is {found} in the file and {expected} in the model"
        raise WeightsMismatch(
            f"{origin} does not fit {type(model).__name__}, which has {len(own)} keys: "
            f"{misfit(missing, unexpected, misshapen)}{shapes}"
        )
    return state


def misfit(
    missing: Collection[str],
    unexpected: Collection[str],
    misshapen: Collection[str],
    *,
    left_over: int | None = None,
) -> str:
    """How many keys do not fit, and the first of them; `left_over` counts unnamed ones too."""

    def some(keys: Collection[str]) -> str:
        shown = sorted(keys)[:_SHOWN_KEYS] + ["..."] * (len(keys) > _SHOWN_KEYS)
        return f" ({', '.join(shown)})" if keys else ""

    surplus = len(unexpected) if left_over is None else left_over
    return (
        f"{len(missing)} keys missing{some(missing)}, {surplus} unexpected{some(unexpected)}, "
        f"{len(misshapen)} of another shape{some(misshapen)}"
    )


def fuse_weight_norm(model: torch.nn.Module) -> None:
    """Compute every normalised weight once instead of at each call.

    Runs with gradients enabled: without them PyTorch would leave plain tensors behind that
    ``Module.to`` does not move.
    """
    from torch.nn.utils import parametrize, remove_weight_norm

    with torch.enable_grad():
        for module in model.modules():
            if parametrize.is_parametrized(module, "weight"):
                parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
            elif hasattr(module, "weight_g"):
                remove_weight_norm(module)


# ------------------------------------------------------------------------- checkpoints of one's own
def find(path: Path, family: str) -> dict[str, Path]:
    """The weights file at a path and the configuration beside it, by name.

    In a folder, they may lie in the subfolders that DAC makes: ``TAG/dac``. Raises `UserError`
    where a folder holds no weights, or several of which one must be named.
    """
    weights = path
    if path.is_dir():
        found: list[Path] = []
        for pattern in ("*", f"{family}/*", f"*/{family}/*", "*/*"):
            files = [] if found else sorted(filter(Path.is_file, path.glob(pattern)))
            found += [f for f in files if f.suffix in _SUFFIXES and f.stem not in _NO_WEIGHTS]
        if not found:
            names = ", ".join(sorted(child.name for child in path.iterdir())[:6])
            raise UserError(
                f"no weights in {path}: expected a file that ends in {', '.join(_SUFFIXES)}, "
                f"found {names or 'nothing'}"
            )
        usual = [file for name in _USUAL for file in found if file.name == name]
        weights = (usual or found)[0]
        if len(found) > 1 and (not usual or len({file.parent for file in found}) > 1):
            listed = ", ".join(str(file.relative_to(path)) for file in found[:6])
            raise UserError(
                f"{path} holds several weights files ({listed}); name one of them: "
                f"{family}:{weights}"
            )
    if weights.name == CONFIG:
        raise UserError(f"{path} is the configuration; name the weights file, or their folder")
    config = weights.with_name(CONFIG)
    return {weights.name: weights} | ({CONFIG: config} if config.is_file() else {})


def files_of(spec: CodecSpec, weights: LocatedWeights | None) -> Mapping[str, Path]:
    """A model's files; those of a checkpoint of one's own still as they were located.

    Raises `WeightsMismatch` where there are none, or a training run has written over them since.
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


def name_of(weights: Path, family: str, given: str) -> str:
    """The name that the user gives, or the family with the part of the path that tells most."""
    if given:
        return given
    parts = (weights.stem, *(parent.name for parent in weights.parents))
    telling = next((part for part in parts if part and part.lower() not in _SAYS_NOTHING), "own")
    telling = re.sub(r"[^\w.+-]+", "-", telling).strip("-") or "own"
    return telling if telling.startswith(f"{family}-") else f"{family}-{telling}"
