"""EnCodec 32 kHz and Mimi: the hub's files, strict loading, codes and audio as in transformers."""

from __future__ import annotations

import importlib.util
import json
import socket
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snacbench.codecs import transformers_hub as hub
from snacbench.errors import MissingPackage, WeightsMismatch
from snacbench.plugins import codec_models
from snacbench.rate.bits import bits_of
from snacbench.request import Request
from snacbench.runner.plan import make_plan
from snacbench.selectors import select
from snacbench.types import Audio, Stream
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.conftest import broadband

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tests.support.transformers_models import CLASSES, NAMES, NARROW, PUBLISHED, network  # noqa: E402


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Any]]:
    """``saved("mimi")``: a folder in the hub's layout, and the object that was saved there."""
    made: dict[str, tuple[Path, Any]] = {}

    def save(name: str) -> tuple[Path, Any]:
        if name not in made:
            model = network(name, {**PUBLISHED[name], **NARROW[name]})
            made[name] = (tmp_path_factory.mktemp(name), model)
            model.save_pretrained(made[name][0])
        return made[name]

    return save


@cache
def loaded_once(selector: str, folder: Path) -> hub.TransformersCodec:
    return load(selector, folder)


def load(selector: str, folder: Path) -> hub.TransformersCodec:
    ((model, spec),) = select(selector)
    codec = model.load(spec, locate(model, WeightsPolicy(folder)), "cpu")
    assert isinstance(codec, hub.TransformersCodec)
    return codec


def codes_and_audio(name: str, model: Any, audio: Audio, depth: int) -> tuple[Any, Any]:
    """What the library's own calls give, with its own choice of bandwidth or depth."""
    batch = torch.from_numpy(np.array(audio.samples))[None]
    with torch.inference_mode():
        if name == "mimi":
            codes = model.encode(batch, num_quantizers=depth).audio_codes
            return codes[0], model.decode(codes).audio_values[0]
        encoded = model.encode(batch, bandwidth=2.2)
        codes = encoded.audio_codes[:, :, :depth]
        return codes[0, 0], model.decode(codes, encoded.audio_scales).audio_values[0]


# ---------------------------------------------------------------------------- rates and facts


def test_mimi_has_32_codebooks_of_which_8_are_usual() -> None:
    model = codec_models()["mimi"]
    assert [len(point.streams) for point in model.points] == list(range(1, 33))
    assert model.default == ("mimi@1.1kbps",)
    assert model.points[7].nominal_kbps == pytest.approx(1.1)
    assert model.points[-1].nominal_kbps == pytest.approx(4.4)
    assert model.points[0].streams[0] == Stream(Fraction(25, 2), 2048)
    assert [len(p.streams) for p in model.points if p.truncated] == list(range(1, 8))


def test_encodec_32khz_is_meant_for_4_codebooks() -> None:
    model = codec_models()["encodec-32khz"]
    assert model.default == ("encodec-32khz@2.2kbps",)
    assert model.points[-1].nominal_kbps == pytest.approx(2.2)
    assert model.points[0].streams[0] == Stream(Fraction(50), 2048)
    assert [p.truncated for p in model.points] == [True, True, True, False]


@pytest.mark.parametrize(("name", "megabytes"), [("encodec-32khz", 235.97), ("mimi", 384.64)])
def test_sizes_are_those_of_the_published_models(name: str, megabytes: float) -> None:
    with torch.device("meta"):
        config = getattr(transformers, f"{CLASSES[name]}Config")(**PUBLISHED[name])
        model = getattr(transformers, f"{CLASSES[name]}Model")(config)
    counted = sum(p.numel() for p in model.parameters())
    counted += sum(
        b.numel() for k, b in model.named_buffers() if k.endswith(("embed", "embed_sum"))
    )
    assert counted / 1e6 == pytest.approx(codec_models()[name].points[-1].params_m, abs=0.05)
    stored = sum(t.numel() * t.element_size() for t in model.state_dict().values())
    assert stored / 1e6 == pytest.approx(megabytes, abs=0.05)


