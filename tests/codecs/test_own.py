"""Checkpoints of one's own: which files open, what is known of them, and what is said otherwise."""

from __future__ import annotations

import json
import math
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from safetensors.torch import save_file

from snacbench.codecs._checkpoint import (
    find,
    fitting,
    load_strictly,
    load_tensors,
    name_of,
    read_checkpoint,
)
from snacbench.codecs._neural import blocks, convolutions, look_ahead_samples, outline
from snacbench.codecs.encodec import layers_of
from snacbench.errors import UserError, WeightsMismatch
from snacbench.models import LocatedWeights
from snacbench.plugins import codec_models
from snacbench.rate.bits import bits_of
from snacbench.selectors import select
from snacbench.types import WeightsInfo
from snacbench.weights import embedded
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.conftest import broadband
from tests.support.codec_models import (
    DAC_SHAPE,
    DAC_SHAPES,
    SNAC_SHAPES,
    batch_of,
    filled,
    narrow_snac,
    notes_of,
    opened,
    spec_of,
    state_file,
    tiny_dac,
    tiny_encodec,
    tiny_snac,
)

SNAC_CONFIG = narrow_snac("snac-24khz")
ENCODEC_CONFIG: dict[str, Any] = {
    "sample_rate": 24_000,
    "target_bandwidths": [1.5, 3.0],
    "encoder": {"dimension": 16, "n_filters": 4, "causal": True},
    "quantizer": {"dimension": 16, "n_q": 4, "bins": 64},
}


def with_config(path: Path, model: Any, config: Any) -> Path:
    """Weights and, unless it is None, the configuration beside them."""
    state_file(path, model.state_dict())
    if config is not None:
        text = config if isinstance(config, str) else json.dumps(config)
        (path.parent / "config.json").write_text(text)
    return path


def encodec_config(**changes: Any) -> dict[str, Any]:
    """The configuration of a tiny EnCodec with further arguments of its two halves."""
    encoder = {**ENCODEC_CONFIG["encoder"], **changes.pop("encoder", {})}
    return {**ENCODEC_CONFIG, **changes, "encoder": encoder}


