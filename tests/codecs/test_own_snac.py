"""SNAC checkpoints of one's own: the hub's layout, levels, equality with the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from safetensors.torch import save_file

from snacbench.errors import UserError, WeightsMismatch
from snacbench.selectors import select
from snacbench.weights import embedded
from tests.codecs.conftest import narrow_snac
from tests.codecs.own_models import batch_of, opened, spec_of, state_file, tiny_snac
from tests.conftest import broadband

CONFIG = narrow_snac("snac-24khz")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``SNAC.from_pretrained`` reads."""
    folder = tmp_path_factory.mktemp("hub") / "snac_mine"
    state_file(folder / "pytorch_model.bin", tiny_snac().state_dict())
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


def test_codes_and_audio_equal_the_package(folder: Path) -> None:
    from snac import SNAC

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


def test_what_is_known_of_it_follows_from_its_files(folder: Path) -> None:
    ((model, spec),) = select(f"snac:{folder}")
    assert (spec.name, spec.rate_hz, spec.stochastic) == ("snac-snac_mine", 24_000, True)
    assert [float(s.frame_rate_hz) for s in spec.streams] == pytest.approx(
        [11.72, 23.44, 46.88], 1e-3
    )
    assert [p.truncated for p in model.points] == [True, True, False]
    assert spec.latency_s == pytest.approx(11_561 / 24_000)
    assert spec.params_m == pytest.approx(sum(p.numel() for p in tiny_snac().parameters()) / 1e6)
    assert spec_of(f"S=snac:{folder}@2q").name == "S@0.422kbps"


def test_a_model_without_noise_is_deterministic(tmp_path: Path) -> None:
    shape = {"noise": False, "vq_strides": [8, 2, 1], "sampling_rate": 16_000}
    save_file(tiny_snac(**shape).state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, **shape}))
    spec = spec_of(f"quiet=snac:{tmp_path / 'model.safetensors'}")
    assert not spec.stochastic
    assert [float(s.frame_rate_hz) for s in spec.streams] == [3.90625, 15.625, 31.25]


def test_the_layout_of_the_embedded_model_opens() -> None:
    audio = broadband(0.4, 24_000)
    own = opened(f"mine=snac:{embedded.folder('snac-mini')}")
    mini = opened("snac-mini")
    a, b = (c.decode(c.encode(audio), seed=3).samples for c in (own, mini))
    assert np.array_equal(a, b)


def broken(folder: Path, config: Any) -> str:
    state_file(folder / "pytorch_model.bin", tiny_snac().state_dict())
    if config is not None:
        text = config if isinstance(config, str) else json.dumps(config)
        (folder / "config.json").write_text(text)
    return f"snac:{folder}"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, r"config.json is missing: the weights do not tell rates; expected the arguments"),
        ({k: v for k, v in CONFIG.items() if k != "sampling_rate"}, "lacks sampling_rate: the we"),
        ("{", r"config.json is not JSON \("),
        ([1], r"expected an object of names and values, found \[1\]"),
        ({**CONFIG, "strides": [1]}, "keys that mean nothing here: strides; there may be sampling"),
        ({**CONFIG, "model_type": "mimi"}, r"a model of the transformers library \(mimi\)"),
        ({**CONFIG, "vq_strides": 4}, r"the network that it describes cannot be built \(TypeError"),
    ],
)
def test_a_configuration_that_does_not_do_is_refused(
    tmp_path: Path, config: Any, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        select(broken(tmp_path, config))


def test_a_configuration_of_another_network_is_refused(tmp_path: Path) -> None:
    text = r"does not fit SNAC.*keys of another shape \(.*\); \S+ is \(.*\) in the file and \("
    with pytest.raises(WeightsMismatch, match=text):
        select(broken(tmp_path, {**CONFIG, "codebook_size": 512}))


def test_naming_the_configuration_instead_of_the_weights_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="is the configuration; name the weights file, or their"):
        select(f"snac:{folder / 'config.json'}")