@pytest.mark.published
@pytest.mark.parametrize("name", NAMES)
def test_full_size_models_equal_the_library(tmp_path: Path, name: str) -> None:
    model = network(name, PUBLISHED[name])
    model.save_pretrained(tmp_path)
    codec = load(name, tmp_path)
    audio = broadband(1.013, codec.spec.rate_hz or 0)
    codes, expected = codes_and_audio(name, model, audio, len(codec.spec.streams))
    encoded = codec.encode(audio)
    assert np.array_equal(np.concatenate(encoded.codes), codes.numpy())
    decoded = codec.decode(encoded, seed=0)
    assert np.array_equal(decoded.samples, expected[:, : audio.num_samples].numpy())


# ---------------------------------------------------------------------- equality with the library


@pytest.mark.parametrize(
    ("selector", "depth"),
    [("encodec-32khz", 4), ("encodec-32khz@2q", 2), ("mimi", 8), ("mimi@1q", 1), ("mimi@32q", 32)],
)
def test_codes_and_audio_equal_the_library(
    saved: Callable[[str], tuple[Path, Any]], selector: str, depth: int
) -> None:
    name = selector.partition("@")[0]
    folder, model = saved(name)
    codec = loaded_once(selector, folder)
    audio = broadband(1.013, codec.spec.rate_hz or 0)
    codes, expected = codes_and_audio(name, model, audio, depth)
    encoded = codec.encode(audio)
    assert np.array_equal(np.concatenate(encoded.codes), codes.numpy())
    assert min(len(np.unique(book)) for book in codes) > 3
    decoded = codec.decode(encoded, seed=0)
    assert np.array_equal(decoded.samples, expected[:, : audio.num_samples].numpy())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("samples", [1, 10, 639, 640, 641, 1_919, 1_920, 1_921, 48_001])
