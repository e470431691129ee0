"""Weights files as people have them: read without running code, unwrapped, loaded strictly.

A trainer may put the weights under an entry of their own, beside its optimiser's state, and a
wrapper may put a prefix before every name. Both are taken off where nothing is left to choose,
and that is noted; then every key and every shape must fit.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile, is_zipfile

from snacbench.errors import WeightsMismatch

if TYPE_CHECKING:
    import torch

PACKAGES = {"snac": "SNAC", "dac": "DAC", "encodec": "EnCodec"}
_SHOWN_KEYS = 4
_NESTED_AT_MOST = 3
_PART = re.compile(r"(?P<wrapper>(?:.*?\.)?)(?:encoder|quantizer|decoder)\.")
_NORM_FORMS = (
    (".weight_g", ".parametrizations.weight.original0"),
    (".weight_v", ".parametrizations.weight.original1"),
)


@dataclass(frozen=True)
class Checkpoint:
    """What a weights file holds: tensors under the model's own names, and what lies beside them.

    `notes` says what was taken off to get there.
    """

    path: Path
    state: Mapping[str, torch.Tensor]
    metadata: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def params_m(self) -> float:
        """Parameters in millions, without the running averages that only training needs."""
        training_only = ("cluster_size", "embed_avg", "inited")
        counted = (t.numel() for k, t in self.state.items() if not k.endswith(training_only))
        return float(sum(counted)) / 1e6


def load_tensors(path: Path) -> Any:
    """What a ``.safetensors`` or PyTorch file holds, without executing code from it.

    Raises
    ------
    WeightsMismatch
        If the file is damaged, holds code, or is no such file.
    """
    import torch
    from safetensors.torch import load_file

    _refuse_code(path)
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with torch.serialization.safe_globals(_numpy_scalars()):
            # Mapped, a file of hundreds of megabytes costs nothing until a tensor is copied.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except OSError:
        raise
    except Exception as error:  # parsers of damaged files raise whatever they stumble over
        if held := re.search(r"GLOBAL (\S+)", str(error)):
            raise WeightsMismatch(
                f"{path} holds a Python object ({held[1]}) that could run code, and is not "
                "loaded; save the weights alone: torch.save(model.state_dict(), PATH)"
            ) from error
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsMismatch(
            f"{path} is damaged or not a weights file ({first_line}); fetch or save it again"
        ) from error


def _numpy_scalars() -> list[Any]:
    """What unpickling a NumPy number calls: trainers log losses and steps as such."""
    import numpy as np
    from numpy._core.multiarray import scalar

    numbers = (np.float64, np.float32, np.float16, np.int64, np.int32, np.bool_)
    kinds = [type(np.dtype(number)) for number in numbers]
    # NumPy 1 wrote the same function under another name.
    return [scalar, (scalar, "numpy.core.multiarray.scalar"), np.dtype, *kinds]


def _refuse_code(path: Path) -> None:
    """Archives that hold a program beside its weights, and stand-ins for the real file."""
    with path.open("rb") as stream:
        start = stream.read(40)
    if not start:
        raise WeightsMismatch(f"{path} is empty; fetch or save it again")
    if start.startswith(b"version https://git-lfs"):
        raise WeightsMismatch(
            f"{path} is a git-lfs pointer and not the file itself; run: git lfs pull"
        )
    if not start.startswith(b"PK"):
        return
    try:
        with ZipFile(path) as archive:
            inside = {name.partition("/")[2] for name in archive.namelist()}
    except BadZipFile:
        return  # the loader says what is wrong with it
    if ".data/extern_modules" in inside:
        raise WeightsMismatch(
            f"{path} is a torch.package: loading it runs code, which is not done; write the "
            "weights.pth beside it, or save one: model.save(PATH, package=False)"
        )
    if "constants.pkl" in inside:
        raise WeightsMismatch(
            f"{path} is a TorchScript program, not weights by name; "
            "save them: torch.save(model.state_dict(), PATH)"
        )


def read_checkpoint(path: Path, family: str) -> Checkpoint:
    """The weights of a codec of a family, whatever wraps them.

    Raises
    ------
    WeightsMismatch
        If there are none, several sets of them, or those of another family.
    """
    held = load_tensors(path)
    label = PACKAGES[family]
    if not isinstance(held, Mapping):
        raise WeightsMismatch(
            f"{path} is not in {label}'s format: expected tensors by name, found a "
            f"{type(held).__name__}"
        )
    lightning = "pytorch-lightning_version" in held
    kind = " (a checkpoint of PyTorch Lightning)" if lightning else ""
    sets = dict(_weight_sets(held))
    if not sets:
        raise WeightsMismatch(
            f"{path}{kind} is not in {label}'s format: no tensors of an encoder, a quantizer and "
            f"a decoder in it; found {sorted(map(str, held))[:_SHOWN_KEYS]}"
        )
    if len(sets) > 1:
        raise WeightsMismatch(
            f"{path}{kind} holds {len(sets)} sets of weights ({', '.join(sets)}); save the one "
            f"that you mean in a file of its own: torch.save(torch.load({path.name!r})"
            f"{_index(next(reversed(sets)))}, 'weights.pth')"
        )
    ((place, found),) = sets.items()
    state, wrapper = _without_wrapper(found, f"{path}{kind}")
    _refuse_other_family(state, path, family)
    metadata = held.get("metadata")
    notes = [f"weights found under {place}"] if place not in ("", "state_dict") else []
    if wrapper:
        notes.append(f"{wrapper!r} taken off the beginning of all {len(state)} keys")
    return Checkpoint(path, state, metadata if isinstance(metadata, Mapping) else {}, tuple(notes))


def _weight_sets(
    held: Mapping[Any, Any], place: str = "", depth: int = 0
) -> Iterator[tuple[str, Mapping[str, torch.Tensor]]]:
    """Mappings from name to tensor with parts of a codec in them, and where they lie."""
    import torch

    tensors = {k: v for k, v in held.items() if isinstance(k, str) and isinstance(v, torch.Tensor)}
    if any(_PART.match(key) for key in tensors):
        yield place, tensors
        return
    for key, value in held.items():
        if isinstance(key, str) and isinstance(value, Mapping) and depth < _NESTED_AT_MOST:
            yield from _weight_sets(value, f"{place}.{key}" if place else key, depth + 1)


def _index(place: str) -> str:
    return "".join(f"[{key!r}]" for key in place.split("."))


def _without_wrapper(
    state: Mapping[str, torch.Tensor], origin: str
) -> tuple[Mapping[str, torch.Tensor], str]:
    """The state with the prefix that every key has, if any, taken off; and that prefix.

    Raises
    ------
    WeightsMismatch
        If some keys have the prefix and others do not: which are meant is not ours to guess.
    """
    groups: Counter[str] = Counter()
    for key in state:
        match = _PART.match(key)
        groups[match["wrapper"] if match else key.partition(".")[0] + "."] += 1
    if "" in groups:
        return state, ""  # what else there may be is named as unexpected when it is loaded
    if len(groups) > 1:
        listed = ", ".join(f"{count} begin with {p!r}" for p, count in groups.most_common(6))
        wanted = next(p for p in groups if any(_PART.match(k) and k.startswith(p) for k in state))
        raise WeightsMismatch(
            f"{origin} holds more than a codec: of {len(state)} keys {listed}; save the codec's "
            f"own, for example: torch.save({{k.removeprefix({wanted!r}): v for k, v in "
            f"state.items() if k.startswith({wanted!r})}}, 'weights.pth')"
        )
    (wrapper,) = groups
    return {key.removeprefix(wrapper): tensor for key, tensor in state.items()}, wrapper


def _refuse_other_family(state: Mapping[str, torch.Tensor], path: Path, family: str) -> None:
    found = _family_of(state)
    if found == "transformers":
        raise WeightsMismatch(
            f"{path} has keys as the transformers library names them (for example "
            f"{next(iter(state))}); {family}: opens files of the {PACKAGES[family]} package"
        )
    if found not in ("", family):
        raise WeightsMismatch(f"{path} looks like a {PACKAGES[found]} file; write {found}:{path}")


def _family_of(state: Mapping[str, torch.Tensor]) -> str:
    """The family whose own names these are; empty where they do not tell."""
    keys = " ".join(state)
    if "encoder.layers.0." in keys or ".res_unit1." in keys:
        return "transformers"
    if "encoder.model.0." in keys or "quantizer.vq.layers." in keys:
        return "encodec"
    if "quantizer.quantizers.0.codebook." not in keys:
        return ""
    # Both number their quantisers alike; only DAC has a Snake before its encoder's last layer.
    with_snake = any(re.fullmatch(r"encoder\.block\.\d+\.alpha", key) for key in state)
    return "dac" if with_snake else "snac"


def load_strictly(model: torch.nn.Module, state: Mapping[str, torch.Tensor], origin: Path) -> None:
    """Copy weights into a model; every key and every shape must fit.

    Weight norm may be in either of PyTorch's two forms, or fused already.

    Raises
    ------
    WeightsMismatch
        If keys are missing or unexpected, or shapes differ.
    """
    model.load_state_dict(fitting(model, state, origin), strict=True)


def fitting(
    model: torch.nn.Module, state: Mapping[str, torch.Tensor], origin: Path
) -> Mapping[str, torch.Tensor]:
    """The state under the model's own names.

    Raises
    ------
    WeightsMismatch
        If it does not fit exactly.
    """
    own = model.state_dict()
    if _is_fused(own, state):
        fuse_weight_norm(model)
        own = model.state_dict()
    state = {_in_form_of(own, key): tensor for key, tensor in state.items()}
    missing = sorted(own.keys() - state.keys())
    unexpected = sorted(state.keys() - own.keys())
    misshapen = sorted(k for k in own.keys() & state.keys() if own[k].shape != state[k].shape)
    if missing or unexpected or misshapen:
        first = misshapen[0] if misshapen else ""
        shapes = first and (
            f"; {first} is {tuple(state[first].shape)} in the file and "
            f"{tuple(own[first].shape)} in the model"
        )
        raise WeightsMismatch(
            f"{origin} does not fit {type(model).__name__}, which has {len(own)} keys: "
            f"{_keys('missing', missing)}, {_keys('unexpected', unexpected)}, "
            f"{_keys('of another shape', misshapen)}{shapes}"
        )
    return state


def _keys(what: str, names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN_KEYS]) + (", ..." if len(names) > _SHOWN_KEYS else "")
    return f"{len(names)} keys {what}" + (f" ({shown})" if names else "")


def _in_form_of(own: Mapping[str, Any], key: str) -> str:
    """The key with weight norm written as the model writes it; the tensors are the same."""
    for one, other in _NORM_FORMS:
        for mine, theirs in ((one, other), (other, one)):
            renamed = key.removesuffix(theirs) + mine
            if key.endswith(theirs) and renamed in own:
                return renamed
    return key


def _is_fused(own: Mapping[str, Any], state: Mapping[str, Any]) -> bool:
    """Whether the file has plain weights where the model has normalised ones."""
    normed = [k.removesuffix(g) for k in own for g in _NORM_FORMS[0] if k.endswith(g)]
    return bool(normed) and all(f"{name}.weight" in state for name in normed)


def fuse_weight_norm(model: torch.nn.Module) -> None:
    """Compute every normalised weight once instead of at each call.

    Runs with gradients enabled: without them PyTorch would leave plain tensors behind that
    ``Module.to`` does not move.
    """
    import torch
    from torch.nn.utils import parametrize, remove_weight_norm

    with torch.enable_grad():
        for module in model.modules():
            if parametrize.is_parametrized(module, "weight"):
                parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
            elif hasattr(module, "weight_g"):
                remove_weight_norm(module)
