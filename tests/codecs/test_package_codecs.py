"""SNAC, DAC, EnCodec: rates as published, codes and audio as their packages compute; batches."""

import json
import math
import warnings
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from snacbench.codecs import _neural as neural  # noqa: E402
from snacbench.errors import AudioError, CodecError, UserError, WeightsMismatch  # noqa: E402
from snacbench.models import LocatedWeights  # noqa: E402
from snacbench.plugins import codec_models  # noqa: E402
from snacbench.rate.bits import bits_of  # noqa: E402
from snacbench.runner import contract  # noqa: E402
from snacbench.selectors import select  # noqa: E402
from snacbench.types import Audio, WeightsInfo  # noqa: E402
from snacbench.weights.locate import locate  # noqa: E402
from snacbench.weights.policy import WeightsPolicy  # noqa: E402
from tests.conftest import broadband  # noqa: E402
from tests.support import codec_models as models  # noqa: E402

# At full depth; the labels of DAC's models are not their rates.
RATES = {
    "dac-44khz": (7.752, 9), "dac-44khz-16kbps": (15.504, 18), "dac-16khz": (6.0, 12),
    "snac-24khz": (0.984, [0.141, 0.281, 0.563]),
    "snac-44khz": (2.584, [0.172, 0.345, 0.689, 1.378]),
    "encodec-24khz": (24, 32), "encodec-48khz": (24, 16),
}  # fmt: skip


def test_rates_depths_and_bandwidths_are_as_published():
    for name, (kbps, streams) in RATES.items():
        model = codec_models()[name]
        top = model.points[-1]
        assert top.nominal_kbps == pytest.approx(kbps, abs=5e-4)
        if isinstance(streams, list):
            by_level = [float(stream.bit_per_s) / 1000 for stream in top.streams]
            assert by_level == pytest.approx(streams, abs=5e-4)
            assert [p.name for p in model.points if not p.truncated] == [name]
        else:
            assert len(top.streams) == streams
    assert [p.nominal_kbps for p in codec_models()["encodec-24khz"].points] == [1.5, 3, 6, 12, 24]
    assert [len(p.streams) for p in codec_models()["dac-24khz"].points] == list(range(1, 33))
    kbps = [spec.nominal_kbps for _, spec in select("dac")]  # the paper's
    assert kbps == pytest.approx([1.723, 2.584, 5.168, 7.752], abs=1e-3)


def test_a_device_that_is_not_here_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="finds no CUDA device"):
        neural.ready_device("cuda")


