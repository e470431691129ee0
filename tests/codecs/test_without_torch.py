"""Opus, MP3, AAC, Lyra V2 with Google's own models, and toys that do what their names say."""

import numpy as np
import pytest

from snacbench.audio.align import cross_correlation
from snacbench.codecs.classic import declared_delay
from snacbench.errors import CodecError, UnknownPoint, WeightsMismatch
from snacbench.models import LocatedWeights
from snacbench.plugins import codec_models
from snacbench.rate.bits import bits_of
from snacbench.selectors import select
from snacbench.types import Encoded, WeightsInfo
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.conftest import broadband, clip_at, si_sdr_db


# Of Opus, the rates that are coded by transform, which does not shift; its rate is only a wish.
@pytest.mark.parametrize(
    ("selector", "tolerance"),
    [("mp3@64", 0.06), ("mp3@128", 0.06), ("aac@64", 0.06), ("aac@128", 0.06),
     ("opus@32", 0.25), ("opus@128", 0.25)],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 2])
def test_nothing_is_late_and_the_rate_is_met(loaded, selector, tolerance, channels):
    codec = loaded(selector)
    delay = {"mp3": 1105, "aac": 1024, "opus": 0}[codec.spec.model]
    assert codec.format.pre_skip or declared_delay(codec.format, channels) == delay
    audio = broadband(3.0, 48_000, channels=channels)
    encoded = codec.encode(audio)
    lags = cross_correlation(reference=audio, degraded=codec.decode(encoded, seed=0), max_lag=1_200)
    assert int(np.argmax(lags)) == 1_200
    bits = bits_of(encoded, codec.spec)
    assert bits.total / 3000 == pytest.approx(codec.spec.nominal_kbps, rel=tolerance)


# SI-SDR in dB with libopus 1.6.1, one clip each; the clips of the source are not known, so the
# figures hold within a few dB and their order holds exactly.
EXPECTED_SPEECH = {8: 9.3, 12: 11.2, 24: 13.1, 64: 25.0}


def test_opus_on_real_speech_is_near_the_known_figures(loaded, shared):
    audio = clip_at(shared / "audio/eval/speech/two_cities_a.flac", 48_000)
    measured = {}
    for kbps in EXPECTED_SPEECH:
        codec = loaded(f"opus@{kbps}")
        encoded = codec.encode(audio)
        assert len(encoded.packets) == -(-(audio.num_samples + 312) // 960)
        measured[kbps] = si_sdr_db(audio, codec.decode(encoded, seed=0))
    assert list(measured.values()) == sorted(measured.values())
    for kbps, expected in EXPECTED_SPEECH.items():
        assert measured[kbps] == pytest.approx(expected, abs=6.0)


def test_points_that_codecs_take_and_libraries_that_did_it():
    assert codec_models()["mp3"].versions()["libavcodec"]
    assert codec_models()["opus"].versions()["libopus"].startswith("libopus 1.")
    assert [p.nominal_kbps for p in codec_models()["mp3"].points][:3] == [32, 40, 48]
    for selector, message in {
        "mp3@24": "no operating point within 5 % of '24'",
        **dict.fromkeys(("aac@7", "aac@300", "aac@fine"), "any rate from 8 to 288 kbps"),
        **dict.fromkeys(("opus@5", "opus@511", "opus@-8"), "any rate from 6 to 510 kbps"),
        "lowpass@loud": "is no cut-off; write for example lowpass@3.5kHz",
        "noise@much": "is no signal-to-noise ratio; write for example noise@20dB",
    }.items():
        with pytest.raises(UnknownPoint, match=message):
            select(selector)


@pytest.mark.parametrize(
    ("selector", "delay"), [("mp3@64", "1105"), ("aac@64", "1024"), ("opus@24", "0")]
)
def test_a_stream_that_ends_early_is_an_error(loaded, selector, delay):
    codec = loaded(selector)
    for kept in (0, 10):
        packets = codec.encode(broadband(1.0, 48_000)).packets[:kept]
        cut = Encoded(48_000, 1, 48_000, packets=packets)
        text = rf"returned \d+ of 48000 samples after a delay of {delay}"
        with pytest.raises(CodecError, match=text):
            codec.decode(cut, seed=0)


def load(selector, folder):
    ((model, spec),) = select(selector)
    return model.load(spec, locate(model, WeightsPolicy("auto", {"lyra-v2": folder})), "cpu")


def test_files_that_are_no_models_are_refused(tmp_path):
    model, spec = select("lyra-v2@6")[0]
    files = {}
    for hosted in model.source.files if model.source else ():
        files[hosted.name] = tmp_path / hosted.name
        files[hosted.name].write_bytes(b"not a model")
    with pytest.raises(WeightsMismatch, match="is not a TFLite model"):
        model.load(spec, LocatedWeights(files, WeightsInfo("folder")), "cpu")
    with pytest.raises(WeightsMismatch, match="cannot run without weights"):
        model.load(spec, None, "cpu")
    points = codec_models()["lyra-v2"].points
    assert [(p.nominal_kbps, len(p.streams)) for p in points] == [(3.2, 16), (6.0, 30), (9.2, 46)]


@pytest.mark.lyra
def test_real_models_keep_lengths_and_are_better_at_higher_rates(lyra_folder, shared):
    speech = clip_at(shared / "audio/eval/speech/lyra_sample1.flac", 16_000)
    measured = []
    for kbps, quantizers in (("3.2", 16), ("6", 30), ("9.2", 46)):
        codec = load(f"lyra-v2@{kbps}", lyra_folder)
        measured.append(si_sdr_db(speech, codec.decode(codec.encode(speech), seed=0)))
        for samples in (1, 320, 8_001):
            encoded = codec.encode(broadband(samples / 16_000, 16_000))
            first, again = codec.decode(encoded, seed=0), codec.decode(encoded, seed=0)
            assert first.num_samples == samples
            assert np.array_equal(first.samples, again.samples)
            assert bits_of(encoded, codec.spec).codes == 4 * quantizers * -(-samples // 320)
    assert measured == sorted(measured)
    assert 4.0 < measured[0] < measured[-1] < 10.0


@pytest.mark.parametrize("name", ["identity", "lowpass@3.5kHz"])  # beyond half the rate
def test_what_changes_nothing(loaded, name):
    codec, narrow = loaded(name), broadband(0.3, 6_000)
    assert np.array_equal(codec.decode(codec.encode(narrow), seed=0).samples, narrow.samples)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 20.0, 40.0])
def test_noise_has_the_stated_ratio(loaded, snr_db):
    codec = loaded(f"noise@{snr_db:g}dB")
    audio = broadband(2.0, 24_000)
    noise = codec.decode(codec.encode(audio), seed=3).samples.astype(np.float64) - audio.samples
    ratio = np.mean(audio.samples.astype(np.float64) ** 2) / np.mean(noise**2)
    assert 10 * np.log10(ratio) == pytest.approx(snr_db, abs=0.1)