# ----------------------------------------------------------------------------- names and files


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/runs/exp3/latest/dac/weights.pth", "dac-exp3"),
        ("/runs/exp3.pth", "dac-exp3"),
        ("/runs/dac-exp3.pth", "dac-exp3"),
        ("/runs/my model (2).pth", "dac-my-model-2"),
        ("/weights.pth", "dac-own"),
        ("/???/weights.pth", "dac-own"),
    ],
)
def test_a_name_is_the_part_of_the_path_that_tells_most(path: str, name: str) -> None:
    assert name_of(Path(path), "dac", "") == name
    assert name_of(Path(path), "dac", "Mine") == "Mine"


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
        ([], r"no weights in .*: expected a file that ends in .bin, .*, found nothing"),
        (["a.wav", "package.pth"], r"found a.wav, package.pth"),
        (["a.th", "b.th"], r"several weights files \(a.th, b.th\); name one of them: dac:.*/a.th"),
        (["latest/dac/weights.pth", "best/dac/weights.pth"],
         r"several weights files \(best/dac/weights.pth, latest/dac/weights.pth\); name one"),
    ],
)  # fmt: skip
def test_folders_that_leave_a_question_ask_it(
    tmp_path: Path, names: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        find(touch(tmp_path, *names), "dac")


def test_naming_the_configuration_instead_of_the_weights_is_refused(tmp_path: Path) -> None:
    with_config(tmp_path / "pytorch_model.bin", tiny_snac(), SNAC_CONFIG)
    with pytest.raises(UserError, match="is the configuration; name the weights file, or their"):
        select(f"snac:{tmp_path / 'config.json'}")


# ------------------------------------------------------------------------------------------ DAC


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``exp3/latest``, as the package's training script writes it."""
    folder = tmp_path_factory.mktemp("runs") / "exp3"
    extra = {"optimizer.pth": {"state": {}}, "metadata.pth": {"logs": {}}, "tracker.pth": {}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tiny_dac(quantizer_dropout=0.5).save_to_folder(folder / "latest", extra)
    (folder / "latest" / "discriminator").mkdir()
    torch.save({"state_dict": {}}, folder / "latest" / "discriminator" / "weights.pth")
    return folder


@pytest.mark.parametrize("place", ["", "latest", "latest/dac", "latest/dac/weights.pth"])
def test_what_dac_saves_opens_at_every_level(run: Path, place: str) -> None:
    ((model, spec),) = select(f"dac:{run / place}")
    assert (spec.name, spec.rate_hz, len(spec.streams)) == ("dac-exp3@3kbps", 24_000, 4)
    assert (spec.nominal_kbps, float(spec.streams[0].frame_rate_hz)) == (3.0, 75)
    parameters = sum(p.numel() for p in tiny_dac().parameters())
    assert spec.params_m == pytest.approx(parameters / 1e6)
    assert spec.latency_s == pytest.approx(5_953 / 24_000)
    assert (spec.licence, spec.demonstration, spec.stochastic) == ("unknown", False, False)
    assert [len(p.streams) for p in model.points] == [1, 2, 3, 4]
    assert [p.truncated for p in model.points] == [True, True, True, False]
    assert "quantizer_dropout unknown (DAC.save does not keep it)" in notes_of(spec)


@pytest.mark.parametrize("codebooks", [1, 4])
def test_codes_and_audio_of_a_dac_equal_the_package(run: Path, codebooks: int) -> None:
    from dac import DAC

    audio = broadband(0.7, 24_000)
    codec = opened(f"X=dac:{run}@{codebooks}q")
    encoded = codec.encode(audio)
    package = DAC.load_from_folder(run / "latest", package=False)[0].eval()
    with torch.inference_mode():
        codes = package.encode(package.preprocess(batch_of(audio), 24_000), codebooks)[1]
        expected = package.decode(package.quantizer.from_codes(codes)[0])[0].numpy()
    assert np.array_equal(np.concatenate(encoded.codes), codes[0].numpy())
    ours = codec.decode(encoded, seed=0).samples
    n = min(expected.shape[-1], audio.num_samples)
    assert np.array_equal(ours[:, :n], expected[:, :n])
    assert np.abs(ours).max() > 0


def test_a_configuration_beside_a_dac_adds_what_its_file_lacks(tmp_path: Path) -> None:
    facts = {"loss": np.float64(0.1), "step": np.int64(4), "best": np.bool_(True)}
    shape = {"encoder_rates": [2, 5], "decoder_rates": [5, 2], "sample_rate": 8_000}
    model = tiny_dac(**shape, codebook_size=300, n_codebooks=2)
    model.save(str(tmp_path / "odd.pth"), metadata=facts, package=False)
    (tmp_path / "config.json").write_text('{"quantizer_dropout": 1.0}')
    ((model, spec),) = select(f"dac:{tmp_path / 'odd.pth'}")
    assert spec.name == "dac-odd@14.4kbps"  # 800 Hz x 2 x 9 bit
    assert not any(p.truncated for p in model.points)
    assert notes_of(spec) == "quantizer_dropout from config.json"
    encoded = opened(f"dac:{tmp_path / 'odd.pth'}").encode(broadband(0.5, 8_000))
    assert [c.shape for c in encoded.codes] == [(1, 400)] * 2


def test_arguments_of_a_changed_class_are_left_out_and_named(tmp_path: Path) -> None:
    kwargs = {**DAC_SHAPE, "my_loss_weight": 3}
    held = {"state_dict": tiny_dac().state_dict(), "metadata": {"kwargs": kwargs}}
    torch.save(held, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert "does not take left out: my_loss_weight" in notes_of(spec_of(f"dac:{tmp_path}"))


@pytest.mark.parametrize("nested", [False, True])
def test_bare_weights_open_with_a_configuration(tmp_path: Path, nested: bool) -> None:
    config = {"model": DAC_SHAPE, "name": "whatever"} if nested else DAC_SHAPE
    with_config(tmp_path / "bare.pth", tiny_dac(), config)
    assert spec_of(f"dac:{tmp_path}").name == "dac-bare@3kbps"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, r"config.json is missing: the weights do not tell how the model is built; expected"),
        (
            {**DAC_SHAPE, "encoder_rate": [2]},
            r"mean nothing here: encoder_rate; expected a JSON ob",
        ),
        ({**DAC_SHAPE, "encoder_dim": "four"}, r"that it describes cannot be built \(TypeError"),
        ({**DAC_SHAPE, "n_codebooks": 5}, r"does not fit DAC, which has \d+ keys: 7 keys missing"),
    ],
)
def test_a_configuration_that_does_not_do_is_refused(
    tmp_path: Path, config: Any, message: str
) -> None:
    with_config(tmp_path / "bare.pth", tiny_dac(), config)
    with pytest.raises(UserError, match=message):
        select(f"dac:{tmp_path}")


