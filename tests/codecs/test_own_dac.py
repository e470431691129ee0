"""DAC checkpoints of one's own: the package's save formats, depths, equality with the package."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from snacbench.errors import UserError, WeightsMismatch
from snacbench.selectors import select
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.codecs.own_models import (
    DAC_SHAPE,
    batch_of,
    notes_of,
    opened,
    spec_of,
    state_file,
    tiny_dac,
)
from tests.conftest import broadband


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
    (folder / "logs").mkdir()
    return folder


@pytest.mark.parametrize("place", ["", "latest", "latest/dac", "latest/dac/weights.pth"])
def test_the_saved_folders_open_at_every_level(run: Path, place: str) -> None:
    spec = spec_of(f"dac:{run / place}")
    assert (spec.name, spec.rate_hz, len(spec.streams)) == ("dac-exp3@3kbps", 24_000, 4)
    assert float(spec.streams[0].frame_rate_hz) == 75
    assert spec.nominal_kbps == 3.0


@pytest.mark.parametrize("codebooks", [1, 4])
def test_codes_and_audio_equal_the_package(run: Path, codebooks: int) -> None:
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


def test_what_is_known_of_it_follows_from_the_file(run: Path) -> None:
    ((model, spec),) = select(f"X=dac:{run}@3q")
    parameters = sum(p.numel() for p in tiny_dac().parameters())
    assert spec.params_m == pytest.approx(parameters / 1e6)
    assert spec.latency_s == pytest.approx(5_953 / 24_000)
    assert (spec.licence, spec.demonstration, spec.stochastic) == ("unknown", False, False)
    assert "Kumar" in spec.citation
    assert [len(p.streams) for p in model.points] == [1, 2, 3, 4]
    assert model.default == ("X@3kbps",)


def test_two_codebooks_of_other_rates_and_sizes(tmp_path: Path) -> None:
    shape = {"encoder_rates": [2, 5], "decoder_rates": [5, 2], "sample_rate": 8_000}
    tiny_dac(**shape, codebook_size=300, n_codebooks=2).save(
        str(tmp_path / "odd.pth"), package=False
    )
    spec = spec_of(f"dac:{tmp_path / 'odd.pth'}")
    assert spec.name == "dac-odd@14.4kbps"  # 800 Hz x 2 x 9 bit
    encoded = opened(f"dac:{tmp_path / 'odd.pth'}").encode(broadband(0.5, 8_000))
    assert [c.shape for c in encoded.codes] == [(1, 400)] * 2


# --------------------------------------------------------------------------- quantiser dropout


def truncated(selector: str) -> list[bool]:
    ((model, _),) = select(selector)
    return [p.truncated for p in model.points]


def test_dropout_is_read_off_the_package_beside_the_weights(run: Path) -> None:
    """``DAC.save`` writes False for it whatever the truth; the pickle in package.pth has it."""
    saved = torch.load(run / "latest" / "dac" / "weights.pth", weights_only=True)
    assert saved["metadata"]["kwargs"]["quantizer_dropout"] is False
    assert not any(truncated(f"X=dac:{run}"))
    assert "0.5 as in package.pth, which was read and not run" in notes_of(spec_of(f"X=dac:{run}"))


def test_without_it_lesser_depths_count_as_truncated(run: Path, tmp_path: Path) -> None:
    shutil.copy(run / "latest" / "dac" / "weights.pth", tmp_path / "a.pth")
    assert truncated(f"dac:{tmp_path / 'a.pth'}") == [True, True, True, False]
    assert "quantizer_dropout unknown" in notes_of(spec_of(f"dac:{tmp_path / 'a.pth'}"))


def test_a_configuration_beside_the_weights_may_tell_it(run: Path, tmp_path: Path) -> None:
    shutil.copy(run / "latest" / "dac" / "weights.pth", tmp_path / "b.pth")
    (tmp_path / "config.json").write_text('{"quantizer_dropout": 1.0}')
    assert not any(truncated(f"dac:{tmp_path / 'b.pth'}"))
    assert "quantizer_dropout from config.json" in notes_of(spec_of(f"dac:{tmp_path / 'b.pth'}"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no zip at all"])
def test_a_package_that_cannot_be_read_tells_nothing(
    run: Path, tmp_path: Path, content: bytes
) -> None:
    shutil.copy(run / "latest" / "dac" / "weights.pth", tmp_path / "c.pth")
    (tmp_path / "package.pth").write_bytes(content)
    assert "unknown" in notes_of(spec_of(f"dac:{tmp_path / 'c.pth'}"))


def test_a_package_without_dropout_says_so(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tiny_dac(quantizer_dropout=False).save_to_folder(tmp_path / "d")
    assert truncated(f"dac:{tmp_path / 'd'}") == [True, True, True, False]
    assert "quantizer_dropout 0 as in package.pth" in notes_of(spec_of(f"dac:{tmp_path / 'd'}"))


# ------------------------------------------------------------------------------- other layouts


def test_metadata_with_numpy_numbers_opens(tmp_path: Path) -> None:
    facts = {"loss": np.float64(0.1), "step": np.int64(4), "best": np.bool_(True)}
    tiny_dac().save(str(tmp_path / "np.pth"), metadata=facts, package=False)
    assert spec_of(f"dac:{tmp_path / 'np.pth'}").name == "dac-np@3kbps"


def test_arguments_of_a_changed_class_are_left_out_and_named(tmp_path: Path) -> None:
    state = tiny_dac().state_dict()
    kwargs = {**DAC_SHAPE, "my_loss_weight": 3}
    path = tmp_path / "mine.pth"
    torch.save({"state_dict": state, "metadata": {"kwargs": kwargs}}, path)
    assert "does not take left out: my_loss_weight" in notes_of(spec_of(f"dac:{path}"))


@pytest.mark.parametrize("nested", [False, True])
def test_bare_weights_open_with_a_configuration(tmp_path: Path, nested: bool) -> None:
    path = state_file(tmp_path / "bare.pth", tiny_dac().state_dict())
    config = {"model": DAC_SHAPE, "name": "whatever"} if nested else DAC_SHAPE
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert spec_of(f"dac:{tmp_path}").name == f"dac-{path.stem}@3kbps"


def test_the_embedded_model_opens_under_another_name() -> None:
    from snacbench.weights import embedded

    folder = embedded.folder("dac-mini")
    audio = broadband(0.4, 24_000)
    own, mini = opened(f"mine=dac:{folder}"), opened("dac-mini@12q")
    a, b = own.decode(own.encode(audio), seed=0), mini.decode(mini.encode(audio), seed=0)
    assert np.array_equal(a.samples, b.samples)
    assert not own.spec.demonstration
    with pytest.raises(UserError, match="dac-mini is the name of a codec that snacbench knows"):
        select(f"dac:{folder}")


# ------------------------------------------------------------------------------------- refusals


def test_bare_weights_alone_do_not_tell_how_they_are_built(tmp_path: Path) -> None:
    path = state_file(tmp_path / "bare.pth", tiny_dac().state_dict())
    with pytest.raises(UserError, match=r"does not tell how.*metadata.kwargs.*or a config.json"):
        select(f"dac:{path}")


def test_an_unknown_key_in_the_configuration_is_refused(tmp_path: Path) -> None:
    state_file(tmp_path / "bare.pth", tiny_dac().state_dict())
    (tmp_path / "config.json").write_text(json.dumps({**DAC_SHAPE, "encoder_rate": [2]}))
    with pytest.raises(UserError, match=r"mean nothing here: encoder_rate; there may be encoder_d"):
        select(f"dac:{tmp_path}")


def test_a_configuration_that_cannot_be_built_is_refused(tmp_path: Path) -> None:
    state_file(tmp_path / "bare.pth", tiny_dac().state_dict())
    (tmp_path / "config.json").write_text(json.dumps({**DAC_SHAPE, "encoder_dim": "four"}))
    with pytest.raises(UserError, match=r"the network that it describes cannot be built \(TypeE"):
        select(f"dac:{tmp_path}")


def test_a_configuration_of_another_network_is_refused_before_the_run(tmp_path: Path) -> None:
    state_file(tmp_path / "bare.pth", tiny_dac().state_dict())
    (tmp_path / "config.json").write_text(json.dumps({**DAC_SHAPE, "n_codebooks": 5}))
    text = r"does not fit DAC, which has \d+ keys: 7 keys missing \(quantizer.quantizers.4"
    with pytest.raises(WeightsMismatch, match=text):
        select(f"dac:{tmp_path}")


def test_a_checkpoint_written_over_during_a_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "live.pth"
    tiny_dac().save(str(path), package=False)
    ((model, spec),) = select(f"dac:{path}")
    located: Any = locate(model, WeightsPolicy("auto"))
    assert located.info.source == "own"
    assert located.info.origin == str(path)
    tiny_dac(5).save(str(path), package=False)
    with pytest.raises(WeightsMismatch, match=r"live.pth has changed since this run began; copy"):
        model.load(spec, located, "cpu")


def test_loading_without_weights_is_refused(run: Path) -> None:
    ((model, spec),) = select(f"X=dac:{run}")
    with pytest.raises(WeightsMismatch, match="cannot run without weights"):
        model.load(spec, None, "cpu")
