"""Which signal goes where, what decodes are compared over, and how late each comes."""

import gc
import weakref
from dataclasses import replace
from functools import partial
from unittest.mock import Mock

import numpy as np
import pytest

from snacbench.audio.align import advanced
from snacbench.audio.io import write_flac
from snacbench.audio.resample import resample
from snacbench.conditions.condition import condition_named
from snacbench.conditions.inputs import impaired
from snacbench.errors import AudioError, MissingPackage, Undefined, WeightsMismatch
from snacbench.files import sha256_of_file
from snacbench.plugins import metrics
from snacbench.request import Request
from snacbench.rows import Coded, Embedded, Score
from snacbench.runner import scoring
from snacbench.runner import signal_rules as signals
from snacbench.runner.scoring import DecodeToScore, ScoringJob, delay_of
from snacbench.selectors import select
from snacbench.store.embeddings import kept
from snacbench.types import NO_OPTIONS, Audio, Clip, Metric, MetricSpec
from tests.conftest import broadband
from tests.support.cases import cases
from tests.support.failing_codecs import SPEC

SISDR = ("si_sdr", "si_sdr_aligned")
SHORT = broadband(0.5, 16_000)


def job_of(folder, source, decodes, names=SISDR, delay_s=0.0, **clip):
    """Files of a clip and its decodes, to be scored."""

    def coded_as(name, audio):
        write_flac(folder / name, audio)
        digest = sha256_of_file(folder / name)
        return Coded("set/clip", name, "ok", decoded=name, decoded_sha256=digest)

    digest = str(coded_as("clip.flac", source).decoded_sha256)
    shape = (source.rate_hz, source.channels, source.num_samples)
    made = Clip("set/clip", folder / "clip.flac", digest, *shape, **clip)
    to_score = tuple(
        DecodeToScore(coded_as(f"{n}.flac", audio), SPEC, names, delay_s)
        for n, audio in enumerate(decodes)
    )
    return ScoringJob(made, to_score, Request(channels="stereo", metrics=names), folder)


def scores(job):
    return [row for row in job.run() if isinstance(row, Score)]


def toy(name):
    return MetricSpec(name, "1", "higher", (0, 9), 16_000, "a toy")


def use(monkeypatch, **prepare):
    """Metrics by name and what prepares their references, in place of all others."""
    metrics = {name: Metric(toy(name), make) for name, make in prepare.items()}
    monkeypatch.setattr(scoring, "all_metrics", lambda: metrics)


def test_a_reference_is_what_the_codec_got_or_the_clean_clip(tmp_path):
    source = broadband(1.0, 24_000)
    noisy, _ = impaired(source, condition_named("noise@9dB"), seed=0, clip="set/clip")
    job = job_of(tmp_path, source, [resample(noisy, 16_000)] * 2, ("si_sdr", "waveform_l1"))
    specs = SPEC.under("noise@9dB"), SPEC.under("noise:clean@9dB")
    decodes = tuple(replace(d, spec=s) for d, s in zip(job.decodes, specs, strict=True))
    request = replace(job.request, reference="codec-input")
    rows = scores(replace(job, decodes=decodes, request=request))
    value = {(row.codec, row.metric): row.value for row in rows}
    assert value["0.flac", "waveform_l1"] < 1e-6
    assert value["1.flac", "si_sdr"] == pytest.approx(9, abs=1.5)


def test_a_reference_is_prepared_once_and_freed_after_the_clip(monkeypatch, tmp_path):
    class Features:
        """Stands for what a metric keeps of a reference."""

    kept = []

    def prepare(reference, *, good=True):
        features = Features()
        kept.append(weakref.ref(features))
        if not good:
            raise Undefined(f"no score, but {features}")
        return lambda *, degraded: float(features is not None)

    metrics = {"good": prepare, "bad": partial(prepare, good=False)}
    use(monkeypatch, **metrics)
    job = job_of(tmp_path, SHORT, [SHORT] * 3, tuple(metrics))
    gc.disable()
    try:
        assert [row.status for row in scores(job)] == ["ok", "undefined"] * 3
        assert [features() for features in kept] == [None, None]
    finally:
        gc.enable()


def test_what_is_no_finite_number_is_no_score(monkeypatch, tmp_path):
    odd = {"nan": float("nan"), "inf": float("inf"), "high": "high"}
    made = {name: lambda _, value=value: lambda **_: value for name, value in odd.items()}
    use(monkeypatch, fine=lambda _: lambda **_: np.float32(0.5), **made)
    ok, *failed = scores(job_of(tmp_path, SHORT, [SHORT], ("fine", *odd)))
    assert (ok.status, type(ok.value)) == ("ok", float)
    for row, message in zip(failed, ("returned nan", "returned inf", "ValueError"), strict=True):
        assert (row.status, message in row.reason) == ("failed", True)