def test_a_checkpoint_written_over_during_a_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "live.pth"
    tiny_dac().save(str(path), package=False)
    ((model, spec),) = select(f"dac:{path}")
    located: Any = locate(model, WeightsPolicy("auto"))
    assert (located.info.source, located.info.origin) == ("own", str(path))
    tiny_dac(5).save(str(path), package=False)
    with pytest.raises(WeightsMismatch, match=r"live.pth has changed since this run began; copy"):
        model.load(spec, located, "cpu")
    with pytest.raises(WeightsMismatch, match="cannot run without weights"):
        model.load(spec, None, "cpu")


# ----------------------------------------------------------------------------------------- SNAC


def test_codes_and_audio_of_a_snac_equal_the_package(tmp_path: Path) -> None:
    from snac import SNAC

    folder = with_config(
        tmp_path / "snac_mine" / "pytorch_model.bin", tiny_snac(), SNAC_CONFIG
    ).parent
    ((model, spec),) = select(f"snac:{folder}")
    assert (spec.name, spec.rate_hz, spec.stochastic) == ("snac-snac_mine", 24_000, True)
    assert [p.truncated for p in model.points] == [True, True, False]
    assert spec.latency_s == pytest.approx(11_561 / 24_000)
    assert spec_of(f"S=snac:{folder}@2q").name == "S@0.422kbps"
    audio = broadband(0.8, 24_000)
    codec = opened(f"snac:{folder}")
    encoded = codec.encode(audio)
    package = SNAC.from_pretrained(str(folder))
    with torch.inference_mode():
        codes = package.encode(batch_of(audio))
        torch.manual_seed(7)
        expected = package.decode(codes)[0, :, : audio.num_samples].numpy()
    assert all(np.array_equal(a, b) for a, b in zip(encoded.codes, codes, strict=True))
    assert np.array_equal(codec.decode(encoded, seed=7).samples, expected)


def test_a_snac_without_noise_is_deterministic(tmp_path: Path) -> None:
    shape = {"noise": False, "vq_strides": [8, 2, 1], "sampling_rate": 16_000}
    save_file(tiny_snac(**shape).state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({**SNAC_CONFIG, **shape}))
    spec = spec_of(f"quiet=snac:{tmp_path / 'model.safetensors'}")
    assert not spec.stochastic
    assert [float(s.frame_rate_hz) for s in spec.streams] == [3.90625, 15.625, 31.25]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, r"config.json is missing: .*expected a JSON object of sampling_rate, encoder_dim"),
        (
            {k: v for k, v in SNAC_CONFIG.items() if k != "sampling_rate"},
            "lacks sampling_rate: the",
        ),
        ("{", r"config.json is not JSON \("),
        ([1], r"expected an object of names and values, found \[1\]"),
        ({**SNAC_CONFIG, "strides": [1]}, "keys that mean nothing here: strides; expected a JSON"),
        ({**SNAC_CONFIG, "model_type": "mimi"}, r"a model of the transformers library \(mimi\)"),
        ({**SNAC_CONFIG, "vq_strides": 4}, r"it describes cannot be built \(TypeError"),
        (
            {**SNAC_CONFIG, "codebook_size": 512},
            r"does not fit SNAC.*of another shape \(.*\) in the",
        ),
    ],
)
def test_a_snac_configuration_that_does_not_do_is_refused(
    tmp_path: Path, config: Any, message: str
) -> None:
    with_config(tmp_path / "pytorch_model.bin", tiny_snac(), config)
    with pytest.raises(UserError, match=message):
        select(f"snac:{tmp_path}")


