"""Checkpoints of one's own: which files open, what is known of them, and what is said otherwise."""

import pickle
import warnings
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from snacbench.codecs import _checkpoint as checkpoint  # noqa: E402
from snacbench.errors import UserError, WeightsMismatch  # noqa: E402
from snacbench.selectors import select  # noqa: E402
from snacbench.weights.locate import locate  # noqa: E402
from snacbench.weights.policy import WeightsPolicy  # noqa: E402
from tests.support import codec_models as models  # noqa: E402
from tests.support.cases import cases  # noqa: E402

CASES = cases(__file__)
NO_STATES = [({"model": {}}, r"\['model'\]"), (torch.zeros(3), "a Tensor")]


@pytest.mark.parametrize(("names", "found"), CASES["found"])
def test_weights_are_found_where_no_question_is_left(tmp_path, names, found):
    for name in names.split():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    if (tmp_path / found).is_file():
        files = checkpoint.find(tmp_path, "dac")
        assert next(iter(files.values())) == tmp_path / found
        assert ("config.json" in files) == ("config.json" in names)
    else:
        with pytest.raises(UserError, match=found):
            checkpoint.find(tmp_path / "config.json" if names == "config.json" else tmp_path, "dac")


def test_a_configuration_may_be_nested_and_arguments_of_a_changed_class_are_named(tmp_path):
    config = {"model": models.TINY_DAC, "name": "whatever"}
    path = models.with_config(tmp_path / "x" / "bare.pth", models.tiny_dac(), config)
    assert select(f"dac:{path}")[0][1].name == "dac-bare@3kbps"
    told = {"kwargs": {**models.TINY_DAC, "my_loss_weight": 3}}
    held = {"state_dict": models.tiny_dac().state_dict(), "metadata": told}
    torch.save(held, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    notes = select(f"dac:{tmp_path / 'old.pth'}")[0][1].settings["notes"]
    assert "does not take left out: my_loss_weight" in notes[0].replace("do not", "does not")
    # A name is the part of the path that tells most.
    for path, name in {
        "/runs/exp3/latest/dac/weights.pth": "dac-exp3",
        "/runs/my model (2).pth": "dac-my-model-2",
        "/weights.pth": "dac-own",
        "/???/weights.pth": "dac-own",
    }.items():
        assert checkpoint.name_of(Path(path), "dac", "") == name
    assert checkpoint.name_of(Path(path), "dac", "Mine") == "Mine"


NETWORKS = {"dac": (models.tiny_dac, models.TINY_DAC), "snac": (models.tiny_snac, models.TINY_SNAC),
            "encodec": (models.tiny_encodec, models.TINY_ENCODEC)}  # fmt: skip


@pytest.mark.parametrize(("family", "how", "config", "message"), CASES["configurations"])
def test_a_configuration_that_does_not_do_is_refused(tmp_path, family, how, config, message):
    make, own = NETWORKS[family]
    config = {**own, **config} if how == "changed" else config
    path = models.with_config(tmp_path / "mine.pth", make(), config)
    with pytest.raises(UserError, match=message):
        select(f"{family}:{path}")


def test_a_checkpoint_written_over_during_a_run_is_refused(tmp_path):
    path = tmp_path / "live.pth"
    models.tiny_dac().save(str(path), package=False)
    ((model, spec),) = select(f"dac:{path}")
    located = locate(model, WeightsPolicy("auto"))
    assert (located.info.source, located.info.origin) == ("own", str(path))
    models.tiny_dac(5).save(str(path), package=False)
    with pytest.raises(WeightsMismatch, match=r"live.pth has changed since this run began; copy"):
        model.load(spec, located, "cpu")
    with pytest.raises(WeightsMismatch, match="cannot run without weights"):
        model.load(spec, None, "cpu")


def test_weight_norm_of_either_form_or_fused_opens():
    model, other, fused = models.tiny_snac(), models.tiny_snac(3), models.tiny_snac(4)
    state, new = dict(model.state_dict()), "parametrizations.weight.original"
    old = {k.replace(f"{new}0", "weight_g").replace(f"{new}1", "weight_v"): state[k] for k in state}
    other.load_state_dict(checkpoint.fitting(other, old, Path("old.bin")))
    assert all(torch.equal(other.state_dict()[key], tensor) for key, tensor in state.items())
    checkpoint.fuse_weight_norm(model)
    fused.load_state_dict(checkpoint.fitting(fused, model.state_dict(), Path("fused.bin")))
    assert all(torch.equal(fused.state_dict()[k], v) for k, v in model.state_dict().items())


def test_missing_unexpected_and_misshapen_keys_are_counted_and_named():
    model = models.tiny_dac()
    state = dict(model.state_dict())
    for key in [k for k in state if k.startswith("quantizer.quantizers.3.")]:
        del state[key]
    state["extra.bias"] = torch.zeros(1)
    state["encoder.block.0.bias"] = torch.zeros(9)
    text = (
        rf"x.pth does not fit DAC, which has {len(model.state_dict())} keys: 7 keys missing "
        r"\(quantizer.quantizers.3.codebook.weight, .*, \.\.\.\), 1 unexpected "
        r"\(extra.bias\), 1 of another shape \(encoder.block.0.bias\); "
        r"encoder.block.0.bias is \(9,\) in the file and \(4,\) in the model"
    )
    with pytest.raises(WeightsMismatch, match=text):
        checkpoint.fitting(model, state, Path("x.pth"))


@pytest.mark.parametrize(("held", "found"), NO_STATES)
def test_what_is_no_state_dict_is_refused(tmp_path, held, found):
    torch.save(held, tmp_path / "x.pth")
    text = rf"x.pth: expected tensors by name, alone or under 'state_dict', found {found}; save the"
    with pytest.raises(WeightsMismatch, match=text):
        checkpoint.read_checkpoint({"x.pth": tmp_path / "x.pth"})


class _Config:
    """Stands for what trainers pickle beside their weights."""


def test_files_that_could_run_code_are_named_and_not_run(tmp_path):
    torch.save({"state_dict": {}, "hparams": _Config()}, tmp_path / "x.pth")
    with pytest.raises(WeightsMismatch, match=r"Python object \(\S*_Config\) that could run"):
        checkpoint.load_tensors(tmp_path / "x.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models.tiny_dac().save_to_folder(tmp_path)
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "s.pt"))
    for path in (tmp_path / "dac" / "package.pth", tmp_path / "s.pt"):
        with pytest.raises(WeightsMismatch, match=r"is a program .*: loading it runs code, which"):
            checkpoint.load_tensors(path)


@pytest.mark.parametrize(("name", "content", "message"), [
    ("x.pth", b"", r"x.pth is empty; fetch or save it again"),
    ("x.pth", b"version https://git-lfs.github.com/spec/v1\noid", r"git-lfs pointer.*git lfs"),
    ("x.pth", b"PK\x03\x04 cut off", r"x.pth is damaged or not a weights file \(.+\); fetch"),
    ("x.safetensors", b"<html>404</html>" * 9, r"is damaged or not a weights file"),
    ("x.pth", pickle.dumps(_Config()), r"holds a Python object|is damaged or not a weights"),
])  # fmt: skip
def test_files_that_are_no_weights(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsMismatch, match=message):
        checkpoint.load_tensors(tmp_path / name)