def test_a_set_level_metric_keeps_embeddings_or_says_why_not(monkeypatch, tmp_path):
    ones = np.ones((2, 3), np.float16)

    def undefined(degraded):
        raise Undefined("too short")

    ways = {"kept": lambda degraded: 2 * ones, "short": undefined, "broken": lambda: ones}
    spec = replace(toy("set"), distance="frechet")
    metrics = {
        name: Metric(replace(spec, name=name), undefined, embed=lambda _, of=of: (ones, of))
        for name, of in ways.items()
    }
    monkeypatch.setattr(scoring, "all_metrics", lambda: metrics)
    rows = scores(job_of(tmp_path, SHORT, [SHORT], tuple(ways)))
    assert {type(row) for row in rows} == {Embedded}
    assert [row.status for row in rows] == ["ok", "undefined", "failed"]
    assert [row.reason[:9] for row in rows] == ["", "too short", "TypeError"]
    assert [kept(tmp_path, d).sum() for d in (rows[0].reference, rows[0].degraded)] == [6, 12]
    (lost,) = scoring.unscored(Coded("c", "x", "failed"), ["kept"], "not decoded")
    assert (type(lost), lost.reference, lost.reason) == (Embedded, "", "not decoded")


@pytest.mark.parametrize(("domain", "transcript", "expected"), [
    ("speech", "three words here", ("ok", 3.5, "")),
    ("speech", None, ("skipped", None, "words compares words, the test set states no")),
    ("music", "la la", ("skipped", None, "words is for speech, the clip is music")),
])  # fmt: skip
def test_words_reach_the_metric(monkeypatch, tmp_path, domain, transcript, expected):
    def heard_by(options):
        assert (options.asr, options.offline) == ("parrot", True)

        def prepare(_, said, language):
            return lambda *, degraded: len(said.split()) + 0.1 * len(language)

        return replace(words, prepare_spoken=prepare)

    spec = replace(toy("words"), domains=("speech",), needs_transcript=True)
    words = Metric(spec, prepare=lambda reference: pytest.fail("no words"), configure=heard_by)
    monkeypatch.setattr(scoring, "all_metrics", lambda: {"words": words})
    said = {"domain": domain, "transcript": transcript, "language": "pt-BR"}
    job = job_of(tmp_path, SHORT, [SHORT], ("words",), **said)
    (row,) = scores(replace(job, request=replace(job.request, asr="parrot", offline=True)))
    assert (row.status, row.value) == expected[:2]
    assert row.reason.startswith(expected[2])


def test_aligned_metrics_compare_the_same_part_for_every_lag(tmp_path):
    source = broadband(2.2, 24_000, channels=2)
    decode = buried(source, 0.05)
    job = job_of(tmp_path, source, [decode, advanced(decode, -5), advanced(decode, 6)])
    rows = job.run()
    delays, raw, aligned = rows[::3], rows[1::3], rows[2::3]  # a delay before the scores
    values = [row.value for row in aligned]
    assert values == pytest.approx([values[0]] * 3, abs=0.01)
    assert max(row.value for row in raw[1:]) < raw[0].value - 10
    assert [row.lag_s * 24_000 for row in delays] == pytest.approx([0, 5, -6])
    assert replace(job, decodes=(replace(job.decodes[0], delay_known=True),)).run() == rows[1:3]


@pytest.mark.parametrize(("lag_s", "status"), [(0.2, "ok"), (-0.3, "ok"), (0.45, "undefined")])
def test_a_clip_too_short_for_its_delay_has_no_aligned_score(tmp_path, lag_s, status):
    source = broadband(0.8, 24_000)
    late = advanced(buried(source, 0.05), -round(lag_s * 24_000))
    _, row = scores(job_of(tmp_path, source, [late], delay_s=lag_s))
    assert row.status == status
    too_short = "the decode comes 450.0 ms late and the clip lasts 0.800 s"
    assert (too_short in row.reason) == (status == "undefined")


