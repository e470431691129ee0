"""Finding, naming and unwrapping checkpoints, and what is said of those that do not open."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from snacbench.codecs._checkpoint import fitting, load_strictly, load_tensors, read_checkpoint
from snacbench.codecs._own import find, name_of
from snacbench.errors import UserError, WeightsMismatch
from snacbench.selectors import select
from tests.codecs.own_models import (
    DAC_SHAPE,
    notes_of,
    opened,
    spec_of,
    state_file,
    tiny_dac,
    tiny_encodec,
    tiny_snac,
)
from tests.conftest import broadband

KWARGS = {"metadata": {"kwargs": DAC_SHAPE}}


# ---------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/runs/exp3/latest/dac/weights.pth", "dac-exp3"),
        ("/runs/exp3/400k/dac/weights.pth", "dac-400k"),
        ("/runs/exp3.pth", "dac-exp3"),
        ("/runs/dac-exp3.pth", "dac-exp3"),
        ("/runs/my model (2).pth", "dac-my-model-2"),
        ("/runs/a,b@c=d.pth", "dac-a-b-c-d"),
        ("/weights.pth", "dac-own"),
        ("/???/weights.pth", "dac-own"),
    ],
)
def test_a_name_is_the_part_of_the_path_that_tells_most(path: str, name: str) -> None:
    assert name_of(Path(path), "dac", "") == name
    assert name_of(Path(path), "dac", "Mine") == "Mine"


# ------------------------------------------------------------------------- which file is meant


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["weights.pth", "package.pth", "optimizer.pth", "tracker.pth"], "weights.pth"),
        (["model.safetensors", "pytorch_model.bin", "config.json"], "pytorch_model.bin"),
        (["best.th", "optimizer.pt", "training_args.bin", "log.txt"], "best.th"),
        (["dac/weights.pth", "discriminator/weights.pth"], "dac/weights.pth"),
        (["latest/dac/weights.pth", "logs/events.0"], "latest/dac/weights.pth"),
        (["only/model.safetensors"], "only/model.safetensors"),
    ],
)
def test_the_weights_in_a_folder_are_found(tmp_path: Path, names: list[str], found: str) -> None:
    files = find(touch(tmp_path, *names), "dac")
    assert next(iter(files.values())) == tmp_path / found
    assert ("config.json" in files) == ("config.json" in names)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"no weights in .*: the folder is empty"),
        (["a.wav", "b.txt"], r"expected a file that ends in .bin, .*, found a.wav, b.txt"),
        (["a.th", "b.th"], r"several weights files \(a.th, b.th\); name one of them: dac:.*/a.th"),
        (
            ["latest/dac/weights.pth", "best/dac/weights.pth", "400k/dac/weights.pth"],
            r"several checkpoints \(400k, best, latest\); name one of them: dac:.*/400k",
        ),
        (["package.pth"], r"package.pth is a torch.package, which runs code .* package=False"),
        (["latest/dac/package.pth"], r"latest/dac/package.pth is a torch.package, which runs code"),
        (["latest/snac/weights.pth"], r"it holds a SNAC; write snac:"),
    ],
)
def test_folders_that_leave_a_question_ask_it(
    tmp_path: Path, names: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        find(touch(tmp_path, *names), "dac")


# ------------------------------------------------------------------------- wrappers and nesting


def audio_of(path: Path) -> np.ndarray:
    codec = opened(f"X=dac:{path}")
    return codec.decode(codec.encode(broadband(0.2, 24_000)), seed=0).samples


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mapping[str, Any], np.ndarray]:
    """A model's weights, and what it makes of a signal."""
    state = tiny_dac().state_dict()
    path = state_file(tmp_path_factory.mktemp("p") / "plain.pth", {"state_dict": state, **KWARGS})
    return state, audio_of(path)


@pytest.mark.parametrize("wrapper", ["module.", "model.", "generator.", "ema_model.module."])
def test_a_prefix_of_every_key_is_taken_off_and_noted(
    tmp_path: Path, plain: tuple[Mapping[str, Any], np.ndarray], wrapper: str
) -> None:
    state, expected = plain
    wrapped = {wrapper + key: tensor for key, tensor in state.items()}
    path = state_file(tmp_path / "w.pth", {"state_dict": wrapped, **KWARGS})
    assert np.array_equal(audio_of(path), expected)
    note = f"{wrapper!r} taken off the beginning of all {len(state)} keys"
    assert note in notes_of(spec_of(f"dac:{path}"))


