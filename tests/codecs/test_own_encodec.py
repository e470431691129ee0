"""EnCodec checkpoints of one's own: what shapes tell and what they cannot, the package's audio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from snacbench.codecs._checkpoint import read_checkpoint
from snacbench.codecs._seanet import shape_of
from snacbench.errors import UserError, WeightsMismatch
from snacbench.models import LocatedWeights
from snacbench.rate.bits import bits_of
from snacbench.selectors import select
from snacbench.types import WeightsInfo
from snacbench.weights import embedded
from tests.codecs.conftest import filled
from tests.codecs.own_models import batch_of, notes_of, opened, spec_of, state_file, tiny_encodec
from tests.conftest import broadband

TOLD = {"sample_rate": 24_000, "causal": True, "normalize": False, "segment": None}


def saved(folder: Path, model: Any, config: dict[str, Any] | None = None) -> Path:
    path = state_file(folder / "mine.th", model.state_dict())
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return path


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"ratios": [3, 2], "lstm": 0, "n_filters": 6, "dimension": 8, "n_q": 2},
        {"lstm": 1, "kernel_size": 5, "last_kernel_size": 3, "residual_kernel_size": 5},
        {"n_residual_layers": 2, "compress": 4, "true_skip": True, "ratios": [4, 2]},
        {"channels": 2, "norm": "time_group_norm", "causal": False, "ratios": [2, 2, 2]},
        {"norm": "none", "lstm": 0},
        {"norm": "weight_norm", "ratios": [5, 4]},
    ],
)
def test_shapes_tell_the_architecture(tmp_path: Path, shape: dict[str, Any]) -> None:
    model = tiny_encodec(**shape)
    found = shape_of(read_checkpoint(saved(tmp_path, model), "encodec"))
    rest = {k: v for k, v in shape.items() if k not in ("n_q", "causal")}
    again = tiny_encodec(1, **{**found.network, "causal": shape.get("causal", True)}, n_q=found.n_q)
    again.load_state_dict(model.state_dict())  # strict: every key and every shape
    for key, value in rest.items():
        assert found.network[key] == value
    assert again.encoder.ratios == model.encoder.ratios
    assert (found.n_q, found.bins) == (shape.get("n_q", 4), 64)


def test_codes_and_audio_equal_the_package(tmp_path: Path) -> None:
    package = tiny_encodec(ratios=[4, 4, 2])
    path = saved(tmp_path, package, {**TOLD, "target_bandwidths": [4.5, 18.0]})
    audio = broadband(0.6, 24_000)
    for kbps, codebooks in ((4.5, 1), (18.0, 4)):
        codec = opened(f"X=encodec:{path}@{kbps}")
        package.target_bandwidths = [4.5, 18.0]
        package.set_target_bandwidth(kbps)
        encoded = codec.encode(audio)
        with torch.inference_mode():
            codes = package.encode(batch_of(audio))[0][0]
            expected = package(batch_of(audio))[0].numpy()
        assert np.array_equal(np.stack([c[0] for c in encoded.codes]), codes[0].numpy())
        assert len(encoded.codes) == codebooks
        assert np.array_equal(codec.decode(encoded, seed=0).samples, expected)


def test_segments_scales_and_group_norm_follow_the_configuration(tmp_path: Path) -> None:
    shape = {"channels": 2, "norm": "time_group_norm", "causal": False, "ratios": [4, 2]}
    model = {"normalize": True, "segment": 0.5, "overlap": 0.02}
    package = tiny_encodec(rate_hz=8_000, bandwidths=(12.0, 24.0), model=model, **shape)
    config = {
        "sample_rate": 8_000, "causal": False, **model, "target_bandwidths": [12.0, 24.0],
        "encoder": {"norm": "time_group_norm"},
    }  # fmt: skip
    path = saved(tmp_path, package, config)
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
    config = {**TOLD, "sample_rate": 16_000, "target_bandwidths": [1.0, 0.3, 0.4, 99.0]}
    path = saved(tmp_path, tiny_encodec(), config)
    ((model, spec),) = select(f"encodec:{path}")
    assert [p.name for p in model.points] == [
        "encodec-mine@0.3kbps", "encodec-mine@0.9kbps", "encodec-mine@1.2kbps",
    ]  # fmt: skip
    assert [p.settings["bandwidth_kbps"] for p in model.points] == [0.3, 1.0, 99.0]
    assert len(spec.streams) == 4
    assert len(opened(f"encodec:{path}").encode(broadband(0.2, 16_000)).codes) == 4


@pytest.mark.parametrize("n_q", [1, 3, 7, 11])
def test_without_bandwidths_all_codebooks_are_the_one_point(tmp_path: Path, n_q: int) -> None:
    config = {**TOLD, "sample_rate": 22_050}
    path = saved(tmp_path, tiny_encodec(n_q=n_q), config)
    ((model, spec),) = select(f"encodec:{path}")
    assert len(model.points) == 1
    assert "all codebooks are its one operating point" in notes_of(spec)
    assert len(opened(f"encodec:{path}").encode(broadband(0.2, 22_050)).codes) == n_q


def test_latency_of_models_that_are_not_causal(tmp_path: Path) -> None:
    shape = {"ratios": [3, 2], "causal": False, "lstm": 0}
    told = {**TOLD, "causal": False}
    spec = spec_of(f"encodec:{saved(tmp_path, tiny_encodec(**shape), told)}")
    assert spec.latency_s
    assert spec.latency_s * 24_000 > 6
    whole = {**told, "normalize": True}
    assert spec_of(f"W=encodec:{saved(tmp_path, tiny_encodec(**shape), whole)}").latency_s is None


def test_parameters_are_counted_without_what_only_training_needs(tmp_path: Path) -> None:
    model = tiny_encodec()
    counted = sum(p.numel() for p in model.parameters()) + 4 * 64 * 16
    spec = spec_of(f"encodec:{saved(tmp_path, model, TOLD)}")
    assert spec.params_m == pytest.approx(counted / 1e6)


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
    assert "its shapes are those of encodec-24khz, whose rate and mode it gets" in notes_of(spec)
    assert spec.latency_s == pytest.approx(320 / 24_000)
    assert len(opened(f"encodec:{full_size}@6").encode(broadband(0.1, 24_000)).codes) == 8


def test_a_local_copy_of_published_weights_keeps_its_network_under_its_changed_name(
    full_size: Path,
) -> None:
    """A local file whose digest differs is run as ``-local``; it is no 48 kHz model for that."""
    from dataclasses import replace

    ((model, spec),) = select("encodec-24khz@6")
    local = replace(spec, name="encodec-24khz-local@6kbps", model="encodec-24khz-local")
    weights = LocatedWeights({full_size.name: full_size}, WeightsInfo("folder"))
    assert model.load(local, weights, "cpu").spec.rate_hz == 24_000


def test_a_file_of_the_other_published_network_is_refused(full_size: Path) -> None:
    ((model, spec),) = select("encodec-48khz@6")
    weights = LocatedWeights({full_size.name: full_size}, WeightsInfo("folder"))
    with pytest.raises(WeightsMismatch, match=r"describes 24000 Hz, 1 channels.*not encodec-48khz"):
        model.load(spec, weights, "cpu")


def test_the_layout_of_the_embedded_model_opens() -> None:
    audio = broadband(0.4, 24_000)
    own = opened(f"mine=encodec:{embedded.folder('encodec-mini')}@6")
    mini = opened("encodec-mini@6")
    a, b = (c.decode(c.encode(audio), seed=0).samples for c in (own, mini))
    assert np.array_equal(a, b)
    assert own.spec.params_m == mini.spec.params_m
    assert own.spec.latency_s == mini.spec.latency_s


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, r"shapes are those of no published EnCodec .*write a config.json .*sample_rate, ca"),
        ({"sample_rate": 24_000}, r"lacks causal, normalize, segment, which the shapes of the we"),
        ({**TOLD, "bandwidths": [3]}, r"keys that mean nothing here: bandwidths; there may be sam"),
        ({**TOLD, "encoder": {"dimension": 8}}, r"does not fit EncodecModel.*of another shape"),
        ({**TOLD, "encoder": {"colour": 8}}, r"the network that it describes cannot be built"),
        ({**TOLD, "sample_rate": "24k"}, r"the network that it describes cannot be built"),
    ],
)
def test_what_shapes_cannot_tell_must_be_told(
    tmp_path: Path, config: dict[str, Any] | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        select(f"encodec:{saved(tmp_path, tiny_encodec(), config)}")


def test_two_norms_of_the_same_shapes_must_be_told_apart(tmp_path: Path) -> None:
    model = tiny_encodec(norm="time_group_norm", causal=False)
    with pytest.raises(UserError, match=r'lacks encoder: \{"norm": "time_group_norm" or "layer_no'):
        select(f"encodec:{saved(tmp_path, model, {**TOLD, 'causal': False})}")


def test_weights_that_are_no_seanet_are_refused(tmp_path: Path) -> None:
    state = {"encoder.model.0.weight": torch.zeros(3), "quantizer.vq.layers.x": torch.zeros(1)}
    path = state_file(tmp_path / "x.th", state)
    with pytest.raises(WeightsMismatch, match=r"cannot be made out from 2 keys such as enc"):
        select(f"encodec:{path}")