def test_decodes_of_another_length_or_that_were_changed_or_removed(tmp_path):
    source = broadband(1.0, 24_000)
    half = Audio(source.samples[:, :12_000], 24_000)
    job = job_of(tmp_path, source, [half, source, source])
    write_flac(tmp_path / "1.flac", buried(source, 0.05))
    (tmp_path / "2.flac").unlink()
    raw, aligned, changed, _, gone, _ = scores(job)
    for row, status, reason in (
        (raw, "undefined", "lasts 0.500 s"),
        (aligned, "undefined", "lasts 0.500 s, the clip 1.000 s"),
        (changed, "failed", "is not the file that was decoded: its sha256 has changed"),
        (gone, "failed", "does not exist"),
    ):
        assert (row.status, reason in row.reason) == (status, True)


def noise(seed, *, channels=1, num_samples=96_000):
    samples = 0.1 * np.random.default_rng(seed).standard_normal((channels, num_samples))
    return Audio(samples.astype(np.float32), 48_000)


SOURCE = noise(1)


def buried(audio, gain):
    """With noise so many times as strong as the signal."""
    other = noise(5, channels=audio.channels, num_samples=audio.num_samples).samples
    return Audio((audio.samples + np.float32(gain) * other).astype(np.float32), audio.rate_hz)


def found(degraded, codec_delay_s=0.0, reference=SOURCE):
    coded = Coded("clip", "codec", "ok")
    return delay_of(coded, reference=reference, degraded=degraded, codec_delay_s=codec_delay_s)


@pytest.mark.parametrize("gain", [0.0, 3.0])
@pytest.mark.parametrize(("codec_delay_s", "lag"), [(0.0, -9), (0.1, 4_803)])
def test_a_clip_has_a_lag_of_its_own_close_to_the_codecs(gain, codec_delay_s, lag):
    row = found(buried(advanced(SOURCE, -lag), gain), codec_delay_s)
    assert (row.clip, row.codec, row.rate_hz) == ("clip", "codec", 48_000)
    assert row.lag_s == row.own_lag_s == lag / 48_000
    assert (row.found, row.inverted, row.reason) == (True, False, "")
    assert row.correlation == pytest.approx(1 / np.sqrt(1 + gain**2), abs=0.05)
    upside_down = found(Audio(-buried(advanced(SOURCE, -lag), gain).samples, 48_000), codec_delay_s)
    assert (upside_down.lag_s, upside_down.inverted, upside_down.found) == (row.lag_s, True, True)


RUMBLE = broadband(2.0, 48_000, seed=1)  # a second of it resembles the next


@pytest.mark.parametrize(
    ("source", "lag"), [(SOURCE, 48), (SOURCE, -4_800), (SOURCE, 24_000), (RUMBLE, 1_200)]
)
def test_a_clip_that_matches_elsewhere_says_where(source, lag):
    row = found(advanced(source, -lag), reference=source)
    assert (row.found, row.own_lag_s) == (False, lag / 48_000)
    assert abs(row.lag_s) <= 0.00025
    words = f"by itself the clip comes {abs(lag) / 48:.1f} ms {'late' if lag > 0 else 'early'}"
    assert words in row.reason


def test_what_has_nothing_of_the_source_or_is_silent_is_not_aligned():
    row = found(noise(9), 0.001)
    assert (row.lag_s, row.found, row.own_lag_s, row.inverted) == (0.001, False, None, False)
    assert "resembles the source at no lag within 0.5 s" in row.reason
    for level in (0.0, 0.25):
        constant = Audio(np.full_like(SOURCE.samples, level), 48_000)
        assert found(constant).reason == "the decode is silent"
        row = found(SOURCE, reference=constant)
        assert (row.reason, row.found, row.correlation) == ("the source is silent", False, 0.0)


def test_short_clips_and_decodes_of_another_rate_or_of_other_channels():
    for num_samples in (1, 2, 5, 4_000):
        short = Audio(SOURCE.samples[:, :num_samples], 48_000)
        assert found(short, reference=short).lag_s == 0.0
    row = found(advanced(resample(SOURCE, 16_000), -3))  # whole samples of the decode's own rate
    assert (row.lag_s, row.rate_hz) == (3 / 16_000, 16_000)
    stereo = noise(3, channels=2)
    opposed = Audio(stereo.samples[:1] * np.float32([[1], [-1]]), 48_000)
    for reference in (stereo, opposed):
        row = found(buried(advanced(reference, -5), 1.5), reference=reference)
        assert (row.lag_s, row.found, row.inverted) == (5 / 48_000, True, False)
    assert found(Audio(stereo.samples.mean(axis=0, keepdims=True), 48_000), reference=stereo).found