@pytest.mark.parametrize("place", [("model",), ("ema",), ("best_state", "model"), ("codec", "g")])
def test_weights_beside_an_optimiser_are_found_and_noted(
    tmp_path: Path, plain: tuple[Mapping[str, Any], np.ndarray], place: tuple[str, ...]
) -> None:
    state, expected = plain
    nested: Any = state
    for key in reversed(place):
        nested = {key: nested}
    optimiser = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-4}]}
    held = {**nested, "optimizer": optimiser, "epoch": 3, **KWARGS}
    path = state_file(tmp_path / "t.pth", held)
    assert np.array_equal(audio_of(path), expected)
    assert f"weights found under {'.'.join(place)}" in notes_of(spec_of(f"dac:{path}"))


def test_weight_norm_opens_in_either_form_and_fused(
    tmp_path: Path, plain: tuple[Mapping[str, Any], np.ndarray]
) -> None:
    state, expected = plain
    new = {
        key.replace("weight_g", "parametrizations.weight.original0").replace(
            "weight_v", "parametrizations.weight.original1"
        ): tensor
        for key, tensor in state.items()
    }
    assert new.keys() != state.keys()
    path = state_file(tmp_path / "new.pth", {"state_dict": new, **KWARGS})
    assert np.array_equal(audio_of(path), expected)
    fused = tiny_dac()
    from snacbench.codecs._checkpoint import fuse_weight_norm

    fuse_weight_norm(fused)
    path = state_file(tmp_path / "fused.pth", {"state_dict": fused.state_dict(), **KWARGS})
    assert np.array_equal(audio_of(path), expected)


def test_the_old_form_opens_in_a_model_of_the_new_one() -> None:
    model = tiny_snac()
    old = {
        key.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for key, tensor in model.state_dict().items()
    }
    other = tiny_snac(3)
    load_strictly(other, old, Path("old.bin"))
    for key, tensor in model.state_dict().items():
        assert torch.equal(other.state_dict()[key], tensor)


# ----------------------------------------------------------------------------------- what is said


def refused(path: Path, held: Any, message: str, family: str = "dac") -> None:
    with pytest.raises(WeightsMismatch, match=message):
        read_checkpoint(state_file(path, held), family)


def test_two_sets_of_weights_are_not_chosen_between(tmp_path: Path) -> None:
    state = tiny_dac().state_dict()
    message = r"holds 2 sets of weights \(model, ema\); .*torch.load\('x.pth'\)\['ema'\], 'weights"
    refused(tmp_path / "x.pth", {"model": state, "ema": state}, message)


def test_a_lightning_checkpoint_with_more_than_the_codec_says_how_to_take_it_out(
    tmp_path: Path,
) -> None:
    state = {f"codec.{k}": v for k, v in tiny_dac().state_dict().items()}
    state["discriminator.0.weight"] = torch.zeros(1)
    held = {"state_dict": state, "pytorch-lightning_version": "2.4", "epoch": 1}
    message = (
        rf"a checkpoint of PyTorch Lightning\) holds more than a codec: of {len(state)} keys "
        rf"{len(state) - 1} begin with 'codec.', 1 begin with 'discriminator.'; .*"
        r"k.removeprefix\('codec.'\)"
    )
    refused(tmp_path / "x.ckpt", held, message)


def test_a_lightning_checkpoint_of_the_codec_alone_opens(tmp_path: Path) -> None:
    state = {f"codec.{k}": v for k, v in tiny_dac().state_dict().items()}
    held = {"state_dict": state, "pytorch-lightning_version": "2.4", "epoch": 1}
    found = read_checkpoint(state_file(tmp_path / "x.ckpt", held), "dac")
    assert found.notes == (f"'codec.' taken off the beginning of all {len(state)} keys",)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"model": {}}, r"not in DAC's format: no tensors .*; found \['model'\]"),
        ({"step": 3, "pytorch-lightning_version": "2"}, r"Lightning\) is not in DAC's format"),
        ({"net.0.weight": torch.zeros(2)}, r"no tensors of an encoder, .*found \['net.0.weight'\]"),
        (torch.zeros(3), r"not in DAC's format: expected tensors by name, found a Tensor"),
        ([1, 2], r"expected tensors by name, found a list"),
        ({"encoder.layers.0.conv.weight": torch.zeros(1)}, r"as the transformers library names"),
    ],
)
def test_files_that_hold_no_codec(tmp_path: Path, held: Any, message: str) -> None:
    refused(tmp_path / "x.pth", held, message)


