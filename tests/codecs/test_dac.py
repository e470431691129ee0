"""DAC: true rates, depth, exact lengths, equality with the package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snacbench.codecs._checkpoint import load_tensors
from snacbench.errors import UnknownPoint, WeightsMismatch
from snacbench.models import LocatedWeights
from snacbench.plugins import codec_models
from snacbench.selectors import select
from snacbench.types import Codec, WeightsInfo
from snacbench.weights import embedded
from tests.conftest import broadband
from tests.support.codec_models import filled

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("name", "codebooks", "kbps"),
    [
        ("dac-44khz", 9, 7.752),
        ("dac-44khz-16kbps", 18, 15.504),
        ("dac-24khz", 32, 24.0),
        ("dac-16khz", 12, 6.0),
    ],
)
def test_the_label_is_not_the_rate(name: str, codebooks: int, kbps: float) -> None:
    top = codec_models()[name].points[-1]
    assert len(top.streams) == codebooks
    assert top.nominal_kbps == pytest.approx(kbps, abs=5e-4)


def test_the_papers_rates_are_2_3_6_and_9_codebooks() -> None:
    specs = [spec for _, spec in select("dac")]
    assert [len(spec.streams) for spec in specs] == [2, 3, 6, 9]
    assert [s.nominal_kbps for s in specs] == pytest.approx([1.723, 2.584, 5.168, 7.752], abs=1e-3)


def test_every_number_of_codebooks_is_an_operating_point() -> None:
    assert [len(p.streams) for p in codec_models()["dac-24khz"].points] == list(range(1, 33))
    with pytest.raises(UnknownPoint, match=r"no operating point within 5 % of '33q'"):
        select("dac-24khz@33q")


def package_model() -> Any:
    from dac import DAC

    model = DAC(**embedded.config("dac-mini")["model"])
    model.load_state_dict(load_tensors(embedded.folder("dac-mini") / "model.safetensors"))
    return model.eval()


@pytest.mark.parametrize("codebooks", [1, 3, 12])
def test_equals_the_package(loaded: Callable[[str], Codec], codebooks: int) -> None:
    audio = broadband(1.1, 24_000)
    codec = loaded(f"dac-mini@{codebooks}q")
    encoded = codec.encode(audio)
    model = package_model()
    with torch.inference_mode():
        batch = model.preprocess(torch.from_numpy(np.array(audio.samples))[None], 24_000)
        z, codes, *_ = model.encode(batch, codebooks)
        z_again = model.quantizer.from_codes(codes)[0]
        expected = model.decode(z_again)[0]
    assert np.array_equal(np.concatenate(encoded.codes), codes[0].numpy())
    assert torch.allclose(z, z_again, atol=1e-4)
    decoded = codec.decode(encoded, seed=0).samples
    n = min(expected.shape[-1], audio.num_samples)
    assert np.array_equal(decoded[:, :n], expected[:, :n].numpy())


def test_models_whose_strides_are_odd_return_the_exact_length_all_the_same() -> None:
    """At 24 and 16 kHz the network itself returns 8 samples fewer than it got."""
    model = package_model()
    with torch.inference_mode():
        latent = model.encode(torch.zeros(1, 1, 3200), 2)[0]
        assert model.decode(latent).shape[-1] == 3200 - 8


def save(path: Path, **changes: Any) -> LocatedWeights:
    """A tiny model in DAC's own save format."""
    from dac import DAC

    kwargs = {
        "encoder_dim": 4, "encoder_rates": [2, 4, 8, 8], "decoder_dim": 32,
        "decoder_rates": [8, 8, 4, 2], "n_codebooks": 9, "sample_rate": 44_100, **changes,
    }  # fmt: skip
    model = filled(DAC(**kwargs))
    torch.save({"state_dict": model.state_dict(), "metadata": {"kwargs": kwargs}}, path)
    return LocatedWeights({path.name: path}, WeightsInfo("folder"))


def test_a_model_of_another_rate_is_refused(tmp_path: Path) -> None:
    model, spec = select("dac-44khz@3q")[0]
    weights = save(tmp_path / "weights.pth", sample_rate=24_000)
    with pytest.raises(WeightsMismatch, match=r"describes 24000 Hz.*which is not dac-44khz"):
        model.load(spec, weights, "cpu")