def test_a_source_is_limited_downmixed_or_refused():
    left = broadband(0.1, 48_000).samples
    six, stereo = (broadband(0.1, 48_000, channels=n) for n in (6, 2))
    mono = signals.source_signal(six, "mono")
    assert np.allclose(mono.samples[0], six.samples.mean(axis=0), atol=1e-7)
    with pytest.raises(AudioError, match="clips of 1 or 2 channels, found 6; use --channels mono"):
        signals.source_signal(six, "stereo")
    opposite = Audio(np.concatenate([left, -left]), 48_000)
    with pytest.raises(AudioError, match=r"its 2 channels cancel in the downmix .*--channels ster"):
        signals.source_signal(opposite, "mono")
    for both in (stereo, opposite):
        assert signals.source_signal(both, "stereo") is both
    quieter = Audio(np.concatenate([left, np.float32(-0.9) * left]), 48_000)
    for audio in (quieter, Audio(np.zeros((2, 4800), np.float32), 48_000)):
        assert signals.source_signal(audio, "mono").channels == 1
    loud = Audio(np.array([[3.25, 1.25, 0.75], [-2.75, 1.25, -0.25]], np.float32), 48_000)
    top = np.float32(1 - 2**-23)
    limited = np.array([[top, top, 0.75], [-1.0, top, -0.25]], np.float32)
    assert np.array_equal(signals.source_signal(loud, "stereo").samples, limited)
    mono = signals.source_signal(loud, "mono")
    assert np.array_equal(mono.samples, limited.mean(axis=0, keepdims=True))


@pytest.mark.parametrize(("codec", "channels", "parts", "rule"), cases(__file__)["given"])
def test_what_a_codec_gets(codec, channels, parts, rule):
    spec = select(codec)[0][1]
    inputs, found = signals.codec_inputs(broadband(0.2, 44_100, channels=channels), spec)
    assert [audio.channels for audio in inputs] == parts
    assert found == rule
    assert all(audio.rate_hz == (spec.rate_hz or 44_100) for audio in inputs)
    assert signals.decoded_signal(inputs, channels).channels == channels


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 192_000])
@pytest.mark.parametrize("samples", [4_001, 7_777])
def test_lengths_agree_at_the_metrics_rate_after_any_codecs_rate(rate_hz, samples):
    source = Audio(broadband(1.0, rate_hz).samples[:, :samples], rate_hz)
    for codec in ("dac-44khz@3q", "dac-16khz@3q", "snac-32khz"):
        (given,), _ = signals.codec_inputs(source, select(codec)[0][1])
        for metric in metrics().values():
            reference = signals.for_metric(source, metric.spec)
            degraded = signals.for_metric(given, metric.spec)
            degraded = signals.match_length(reference=reference, degraded=degraded)
            assert degraded.num_samples == reference.num_samples


def test_metrics_of_one_rate_get_the_very_same_object():
    mono, longer = broadband(1.0, 24_000), broadband(1.0001, 44_100)
    specs = [metrics()[name].spec for name in ("si_sdr", "lsd")]
    every_channel, downmixed = (signals.for_metric(mono, spec) for spec in specs)
    assert every_channel is downmixed is signals.at_rate(mono, 44_100)
    fitted = signals.match_length(reference=longer, degraded=downmixed)
    assert fitted is signals.match_length(reference=longer, degraded=every_channel)
    assert fitted.num_samples == longer.num_samples
    shorter = broadband(0.9, 44_100)  # by more than rounding, and left alone
    assert signals.match_length(reference=longer, degraded=shorter) is shorter


def test_weights_other_than_the_recorded_ones_end_the_run(monkeypatch, tmp_path):
    def configure(options):
        def prepare(reference):
            if options.recorded != (("model", "then"),):
                raise WeightsMismatch("changed since the run began")
            return lambda *, degraded: 1.0

        return Metric(toy("learned"), prepare, options=options, configure=configure)

    monkeypatch.setattr(scoring, "all_metrics", lambda: {"learned": configure(NO_OPTIONS)})
    job = job_of(tmp_path, SHORT, [SHORT], ("learned",))
    with pytest.raises(WeightsMismatch, match="changed since the run began"):
        job.run()
    (row,) = scores(replace(job, recorded=(("model", "then"),)))
    assert row.value == 1.0


def test_a_package_that_does_not_load_ends_the_run(monkeypatch, tmp_path):
    unloadable = ImportError("libgomp.so.1: cannot open shared object file", name="librosa")
    use(monkeypatch, mcd=Mock(side_effect=unloadable))
    with pytest.raises(MissingPackage, match=r"librosa .* does not load .*libgomp"):
        job_of(tmp_path, SHORT, [SHORT], ("mcd",)).run()