@pytest.mark.parametrize("family", ["snac", "dac", "encodec"])
@pytest.mark.parametrize("asked", ["snac", "dac", "encodec"])
def test_a_file_of_another_family_is_named(tmp_path: Path, family: str, asked: str) -> None:
    make = {"snac": tiny_snac, "dac": tiny_dac, "encodec": tiny_encodec}[family]
    path = state_file(tmp_path / "x.pth", make().state_dict())
    if family == asked:
        assert read_checkpoint(path, asked).notes == ()
    else:
        with pytest.raises(WeightsMismatch, match=rf"looks like a \w+ file; write {family}:.*x.pt"):
            read_checkpoint(path, asked)


def test_a_snac_without_its_marks_is_told_from_a_dac(tmp_path: Path) -> None:
    state = tiny_snac(noise=False, depthwise=False).state_dict()
    path = state_file(tmp_path / "x.pth", state)
    with pytest.raises(WeightsMismatch, match="looks like a SNAC file; write snac:"):
        read_checkpoint(path, "dac")


def test_missing_unexpected_and_misshapen_keys_are_counted_and_named() -> None:
    model = tiny_dac()
    state = dict(model.state_dict())
    for key in [k for k in state if k.startswith("quantizer.quantizers.3.")]:
        del state[key]
    state["extra.bias"] = torch.zeros(1)
    state["encoder.block.0.bias"] = torch.zeros(9)
    text = (
        rf"x.pth does not fit DAC, which has {len(model.state_dict())} keys: 7 keys missing "
        r"\(quantizer.quantizers.3.codebook.weight, .*, \.\.\.\), 1 keys unexpected "
        r"\(extra.bias\), 1 keys of another shape \(encoder.block.0.bias\); "
        r"encoder.block.0.bias is \(9,\) in the file and \(4,\) in the model"
    )
    with pytest.raises(WeightsMismatch, match=text):
        fitting(model, state, Path("x.pth"))


class _Config:
    """Stands for what trainers pickle beside their weights."""


def test_a_python_object_beside_the_weights_is_named_and_not_made(tmp_path: Path) -> None:
    path = state_file(tmp_path / "x.pth", {"state_dict": {}, "hparams": _Config()})
    with pytest.raises(WeightsMismatch, match=r"Python object \(\S*_Config\) that could run"):
        load_tensors(path)


def test_archives_with_code_are_named(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tiny_dac().save_to_folder(tmp_path)
        scripted = torch.jit.script(torch.nn.Linear(2, 2))
    scripted.save(str(tmp_path / "s.pt"))
    with pytest.raises(WeightsMismatch, match=r"is a torch.package: loading it runs code, which"):
        select(f"dac:{tmp_path / 'dac' / 'package.pth'}")
    with pytest.raises(WeightsMismatch, match="is a TorchScript program, not weights by name"):
        load_tensors(tmp_path / "s.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"x.pth is empty; fetch or save it again"),
        (b"version https://git-lfs.github.com/spec/v1\noid", r"is a git-lfs pointer.*git lfs pull"),
        (b"PK\x03\x04 cut off", r"x.pth is damaged or not a weights file \(.+\); fetch or save it"),
        (b"\x80\x04 no weights" * 9, r"x.pth is damaged or not a weights file"),
        (b"<html>404</html>" * 9, r"x.pth is damaged or not a weights file"),
        (pickle.dumps(_Config()), r"holds a Python object|is damaged or not a weights file"),
    ],
)
def test_files_that_are_no_weights(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(WeightsMismatch, match=message):
        load_tensors(tmp_path / "x.pth")


def test_a_truncated_file_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    tiny_dac().save(str(path), package=False)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(WeightsMismatch, match="damaged or not a weights file"):
        select(f"dac:{path}")


def test_the_old_file_format_of_pytorch_opens(tmp_path: Path) -> None:
    state = tiny_dac().state_dict()
    torch.save({"state_dict": state, **KWARGS}, tmp_path / "old.pth",
               _use_new_zipfile_serialization=False)  # fmt: skip
    assert spec_of(f"dac:{tmp_path / 'old.pth'}").nominal_kbps == 3.0