# -------------------------------------------------------------------------------------- EnCodec


def test_codes_and_audio_of_an_encodec_equal_the_package(tmp_path: Path) -> None:
    package = tiny_encodec(ratios=[4, 4, 2])
    config = encodec_config(target_bandwidths=[4.5, 18.0], encoder={"ratios": [4, 4, 2]})
    path = with_config(tmp_path / "mine.th", package, config)
    audio = broadband(0.6, 24_000)
    package.target_bandwidths = [4.5, 18.0]
    for kbps, codebooks in ((4.5, 1), (18.0, 4)):
        codec = opened(f"X=encodec:{path}@{kbps}")
        package.set_target_bandwidth(kbps)
        encoded = codec.encode(audio)
        with torch.inference_mode():
            codes = package.encode(batch_of(audio))[0][0]
            expected = package(batch_of(audio))[0].numpy()
        assert np.array_equal(np.stack([c[0] for c in encoded.codes]), codes[0].numpy())
        assert len(encoded.codes) == codebooks
        assert np.array_equal(codec.decode(encoded, seed=0).samples, expected)
    counted = sum(p.numel() for p in package.parameters()) + 4 * 64 * 16
    assert codec.spec.params_m == pytest.approx(counted / 1e6)


def test_segments_scales_and_group_norm_follow_the_configuration(tmp_path: Path) -> None:
    shape = {"channels": 2, "norm": "time_group_norm", "causal": False, "ratios": [4, 2]}
    model = {"normalize": True, "segment": 0.5, "overlap": 0.02}
    package = tiny_encodec(rate_hz=8_000, bandwidths=(12.0, 24.0), model=model, **shape)
    config = encodec_config(
        sample_rate=8_000, target_bandwidths=[12.0, 24.0], encoder=shape, **model
    )
    path = with_config(tmp_path / "mine.th", package, config)
    spec = spec_of(f"encodec:{path}@12")
    assert (spec.channels, spec.latency_s, spec.nominal_kbps) == ((2,), 0.5, 12.0)
    assert float(spec.streams[0].frame_rate_hz) == pytest.approx(1000 / 0.98)
    audio = broadband(1.3, 8_000, channels=2)
    codec = opened(f"encodec:{path}@12")
    package.set_target_bandwidth(12.0)
    with torch.inference_mode():
        expected = package(batch_of(audio))[0].numpy()
    encoded = codec.encode(audio)
    assert np.array_equal(codec.decode(encoded, seed=0).samples, expected)
    assert len(encoded.side_info) == 4 * 3
    assert bits_of(encoded, codec.spec).side_info == 32 * 3


def test_bandwidths_are_named_by_what_is_sent(tmp_path: Path) -> None:
    """At 16 kHz and hop 320 a codebook of 64 entries is 0.3 kbps; labels need not be multiples."""
    config = encodec_config(sample_rate=16_000, target_bandwidths=[1.0, 0.3, 0.4, 99.0])
    path = with_config(tmp_path / "mine.th", tiny_encodec(), config)
    ((model, spec),) = select(f"encodec:{path}")
    assert [p.name for p in model.points] == [
        "encodec-mine@0.3kbps", "encodec-mine@0.9kbps", "encodec-mine@1.2kbps",
    ]  # fmt: skip
    assert [p.settings["bandwidth_kbps"] for p in model.points] == [0.3, 1.0, 99.0]
    assert len(spec.streams) == 4
    assert len(opened(f"encodec:{path}").encode(broadband(0.2, 16_000)).codes) == 4


def test_latency_of_models_that_are_not_causal(tmp_path: Path) -> None:
    shape = {"ratios": [3, 2], "causal": False, "lstm": 0}
    path = with_config(tmp_path / "a.th", tiny_encodec(**shape), encodec_config(encoder=shape))
    spec = spec_of(f"encodec:{path}")
    assert spec.latency_s
    assert spec.latency_s * 24_000 > 6
    whole = encodec_config(encoder=shape, normalize=True)
    path = with_config(tmp_path / "b" / "b.th", tiny_encodec(**shape), whole)
    assert spec_of(f"encodec:{path}").latency_s is None


