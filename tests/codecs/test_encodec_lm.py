"""EnCodec's language models, with random weights in the true format."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snacbench.errors import WeightsMismatch
from snacbench.files import sha256_of_file
from snacbench.models import LocatedWeights
from snacbench.rate.coding.coders import LanguageCoder, shapes_of
from snacbench.types import Codes, WeightsInfo
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.support.hosts import Reply, serve

torch = pytest.importorskip("torch")

from snacbench.codecs import encodec as lm  # noqa: E402
from tests.support.language_models import FULL, TINY, write_weights  # noqa: E402


def random_codes(facts: lm.LanguageFacts, frames: int, streams: int) -> tuple[Codes, ...]:
    random = np.random.default_rng(1)
    codes = random.integers(0, facts.arguments["card"], (streams, 1, frames))
    return tuple(codes.astype(np.int32))


def loaded(path: Path, monkeypatch: pytest.MonkeyPatch) -> lm.LanguageModel:
    monkeypatch.setattr(lm, "LANGUAGE_FACTS", (TINY,))
    digests = {path.name: sha256_of_file(path)}
    return lm.load_language_model(
        TINY.codec, LocatedWeights({path.name: path}, WeightsInfo(sha256=digests))
    )


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> lm.LanguageModel:
    return loaded(write_weights(TINY, tmp_path), monkeypatch)


def test_probabilities_are_those_of_the_package(tiny: lm.LanguageModel) -> None:
    codes = np.stack(random_codes(TINY, 8, 4))[:, 0].astype(np.int64)
    step = tiny.begin(4)
    stepped = [step(None), *(step(codes[:, t]) for t in range(7))]
    given = torch.from_numpy(np.concatenate([np.zeros((4, 1), np.int64), 1 + codes[:, :-1]], 1))
    with torch.inference_mode():
        at_once, _, _ = tiny.network(given[None])
    expected = at_once[0].permute(2, 1, 0).numpy()
    assert np.allclose(np.stack(stepped), expected, atol=1e-5)
    assert np.allclose(expected.sum(axis=-1), 1, atol=1e-5)


def test_files_of_other_shapes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_weights(replace(TINY, arguments={**TINY.arguments, "dim": 24}), tmp_path)
    with pytest.raises(WeightsMismatch, match="shape"):
        loaded(path, monkeypatch)


@pytest.mark.parametrize("codec", sorted(FULL))
def test_facts_are_those_of_the_package(codec: str) -> None:
    """What `get_lm_model` would build: it reads them from the codec's network."""
    from encodec.model import EncodecModel

    with torch.device("meta"):
        maker = {"encodec-24khz": EncodecModel.encodec_model_24khz}
        model = maker.get(codec, EncodecModel.encodec_model_48khz)(pretrained=False)
    facts, sizes = FULL[codec], (model.quantizer.n_q, model.quantizer.bins)
    assert (facts.arguments["n_q"], facts.arguments["card"]) == sizes
    assert facts.arguments["past_context"] == int(3.5 * model.frame_rate)
    segment_s = model.segment
    assert facts.segment_frames == (segment_s and int(segment_s * model.frame_rate))


def test_from_the_host_to_a_coder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The true name, address and size; the format is the one that the package itself saves."""
    for name in ("SNACBENCH_OFFLINE", "SNACBENCH_WEIGHTS_LOCK"):
        monkeypatch.delenv(name, raising=False)
    for name in ("SNACBENCH_CACHE", "SNACBENCH_STATE", "TORCH_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    facts = FULL["encodec-24khz"]
    path = write_weights(facts, tmp_path)
    assert path.stat().st_size > 60e6
    model = lm.LANGUAGE_MODELS["encodec-24khz"]
    assert model.source is not None
    (file,) = model.source.files
    assert path.name.endswith(f"{file.sha256}.th")
    # The pinned digits become those of the file.
    pinned = replace(file, sha256=sha256_of_file(path)[: len(file.sha256)])
    model = replace(model, source=replace(model.source, files=(pinned,)))
    with serve() as host:
        monkeypatch.setenv("SNACBENCH_ENCODEC_ENDPOINT", host.address)
        host.replies[f"/{file.url_path}"] = Reply(path)
        located = locate(model, WeightsPolicy("published"))
    assert located is not None
    assert located.info.sha256 == {facts.file: sha256_of_file(path)}
    coder = LanguageCoder(lm.load_language_model("encodec-24khz", located))
    assert coder.tables_sha256 == sha256_of_file(path)
    codes, sizes = random_codes(facts, 3, 2), [1024] * 2
    decoded = coder.decode(coder.encode(codes, sizes), shapes_of(codes, sizes))
    assert all(map(np.array_equal, codes, decoded))


def test_bytes_are_those_of_the_authors_coder_to_a_few(tiny: lm.LanguageModel) -> None:
    """Their arithmetic coder on the same probabilities, segment by segment."""
    from encodec.quantization.ac import ArithmeticCoder, build_stable_quantized_cdf

    codes = random_codes(TINY, 36, 4)
    stacked = np.stack(codes)[:, 0].astype(np.int64)
    file = io.BytesIO()
    for start in range(0, 36, 9):
        step, before, theirs = tiny.begin(4), None, ArithmeticCoder(file)
        for frame in range(start, start + 9):
            chances = torch.from_numpy(step(before))
            before = stacked[:, frame]
            for code, likely in zip(before.tolist(), chances, strict=True):
                theirs.push(code, build_stable_quantized_cdf(likely, theirs.total_range_bits))
        theirs.flush()
    coder, sizes = LanguageCoder(tiny), [32] * 4
    data = coder.encode(codes, sizes)
    assert all(map(np.array_equal, codes, coder.decode(data, shapes_of(codes, sizes))))
    ours = sum(map(len, data))
    # Theirs ends each of the four segments with all of the 24 bits and more that it holds.
    assert file.tell() - 4 * 5 <= ours <= file.tell()
