"""EnCodec 32 kHz and Mimi: the hub's files, strict loading, codes and audio as in transformers."""

import json
import socket
from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from safetensors.torch import load_file, save_file  # noqa: E402

from snacbench.codecs import transformers_hub as hub  # noqa: E402
from snacbench.errors import WeightsMismatch  # noqa: E402
from snacbench.plugins import codec_models  # noqa: E402
from snacbench.rate.bits import bits_of  # noqa: E402
from snacbench.selectors import select  # noqa: E402
from snacbench.types import Audio, Stream  # noqa: E402
from snacbench.weights.locate import locate  # noqa: E402
from snacbench.weights.policy import WeightsPolicy  # noqa: E402
from tests.conftest import broadband  # noqa: E402
from tests.support import codec_models as models  # noqa: E402
from tests.support.cases import cases  # noqa: E402

NAMES = sorted(models.CLASSES)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """``saved("mimi")``: a folder in the hub's layout, and the object that was saved there."""
    made = {}

    def save(name):
        if name not in made:
            torch.manual_seed(0)
            model = models.filled(models.network(name, **models.CONFIGURATIONS["narrow"][name]))
            for key, gains in model.named_parameters():  # so that codes differ
                gains.data *= 2 if key.endswith("original0") else 1
            made[name] = (tmp_path_factory.mktemp(name), model)
            model.save_pretrained(made[name][0])
        return made[name]

    return save


def load(selector, folder):
    ((model, spec),) = select(selector)
    return model.load(spec, locate(model, WeightsPolicy(folder)), "cpu")


def codes_and_audio(name, model, audio, depth):
    """What the library's own calls give, with its own choice of bandwidth or depth."""
    batch = models.batch_of(audio)
    with torch.inference_mode():
        if name == "mimi":
            codes = model.encode(batch, num_quantizers=depth).audio_codes
            return codes[0], model.decode(codes).audio_values[0]
        encoded = model.encode(batch, bandwidth=2.2)
        codes = encoded.audio_codes[:, :, :depth]
        return codes[0, 0], model.decode(codes, encoded.audio_scales).audio_values[0]


@pytest.mark.parametrize(("name", "depths", "default", "trained_from", "stream", "megabytes"), [
    ("encodec-32khz", 4, "encodec-32khz@2.2kbps", 4, Stream(Fraction(50), 2048), 235.97),
    ("mimi", 32, "mimi@1.1kbps", 8, Stream(Fraction(25, 2), 2048), 384.64),
])  # fmt: skip
def test_points_and_sizes_are_the_published(name, depths, default, trained_from, stream, megabytes):
    model = codec_models()[name]
    assert [p.streams for p in model.points] == [(stream,) * n for n in range(1, depths + 1)]
    assert model.default == (default,)
    assert [p.truncated for p in model.points] == [n < trained_from for n in range(1, depths + 1)]
    with torch.device("meta"):
        whole = models.network(name)
    counted = sum(p.numel() for p in whole.parameters())
    books = (b for k, b in whole.named_buffers() if k.endswith(("embed", "embed_sum")))
    counted += sum(book.numel() for book in books)
    assert counted / 1e6 == pytest.approx(model.points[-1].params_m, abs=0.05)
    stored = sum(t.numel() * t.element_size() for t in whole.state_dict().values())
    assert stored / 1e6 == pytest.approx(megabytes, abs=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_codes_and_audio_equal_the_librarys_without_a_network(saved, monkeypatch, name):
    def refuse(*arguments, **options):
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    folder, model = saved(name)
    codec = load(name, folder)
    points = codec_models()[name].points
    for point in (codec.spec, points[0], points[-1]):
        at, audio = codec.at(point), broadband(1.013, codec.spec.rate_hz)
        codes, expected = codes_and_audio(name, model, audio, len(point.streams))
        encoded = at.encode(audio)
        assert np.array_equal(np.concatenate(encoded.codes), codes.numpy())
        decoded = at.decode(encoded, seed=0)
        assert np.array_equal(decoded.samples, expected[:, : audio.num_samples].numpy())
    frame = round(codec.spec.rate_hz / codec.spec.streams[0].frame_rate_hz)
    for samples in (1, frame - 1, frame, frame + 1, 48_001):
        full = broadband(2.1, codec.spec.rate_hz)
        encoded = codec.encode(Audio(full.samples[:, :samples], full.rate_hz))
        assert encoded.codes[0].shape == (1, -(-samples // frame))
        assert codec.decode(encoded, seed=0).num_samples == samples
        assert bits_of(encoded, codec.spec).codes == 11 * len(encoded.codes) * -(-samples // frame)
    # In a batch, signals of one length are as alone.
    signals = [broadband(0.4, codec.spec.rate_hz, seed=seed) for seed in (1, 2)]
    together = codec.encode_batch(signals)
    decoded = codec.decode_batch(together, seeds=[0, 0])
    for signal, encoded, output in zip(signals, together, decoded, strict=True):
        assert all(map(np.array_equal, encoded.codes, codec.encode(signal).codes))
        assert np.allclose(output.samples, codec.decode(encoded, seed=0).samples, atol=1e-4)


@pytest.mark.parametrize(("change", "text"), cases(__file__)["refused"])
def test_another_model_or_none_is_refused(saved, tmp_path, change, text):
    config, weights = ((saved("mimi")[0] / name).read_bytes() for name in (hub.CONFIG, hub.WEIGHTS))
    if isinstance(change, dict):
        config = json.dumps({**json.loads(config), **change}).encode()
    (tmp_path / hub.CONFIG).write_bytes(b"{" if change == "{" else config)
    (tmp_path / hub.WEIGHTS).write_bytes(weights[: len(weights) // 2] if not change else weights)
    if change == "add":
        held = {**load_file(tmp_path / hub.WEIGHTS), "encoder.layers.99.weight": torch.zeros(3)}
        save_file(held, tmp_path / hub.WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(WeightsMismatch, match=text):
        load("mimi", tmp_path)