def test_lengths_come_back_exactly(
    saved: Callable[[str], tuple[Path, Any]], name: str, samples: int
) -> None:
    codec = loaded_once(name, saved(name)[0])
    full = broadband(2.1, codec.spec.rate_hz or 0)
    audio = Audio(full.samples[:, :samples], full.rate_hz)
    encoded = codec.encode(audio)
    frame = full.rate_hz / codec.spec.streams[0].frame_rate_hz
    assert encoded.codes[0].shape == (1, -(-samples // frame))
    assert codec.decode(encoded, seed=0).num_samples == samples
    assert bits_of(encoded, codec.spec).codes == 11 * len(encoded.codes) * -(-samples // frame)


def test_mimi_waits_for_one_frame_and_no_more(
    saved: Callable[[str], tuple[Path, Any]],
) -> None:
    codec = loaded_once("mimi", saved("mimi")[0])
    one = broadband(0.8, 24_000)
    changed = np.array(one.samples)
    changed[:, 5 * 1_920 :] *= -0.5
    codes = [codec.encode(a).codes for a in (one, Audio(changed, 24_000))]
    same = [np.array_equal(a[:, :5], b[:, :5]) for a, b in zip(*codes, strict=True)]
    assert all(same)
    assert not all(np.array_equal(a[:, 5:], b[:, 5:]) for a, b in zip(*codes, strict=True))
    assert codec.spec.latency_s == 0.08


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_asked_of_the_network(
    saved: Callable[[str], tuple[Path, Any]], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder, _ = saved(name)

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    load(name, folder)


# --------------------------------------------------------------------------------- strict loading


@pytest.fixture
def files(
    saved: Callable[[str], tuple[Path, Any]], tmp_path: Path
) -> Callable[[str], tuple[Path, dict[str, Any], dict[str, Any]]]:
    """``files("mimi")``: an empty folder, and the configuration and tensors to write there."""
    from safetensors.torch import load_file

    def read(name: str) -> tuple[Path, dict[str, Any], dict[str, Any]]:
        folder, _ = saved(name)
        config = json.loads((folder / hub.CONFIG).read_text("utf-8"))
        return tmp_path, config, dict(load_file(folder / hub.WEIGHTS))

    return read


def as_first_released(tensors: dict[str, Any]) -> dict[str, Any]:
    """As in the published file of 2023: weight norm has the names that torch gave it then."""
    names = {".parametrizations.weight.original0": ".weight_g",
             ".parametrizations.weight.original1": ".weight_v"}  # fmt: skip
    for new, old in names.items():
        tensors = {key.replace(new, old): tensor for key, tensor in tensors.items()}
    return tensors


def write(folder: Path, config: dict[str, Any], tensors: dict[str, Any]) -> Path:
    from safetensors.torch import save_file

    (folder / hub.CONFIG).write_text(json.dumps(config))
    save_file(tensors, folder / hub.WEIGHTS, metadata={"format": "pt"})
    return folder


def test_the_names_of_the_first_release_are_understood(
    files: Any, saved: Callable[[str], tuple[Path, Any]]
) -> None:
    folder, config, tensors = files("encodec-32khz")
    renamed = as_first_released(tensors)
    assert any(key.endswith("weight_g") for key in renamed)
    codec = load("encodec-32khz", write(folder, config, renamed))
    audio = broadband(0.3, 32_000)
    codes, _ = codes_and_audio("encodec-32khz", saved("encodec-32khz")[1], audio, 4)
    assert np.array_equal(np.concatenate(codec.encode(audio).codes), codes.numpy())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            "drop",
            r"does not fit \w+Model: 1 keys missing \(\S+\), 0 unexpected, 0 of another shape$",
        ),
        ("add", r"0 keys missing, 1 unexpected.*, 0 of another shape$"),
        ("both", r"1 keys missing \(\S+\), 1 unexpected.*, 0 of another shape$"),
        ("crop", r"0 keys missing, 0 unexpected, 1 of another shape \(\S+\)$"),
    ],
)
def test_tensors_must_fit_one_by_one(files: Any, name: str, change: str, text: str) -> None:
    folder, config, tensors = files(name)
    key = next(k for k in tensors if k.startswith("decoder") and k.endswith("conv.bias"))
    if change in ("drop", "both"):
        del tensors[key]
    if change in ("add", "both"):
        tensors["encoder.layers.99.weight"] = torch.zeros(3)
    if change == "crop":
        tensors[key] = tensors[key][:-1].clone()
    with pytest.raises(WeightsMismatch, match=text):
        load(name, write(folder, config, tensors))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"sampling_rate": 16_000}, r"describes 16000 Hz, 1 channels, 32 codebooks of 2048"),
        ({"codebook_size": 1024}, r"32 codebooks of 1024 at 12\.5 Hz, which is not mimi"),
        ({"num_quantizers": 7}, r"7 codebooks of 2048 at 12\.5 Hz, which is not mimi"),
        ({"model_type": "encodec"}, r"describes a model of type encodec, expected mimi"),
        ({"num_filters": "many"}, r"is no configuration of transformers' MimiModel \(\w+: "),
    ],
)
def test_another_model_is_refused(files: Any, change: dict[str, Any], text: str) -> None:
    folder, config, tensors = files("mimi")
    with pytest.raises(WeightsMismatch, match=text):
        load("mimi", write(folder, {**config, **change}, tensors))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", r"config\.json is not JSON \(Expecting .*\); fetch it again"),
        ("[]", "describes a model of type None, expected mimi"),
        ("{}", "describes a model of type None, expected mimi"),
    ],
)
def test_a_configuration_that_is_none_is_refused(files: Any, content: str, text: str) -> None:
    folder, config, tensors = files("mimi")
    write(folder, config, tensors)
    (folder / hub.CONFIG).write_text(content)
    with pytest.raises(WeightsMismatch, match=text):
        load("mimi", folder)


def test_damaged_weights_are_refused(files: Any) -> None:
    folder, config, tensors = files("mimi")
    write(folder, config, tensors)
    whole = (folder / hub.WEIGHTS).read_bytes()
    (folder / hub.WEIGHTS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsMismatch, match=r"model\.safetensors is damaged or not a weights"):
        load("mimi", folder)


@pytest.mark.parametrize("name", NAMES)
def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    found = importlib.util.find_spec

    def without(package: str) -> Any:
        return None if package == "transformers" else found(package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    text = rf"{name} needs the Python package 'transformers'.*pip install '\.\[transformers\]'"
    with pytest.raises(MissingPackage, match=text):
        make_plan(Request(name))