@pytest.fixture(scope="module")
def full_size(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from encodec import EncodecModel

    torch.manual_seed(0)
    model = filled(EncodecModel.encodec_model_24khz(pretrained=False))
    return state_file(tmp_path_factory.mktemp("full") / "tuned.th", model.state_dict())


def test_other_weights_of_a_published_network_get_its_rate_and_say_so(full_size: Path) -> None:
    ((model, spec),) = select(f"encodec:{full_size}")
    assert [p.nominal_kbps for p in model.points] == [1.5, 3, 6, 12, 24]
    assert (spec.rate_hz, spec.name) == (24_000, "encodec-tuned@24kbps")
    assert "it fits encodec-24khz, whose rate and mode it gets" in notes_of(spec)
    assert spec.latency_s == pytest.approx(320 / 24_000)
    assert len(opened(f"encodec:{full_size}@6").encode(broadband(0.1, 24_000)).codes) == 8
    ((model, spec),) = select("encodec-48khz@6")
    weights = LocatedWeights({full_size.name: full_size}, WeightsInfo("folder"))
    with pytest.raises(WeightsMismatch, match=r"describes 24000 Hz, 1 channels.*not encodec-48khz"):
        model.load(spec, weights, "cpu")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, r"fits no published EnCodec, and has no config.json beside it: expected a JSON obj"),
        ({"sample_rate": 24_000}, r"lacks target_bandwidths, encoder, quantizer: the weights do"),
        (
            {**ENCODEC_CONFIG, "bandwidths": [3]},
            r"keys that mean nothing here: bandwidths; expected",
        ),
        (encodec_config(encoder={"dimension": 8}), r"does not fit EncodecModel.*of another shape"),
        (encodec_config(encoder={"colour": 8}), r"the network that it describes cannot be built"),
        (
            {**ENCODEC_CONFIG, "sample_rate": "24k"},
            r"the network that it describes cannot be built",
        ),
    ],
)
def test_an_encodec_needs_its_configuration(tmp_path: Path, config: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        select(f"encodec:{with_config(tmp_path / 'mine.th', tiny_encodec(), config)}")


@pytest.mark.parametrize(
    ("mini", "seed"), [("snac-mini", 3), ("dac-mini@12q", 0), ("encodec-mini@6", 0)]
)
def test_the_layout_of_the_embedded_models_opens(mini: str, seed: int) -> None:
    name, at, point = mini.partition("@")
    family = name.removesuffix("-mini")
    audio = broadband(0.4, 24_000)
    own = opened(f"mine={family}:{embedded.folder(name)}{at}{point}")
    theirs = opened(mini)
    a, b = (c.decode(c.encode(audio), seed=seed).samples for c in (own, theirs))
    assert np.array_equal(a, b)
    assert (own.spec.params_m, own.spec.latency_s) == (theirs.spec.params_m, theirs.spec.latency_s)
    assert not own.spec.demonstration
    with pytest.raises(UserError, match=f"{name} is the name of a codec that snacbench knows"):
        select(f"{name}={family}:{embedded.folder(name)}")


# --------------------------------------------------------------------------------- weights files


def test_weight_norm_of_either_form_or_fused_opens() -> None:
    from snacbench.codecs._neural import fuse_weight_norm

    model, other, fused = tiny_snac(), tiny_snac(3), tiny_snac(4)
    state = dict(model.state_dict())
    old = {
        key.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for key, tensor in state.items()
    }
    load_strictly(other, old, Path("old.bin"))
    assert all(torch.equal(other.state_dict()[key], tensor) for key, tensor in state.items())
    fuse_weight_norm(model)
    load_strictly(fused, model.state_dict(), Path("fused.bin"))
    assert all(torch.equal(fused.state_dict()[k], v) for k, v in model.state_dict().items())


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


@pytest.mark.parametrize(
    ("held", "found"),
    [
        ({"model": {}}, r"\['model'\]"),
        ({"state_dict": {"a": 3}}, r"\['a'\]"),
        ({}, r"\[\]"),
        (torch.zeros(3), "a Tensor"),
        ([1, 2], "a list"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path: Path, held: Any, found: str) -> None:
    path = state_file(tmp_path / "x.pth", held)
    text = rf"x.pth: expected tensors by name, alone or under 'state_dict', found {found}; save the"
    with pytest.raises(WeightsMismatch, match=text):
        read_checkpoint(path)


class _Config:
    """Stands for what trainers pickle beside their weights."""


def test_files_that_could_run_code_are_named_and_not_run(tmp_path: Path) -> None:
    path = state_file(tmp_path / "x.pth", {"state_dict": {}, "hparams": _Config()})
    with pytest.raises(WeightsMismatch, match=r"Python object \(\S*_Config\) that could run"):
        load_tensors(path)
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
    ("name", "content", "message"),
    [
        ("x.pth", b"", r"x.pth is empty; fetch or save it again"),
        ("x.pth", b"version https://git-lfs.github.com/spec/v1\noid", r"git-lfs pointer.*git lfs"),
        ("x.pth", b"PK\x03\x04 cut off", r"x.pth is damaged or not a weights file \(.+\); fetch"),
        ("x.pth", b"\x80\x04 no weights" * 9, r"x.pth is damaged or not a weights file"),
        ("x.bin", b"<html>404</html>" * 9, r"x.bin is damaged or not a weights file"),
        ("x.safetensors", b"<html>404</html>" * 9, r"is damaged or not a weights file"),
        ("x.pth", pickle.dumps(_Config()), r"holds a Python object|is damaged or not a weights"),
    ],
)
def test_files_that_are_no_weights(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsMismatch, match=message):
        load_tensors(tmp_path / name)


# ------------------------------------------------------------------------------------ look-ahead

MINI = {name: embedded.config(name)["model"] for name in ("snac-mini", "dac-mini")}


def stated(name: str) -> int:
    spec = codec_models()[name].points[-1]
    assert spec.latency_s
    assert spec.rate_hz
    return round(spec.latency_s * spec.rate_hz)


@pytest.mark.parametrize("name", [*SNAC_SHAPES, "snac-mini", *DAC_SHAPES, "dac-mini"])
def test_look_ahead_is_what_specs_state(name: str) -> None:
    from dac import DAC
    from snac import SNAC

    network = SNAC if name.startswith("snac") else DAC
    model = outline(network, {**SNAC_SHAPES, **DAC_SHAPES, **MINI}[name], Path("config.json"))
    between, block = [], int(model.hop_length)
    if network is SNAC:
        between = [blocks(max(model.vq_strides))]
        block *= math.lcm(model.vq_strides[0], model.attn_window_size or 1)
    layers = [*convolutions(model.encoder), *between, *convolutions(model.decoder)]
    assert look_ahead_samples(layers, block) == stated(name)


def by_gradient(model: Any, hop: int, frames: int) -> int:
    """The largest distance between an output of one frame and an input that it depends on."""
    model = model.double().eval()
    x = torch.randn(1, 1, hop * frames, dtype=torch.double).requires_grad_(True)
    out = model.decoder(model.encoder(x))[0, 0]
    found = []
    for place in range(hop * (frames // 2), hop * (frames // 2 + 1)):
        (gradient,) = torch.autograd.grad(out[place], x, retain_graph=True)
        found.append(int(gradient[0, 0].nonzero().max()) - place)
    return max(found)


def test_look_ahead_of_a_dac_equals_gradients() -> None:
    model = tiny_dac(encoder_rates=[2, 5], decoder_rates=[5, 2], decoder_dim=16)
    layers = [*convolutions(model.encoder), *convolutions(model.decoder)]
    assert look_ahead_samples(layers, 10) == by_gradient(model, 10, 160)


@pytest.mark.parametrize(
    "shape", [{"causal": False}, {"causal": True}, {"decoder": {"trim_right_ratio": 0.0}}]
)
def test_look_ahead_of_an_encodec_equals_gradients(shape: dict[str, Any]) -> None:
    model = tiny_encodec(ratios=[3, 2], lstm=0, **shape)
    layers = [*layers_of(model.encoder), *layers_of(model.decoder)]
    assert look_ahead_samples(layers, 6) == by_gradient(model, 6, 60)