def test_files_of_another_model_are_refused(tmp_path):
    path, narrow = tmp_path / "snac" / "pytorch_model.bin", models.narrow_snac("snac-32khz")
    snac = models.with_config(path, models.filled(models.tiny_snac(**narrow)), narrow)
    dac = tmp_path / "weights.pth"
    models.tiny_dac().save(str(dac), package=False)
    own = (models.tiny_encodec(), models.encodec_config())
    encodec = models.with_config(tmp_path / "x" / "x.th", *own)
    for name, path, text in (
        ("snac-24khz", snac, "describes 32000 Hz, 1 channels, 4 codebooks of 4096 at 10.4167, 20"),
        ("dac-44khz@3q", dac, "describes 24000 Hz, 1 channels, 4 codebooks of 1024 at 75 Hz"),
        ("encodec-48khz@6", encodec, "describes 24000 Hz, 1 channels, 4 codebooks of 64 at 75 Hz"),
    ):
        model, spec = select(name)[0]
        files = {path.name: path}
        if (path.parent / "config.json").is_file():
            files["config.json"] = path.parent / "config.json"
        with pytest.raises(WeightsMismatch, match=f"{text}.*, which is not {spec.model}"):
            model.load(spec, LocatedWeights(files, WeightsInfo("folder")), "cpu")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """``exp3/latest``, as DAC's training script writes it."""
    folder = tmp_path_factory.mktemp("runs") / "exp3"
    extra = {"optimizer.pth": {"state": {}}, "metadata.pth": {"logs": {}}, "tracker.pth": {}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models.tiny_dac(quantizer_dropout=0.5).save_to_folder(folder / "latest", extra)
    (folder / "latest" / "discriminator").mkdir()
    torch.save({"state_dict": {}}, folder / "latest" / "discriminator" / "weights.pth")
    return folder


@pytest.mark.parametrize("place", ["", "latest/dac/weights.pth"])
def test_what_dac_saves_opens_at_every_level(run, place):
    ((model, spec),) = select(f"dac:{run / place}")
    assert (spec.name, spec.rate_hz, len(spec.streams)) == ("dac-exp3@3kbps", 24_000, 4)
    assert (spec.nominal_kbps, float(spec.streams[0].frame_rate_hz)) == (3.0, 75)
    assert [len(p.streams) for p in model.points] == [1, 2, 3, 4]
    (note,) = spec.settings["notes"]
    assert "quantizer_dropout unknown (DAC.save does not keep it)" in note


@pytest.mark.parametrize("codebooks", [1, 4])
def test_codes_and_audio_of_a_dac_equal_the_package(run, codebooks):
    from dac import DAC

    audio = broadband(0.72, 24_000)
    codec = models.opened(f"X=dac:{run}@{codebooks}q")
    encoded = codec.encode(audio)
    package = DAC.load_from_folder(run / "latest", package=False)[0].eval()
    with torch.inference_mode():
        codes = package.encode(package.preprocess(models.batch_of(audio), 24_000), codebooks)[1]
        expected = package.decode(package.quantizer.from_codes(codes)[0])[0].numpy()
    assert np.array_equal(np.concatenate(encoded.codes), codes[0].numpy())
    ours = codec.decode(encoded, seed=0).samples
    n = min(expected.shape[-1], audio.num_samples)
    assert np.array_equal(ours[:, :n], expected[:, :n])


def test_a_configuration_beside_a_dac_adds_what_its_file_lacks(tmp_path):
    facts = {"loss": np.float64(0.1), "step": np.int64(4), "best": np.bool_(True)}
    shape = {"encoder_rates": [2, 5], "decoder_rates": [5, 2], "sample_rate": 8_000}
    model = models.tiny_dac(**shape, codebook_size=300, n_codebooks=2)
    model.save(str(tmp_path / "odd.pth"), metadata=facts, package=False)
    (tmp_path / "config.json").write_text('{"quantizer_dropout": 1.0}')
    ((found, spec),) = select(f"dac:{tmp_path / 'odd.pth'}")
    assert spec.name == "dac-odd@14.4kbps"  # 800 Hz x 2 x 9 bit
    assert not any(p.truncated for p in found.points)
    assert spec.settings["notes"] == ["quantizer_dropout from config.json"]
    encoded = models.opened(f"dac:{tmp_path / 'odd.pth'}").encode(broadband(0.5, 8_000))
    assert [c.shape for c in encoded.codes] == [(1, 400)] * 2


def test_codes_and_audio_of_a_snac_equal_the_package(tmp_path):
    from snac import SNAC

    path = tmp_path / "snac_mine" / "pytorch_model.bin"
    path = models.with_config(path, models.tiny_snac(), models.TINY_SNAC)
    ((model, spec),) = select(f"snac:{path.parent}")
    assert (spec.name, spec.rate_hz, spec.stochastic) == ("snac-snac_mine", 24_000, True)
    assert [p.truncated for p in model.points] == [True, True, False]
    audio = broadband(0.8, 24_000)
    codec = models.opened(f"snac:{path}")
    encoded = codec.encode(audio)
    package = SNAC.from_pretrained(str(path.parent))
    with torch.inference_mode():
        codes = package.encode(models.batch_of(audio))
        torch.manual_seed(7)
        expected = package.decode(codes)[0, :, : audio.num_samples].numpy()
    assert all(np.array_equal(a, b) for a, b in zip(encoded.codes, codes, strict=True))
    assert np.array_equal(codec.decode(encoded, seed=7).samples, expected)
    for lesser in model.points[:2]:
        cut = codec.at(lesser).encode(audio)
        assert len(cut.codes) == len(lesser.streams)
        assert all(np.array_equal(a, b) for a, b in zip(cut.codes, encoded.codes, strict=False))
        assert codec.at(lesser).decode(cut, seed=0).num_samples == audio.num_samples


def test_a_snac_without_noise_is_deterministic(tmp_path):
    shape = {"noise": False, "vq_strides": [8, 2, 1], "sampling_rate": 16_000}
    save_file(models.tiny_snac(**shape).state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({**models.TINY_SNAC, **shape}))
    ((_, spec),) = select(f"quiet=snac:{tmp_path / 'model.safetensors'}")
    assert not spec.stochastic
    assert [float(s.frame_rate_hz) for s in spec.streams] == [3.90625, 15.625, 31.25]


def test_codes_and_audio_of_an_encodec_equal_the_package(tmp_path):
    config = models.encodec_config({"ratios": [4, 4, 2]}, target_bandwidths=[4.5, 18.0])
    package = models.encodec_of(config)
    path = models.with_config(tmp_path / "mine.th", package, config)
    audio = broadband(0.6, 24_000)
    first = models.opened(f"X=encodec:{path}@4.5")
    for kbps, codebooks in ((4.5, 1), (18.0, 4)):
        codec = first.at(select(f"X=encodec:{path}@{kbps}")[0][1])
        package.set_target_bandwidth(kbps)
        encoded = codec.encode(audio)
        with torch.inference_mode():
            codes = package.encode(models.batch_of(audio))[0][0]
            expected = package(models.batch_of(audio))[0].numpy()
        assert np.array_equal(np.stack([c[0] for c in encoded.codes]), codes[0].numpy())
        assert len(encoded.codes) == codebooks
        assert np.array_equal(codec.decode(encoded, seed=0).samples, expected)
    assert len(first.encode(audio).codes) == 1  # the bandwidth is set for every call


@pytest.mark.parametrize("samples", [1, 3_960, 3_961, 10_400])
def test_segments_and_scales_round_trip_as_in_the_package(tmp_path, samples):
    package, config = models.segmented_encodec()
    path = models.with_config(tmp_path / "a.th", package, config)
    codec = models.opened(f"encodec:{path}")
    assert (codec.spec.channels, codec.spec.latency_s) == ((2,), 0.5)
    assert codec.spec.tokens_per_s == pytest.approx(2 * 1000 / 0.99)
    audio = Audio(broadband(1.3, 8_000, channels=2).samples[:, :samples], 8_000)
    package.set_target_bandwidth(12.0)
    with torch.inference_mode():
        expected = package(models.batch_of(audio))[0].numpy()
    encoded = codec.encode(audio)
    assert np.array_equal(codec.decode(encoded, seed=0).samples, expected)
    bits = bits_of(encoded, codec.spec)
    segments = -(-samples // 3_960)
    assert bits.side_info == 32 * segments
    with pytest.raises(CodecError, match=rf"4 for each of {segments} segments"):
        codec.decode(replace(encoded, side_info=b""), seed=0)
    if samples == 10_400:  # the true rate is the nominal one over 0.99
        assert bits.codes / 1.3 / 1000 == pytest.approx(12 / 0.99, rel=0.02)


def test_bandwidths_are_named_by_what_is_sent(tmp_path):
    """At 16 kHz and hop 320 a codebook of 64 entries is 0.3 kbps; labels need not be multiples."""
    config = models.encodec_config(sample_rate=16_000, target_bandwidths=[1.0, 0.3, 0.4, 99.0])
    path = models.with_config(tmp_path / "mine.th", models.encodec_of(config), config)
    ((model, _),) = select(f"encodec:{path}")
    names = ["encodec-mine@0.3kbps", "encodec-mine@0.9kbps", "encodec-mine@1.2kbps"]
    assert [p.name for p in model.points] == names
    assert [p.settings["bandwidth_kbps"] for p in model.points] == [0.3, 1.0, 99.0]


def test_other_weights_of_a_published_network_get_its_rate_and_say_so(tmp_path):
    from encodec import EncodecModel

    torch.manual_seed(0)
    network = models.filled(EncodecModel.encodec_model_24khz(pretrained=False))
    path = models.with_config(tmp_path / "tuned.th", network, None)
    ((model, spec),) = select(f"encodec:{path}")
    assert [p.nominal_kbps for p in model.points] == [1.5, 3, 6, 12, 24]
    assert (spec.rate_hz, spec.name) == (24_000, "encodec-tuned@24kbps")
    assert "it fits encodec-24khz, whose rate and mode it gets" in spec.settings["notes"][0]


MINIS = ["snac-mini", "dac-mini@9q", "encodec-mini@6"]
DAC_44KHZ = {"encoder_rates": [2, 4, 8, 8], "decoder_rates": [8, 8, 4, 2]}


def test_what_is_no_number_is_no_signal(loaded):
    codec = loaded("dac-mini@9q")
    whole = codec.encode(broadband(0.1, 24_000))
    broken = type("Broken", (type(codec),), {"synthesise": lambda *_: torch.tensor([[[math.nan]]])})
    with pytest.raises(AudioError, match="NaN or infinite"):
        broken(codec.spec, codec.model, codec.device).decode(whole, seed=0)


def signals_for(codec, cuts):
    """Different sounds, each a few samples short of the same padded length."""
    rate_hz, channels = codec.spec.rate_hz, max(codec.spec.channels)
    whole = codec.padded_length(rate_hz // 2)
    equal = codec.padded_length(whole - 1) != whole  # lengths must then be equal to the sample
    made = []
    for seed, cut in enumerate(cuts):
        audio = broadband(whole / rate_hz, rate_hz, channels=channels, seed=seed)
        made.append(audio if equal else Audio(audio.samples[:, : whole - cut], rate_hz))
    return made


def assert_as_alone(codec, signals):
    seeds = [3, 14, 15]
    assert len({codec.padded_length(s.num_samples) for s in signals}) == 1
    together = codec.encode_batch(signals)
    decoded = codec.decode_batch(together, seeds=seeds)
    for signal, encoded, output, seed in zip(signals, together, decoded, seeds, strict=True):
        alone = codec.encode(signal)
        assert encoded.num_samples == alone.num_samples == output.num_samples
        assert all(np.array_equal(a, b) for a, b in zip(encoded.codes, alone.codes, strict=True))
        scales = (np.frombuffer(one.side_info, "<f4") for one in (encoded, alone))
        assert np.allclose(*scales, rtol=1e-5)
        expected = codec.decode(alone, seed=seed)
        assert np.abs(output.samples - expected.samples).max() < 1e-5
    return list(together)


@pytest.mark.parametrize("name", MINIS)
def test_a_batch_of_unlike_lengths_is_as_each_alone(loaded, name):
    codec = loaded(name)
    assert_as_alone(codec, signals_for(codec, [0, 1, 30]))


def test_the_noise_of_a_decoder_is_each_signals_own(loaded):
    codec = loaded("snac-mini")
    (one,) = codec.encode_batch(signals_for(codec, [0]))
    before = torch.get_rng_state()
    same, other, again = codec.decode_batch([one] * 3, seeds=[1, 2, 1])
    assert np.array_equal(same.samples, again.samples)
    assert not np.array_equal(same.samples, other.samples)
    assert torch.equal(before, torch.get_rng_state())


def test_segments_and_scales_stay_with_their_signal(tmp_path):
    path = models.with_config(tmp_path / "mine.th", *models.segmented_encodec())
    signals = [broadband(1.3, 8_000, channels=2, seed=seed) for seed in range(3)]
    quieter = [Audio(s.samples / np.float32(4**i), 8_000) for i, s in enumerate(signals)]
    together = assert_as_alone(models.opened(f"encodec:{path}"), quieter)
    assert [len(e.side_info) for e in together] == [12, 12, 12]


@pytest.mark.gpu
@pytest.mark.parametrize("name", MINIS)
def test_batches_on_a_gpu_are_as_alone_and_as_on_a_cpu_but_for_rounding(loaded, name):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    ((model, spec),) = select(name)
    codec = model.load(spec, locate(model, WeightsPolicy("embedded")), "cuda")
    contract.check_batches(codec)
    signal = broadband(0.7, 24_000)
    pairs = zip(codec.encode(signal).codes, loaded(name).encode(signal).codes, strict=True)
    assert all(np.mean(a == b) > 0.95 for a, b in pairs)


@pytest.mark.parametrize("name", ["snac-24khz", "snac-32khz", "dac-44khz", "dac-24khz"])
def test_latency_is_how_far_the_network_looks_ahead(name):
    """The last input that an output depends on, at the worst place: found by sending NaN in."""
    spec = codec_models()[name].points[-1]
    expected = round((spec.latency_s or 0) * (spec.rate_hz or 0))
    if name.startswith("snac"):
        model = models.tiny_snac(
            **{**models.SNAC_SHAPES[name], "encoder_dim": 4, "decoder_dim": 64}
        )
        stride = model.vq_strides[0]
        block = int(model.hop_length) * math.lcm(stride, model.attn_window_size or 1)
    else:
        narrow = {"encoder_dim": 4, "decoder_dim": 64, "n_codebooks": 1}
        model = models.tiny_dac(**{**DAC_44KHZ, **models.DAC_SHAPES[name], **narrow})
        block, stride = int(model.hop_length), 1
    low = (expected // block + 1) * block
    silence = torch.zeros(1, 1, 2 * low + block)

    def ahead(place):
        """How many inputs the first output that depends on one waits for, that one counted."""
        x = silence.clone()
        x[..., place] = math.nan
        latent = model.encoder(x)
        latent = torch.nn.functional.avg_pool1d(latent, stride).repeat_interleave(stride, -1)
        return place - int(model.decoder(latent)[0, 0].isnan().nonzero()[0]) + 1

    # Within a block it rises by one with every input, up to the last one that a code looks at.
    high = low + block
    with torch.inference_mode():
        least = ahead(low)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if ahead(middle) > least else (low, middle)
        assert ahead(low) == expected
