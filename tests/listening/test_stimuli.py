"""Stimuli: levels, files, what may be wrong with a run."""

import math
from dataclasses import replace
from unittest.mock import DEFAULT, Mock

import numpy as np
import pytest
import soundfile

from snacbench.audio.align import cross_correlation
from snacbench.audio.filters import low_pass
from snacbench.audio.io import read, write_flac, write_wav
from snacbench.audio.levels import loudness_lufs
from snacbench.audio.resample import resample
from snacbench.errors import AudioError, StoreError, UserError
from snacbench.files import sha256_of_file
from snacbench.listening import stimuli
from snacbench.listening.test import Level, System
from snacbench.rows import Calibration
from snacbench.store.run_folder import RunFolder
from snacbench.types import Audio
from tests.conftest import broadband
from tests.support.audio_run import FAULTS, audio_test, item, make_audio_run

RATE_HZ = 48_000
DELAYS = {name: samples for name, (samples, _) in FAULTS.items()}
TEST = audio_test()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("stimuli")
    make_audio_run(path)
    return path / "test", stimuli.make_stimuli(path / "test", TEST)


@pytest.fixture
def run(tmp_path):
    """A run of one's own, to be spoilt; a test of it goes into `folder`."""
    return make_audio_run(tmp_path)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "test"


def heard(folder, item_id, condition):
    return read(folder / stimuli.stimulus_file(item_id, condition))


def test_conditions_have_their_files_in_time_and_at_one_gain(made):
    folder, facts = made
    for it in (*TEST.items, *TEST.training):
        found = facts.items[it.id]
        paths = sorted((folder / "stimuli" / it.id).iterdir())
        assert [p.name for p in paths] == sorted(f"{name}.wav" for name in TEST.conditions)
        assert len({stimulus.gain_db for stimulus in found.conditions.values()}) == 1
        for name, stimulus in found.conditions.items():
            info = soundfile.info(folder / stimulus.file)
            assert (info.samplerate, info.frames, info.channels) == (48_000, 72_000, 1)
            assert info.subtype == "PCM_24"
            assert stimulus.sha256 == sha256_of_file(folder / stimulus.file)
            assert stimulus.file == stimuli.stimulus_file(it.id, name)
            peak_dbtp = stimuli.true_peak_dbtp(heard(folder, it.id, name))
            assert peak_dbtp == pytest.approx(stimulus.true_peak_dbtp, abs=0.002)
            assert peak_dbtp <= -1.0 + 0.001
        reference = heard(folder, it.id, "reference")
        for condition, delay in DELAYS.items():
            degraded = heard(folder, it.id, condition)
            peak = cross_correlation(reference=reference, degraded=degraded, max_lag=60)
            assert np.argmax(peak) == 60
            told = found.conditions[condition]
            assert (told.delay_samples, told.delay_rate_hz) == (delay, 24_000)
        loudness = found.conditions["reference"].loudness_lufs
        assert loudness == pytest.approx(-23 - found.lowered_db, abs=0.02)
        quiet, loud = found.conditions["quiet@4kbps"], found.conditions["late@8kbps"]
        assert loud.loudness_lufs - quiet.loudness_lufs == pytest.approx(6.02, abs=0.05)
    assert sorted(p.name for p in folder.iterdir()) == ["stimuli", "stimuli.json"]
    # Reference and anchors are those of the run's source.
    run = stimuli.RunSignals(RunFolder.open(folder.parent / "run"))
    whole = resample(run.source("set/d"), RATE_HZ)
    gain = 10 ** (facts.items["two"].conditions["reference"].gain_db / 20)
    for name, signal in {"reference": whole, "anchor35": low_pass(whole, 3_500)}.items():
        expected = stimuli.cut(signal, 0.25, 1.5).samples * gain
        np.testing.assert_allclose(heard(folder, "two", name).samples, expected, atol=1e-4)
    assert stimuli.stimulus_file("a", "../my/co dec", "flac") == "stimuli/a/..%2Fmy%2Fco%20dec.flac"


def test_stimuli_that_are_missing_or_changed_are_noticed_and_made_again(run, folder):
    with pytest.raises(UserError, match=r"has no stimuli yet: no stimuli.json that"):
        stimuli.read_facts(folder, TEST)
    facts = stimuli.make_stimuli(folder, TEST)
    (folder / "stimuli.json").write_text("{}")
    with pytest.raises(UserError, match=r"no stimuli.json that can be read; make them with"):
        stimuli.read_facts(folder, TEST)
    other_texts = TEST.model_copy(update={"title": "Another", "seed": 9, "pages_per_listener": 1})
    assert stimuli.make_stimuli(folder, TEST) == stimuli.read_facts(folder, other_texts) == facts
    with pytest.raises(UserError, match=r"not those of its test.yaml.*snacbench mushra stimuli"):
        stimuli.read_facts(folder, TEST.model_copy(update={"level": Level(loudness_lufs=-30)}))
    edited = TEST.model_copy(update={"items": (item("new", "set/c", 0.0, 1.0),), "training": ()})
    again = stimuli.make_stimuli(folder, edited)
    assert [p.name for p in (folder / "stimuli").iterdir()] == ["new"]
    assert again.items["new"].num_samples == 48_000
    assert again.design_sha256 == stimuli.design_sha256(edited) != facts.design_sha256


def test_a_stereo_run_keeps_two_channels(tmp_path, folder):
    run = make_audio_run(tmp_path, channels="stereo")
    facts = stimuli.make_stimuli(folder, TEST)
    assert [facts.items[name].channels for name in ("one", "two")] == [1, 2]
    assert heard(folder, "two", "late@8kbps").channels == 2
    for quality, found, expected in ((0.9, True, 7), (0.1, False, 0)):  # samples of its own rate
        run.append([Calibration("late@8kbps", 14 / 48_000, quality, quality, found)])
        audio, delay = stimuli.RunSignals(run).decoded("set/b", "late@8kbps", 120_000)
        assert (delay, audio.num_samples) == ((expected, 24_000), 120_000)
    file = run.decoded_path("set/d", "late@8kbps")
    write_flac(file, broadband(2.2, 24_000))
    row = stimuli.RunSignals(run).coded["set/d", "late@8kbps"]
    run.append([replace(row, decoded_sha256=sha256_of_file(file))])
    with pytest.raises(UserError, match=r"item two .* its conditions differ in length or channels"):
        stimuli.make_stimuli(folder, TEST)


def test_what_to_know_of_an_item_is_said(tmp_path, folder):
    time_s = np.arange(2.5 * 48_000) / 48_000
    dull = Audio((0.1 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)[None], 48_000)
    peaky = np.array(dull.samples)
    peaky[:, ::12_000] = 0.9
    make_audio_run(tmp_path, signals={"set/b": dull, "set/d": Audio(peaky, 48_000)})
    facts = stimuli.make_stimuli(folder, TEST)
    first, second = (" ".join(facts.items[name].warnings) for name in ("one", "two"))
    assert "the 3.5 kHz anchor is nearly transparent: -" in first
    assert "the 7 kHz anchor is nearly transparent: -" in first
    assert "dB below -23 LUFS, for the sake of peaks" in second
    without = TEST.model_copy(update={"form": "mushra-no-anchors"})
    assert stimuli.make_stimuli(folder, without).items["one"].warnings == ()


LATE = "decoded/late@8kbps/set/b.flac"


@pytest.mark.parametrize(("spoilt", "changed", "message"), [
    ("", {"run": "../gone"}, r"the run of this test is not found: .*holds no run"),
    ("", {"run_id": "other"}, r"its id .* are run1 and ab\w*, test.yaml says other and abab"),
    ("", {"items": (item("one", "set/b", 2.0),)}, "excerpt ends at 3.5 s, the clip at 2"),
    ("", {"items": (item("one", "set/z"),)}, "has no clip set/z"),
    ("", {"systems": (System(name="opus@1kbps"),)}, "set/b: opus@1kbps has not coded it"),
    (LATE, {}, "is not the file that was decoded: its sha256 has changed"),
    ("gone", {}, "late@8kbps is not in the run folder; run the codecs again"),
    ("../b.flac", {}, "b.flac is no longer the file that the run coded"),
    ("failed", {}, r"item one \(set/b\): set/b: late@8kbps failed on it: boom"),
])  # fmt: skip
def test_what_the_run_does_not_have_is_refused(run, folder, spoilt, changed, message):
    if spoilt == "failed":
        row = stimuli.RunSignals(run).coded["set/b", "late@8kbps"]
        run.append([replace(row, status="failed", reason="boom")])
    elif spoilt == "gone":
        (run.path / LATE).unlink()
    elif spoilt:
        write_flac(run.path / spoilt, broadband(5, 24_000, seed=99))
    with pytest.raises(UserError, match=message):
        stimuli.make_stimuli(folder, TEST.model_copy(update=changed))
    assert not folder.exists() or not list(folder.iterdir())


def test_a_full_disk_leaves_the_old_stimuli(run, folder, monkeypatch):
    facts, effects = (
        stimuli.make_stimuli(folder, TEST),
        [*[DEFAULT] * 5, StoreError("disk is full")],
    )
    monkeypatch.setattr(stimuli, "write_wav", Mock(wraps=write_wav, side_effect=effects))
    with pytest.raises(StoreError, match="disk is full"):
        stimuli.make_stimuli(folder, TEST)
    assert stimuli.read_facts(folder, TEST) == facts
    for of in facts.items.values():
        for stimulus in of.conditions.values():
            assert sha256_of_file(folder / stimulus.file) == stimulus.sha256
    assert sorted(p.name for p in folder.iterdir()) == ["stimuli", "stimuli.json"]


def test_cuts_have_raised_cosine_fades_of_5_ms():
    ones = Audio(np.ones((2, RATE_HZ), np.float32), RATE_HZ)
    out = stimuli.cut(ones, 0.25, 0.5).samples
    assert out.shape == (2, 24_000)
    expected = 0.5 - 0.5 * np.cos(np.pi * np.arange(240) / 240)
    np.testing.assert_allclose(out[0, :240], expected, atol=1e-6)
    np.testing.assert_allclose(out[1, -240:], expected[::-1], atol=1e-6)
    assert stimuli.cut(ones, 0, 1 / RATE_HZ).samples.tolist() == [[1.0], [1.0]]
    ramp = Audio(np.linspace(-1, 1, RATE_HZ, dtype=np.float32)[None], RATE_HZ)
    part = stimuli.cut(ramp, 0.25, 0.5).samples[0, 240:-240]
    np.testing.assert_array_equal(part, ramp.samples[0, 12_240:35_760])


def sine(hertz, amplitude, phase_deg=0.0):
    phase = 2 * np.pi * hertz * np.arange(RATE_HZ) / RATE_HZ + np.deg2rad(phase_deg)
    return stimuli.cut(Audio((amplitude * np.sin(phase)).astype(np.float32)[None], RATE_HZ), 0, 1)


@pytest.mark.parametrize(
    ("hertz", "amplitude", "phase_deg", "expected_dbtp"),
    [  # EBU Tech 3341, table 1, cases 15 and 17 to 19: tolerance +0.2, -0.4 dB
        (RATE_HZ / 4, 0.50, 0.0, -6.0),
        (RATE_HZ / 6, 0.50, 60.0, -6.0),
        (RATE_HZ / 8, 0.50, 67.5, -6.0),
        (RATE_HZ / 4, 1.41, 45.0, 3.0),
    ],
)
def test_true_peak_of_the_ebu_cases(hertz, amplitude, phase_deg, expected_dbtp):
    loud = sine(hertz, amplitude, phase_deg)
    both = Audio(np.concatenate([loud.samples / 2, loud.samples]), RATE_HZ)
    assert expected_dbtp - 0.4 <= stimuli.true_peak_dbtp(both) <= expected_dbtp + 0.2
    assert stimuli.true_peak_dbtp(stimuli.scaled(loud, -math.inf)) == -math.inf


def test_the_reference_goes_to_the_loudness_and_all_follow_below_the_true_peak():
    reference = sine(1_000, 0.02)
    signals = {"reference": reference, "quiet@1kbps": stimuli.scaled(reference, -9.0)}
    gain_db, lowered_db = stimuli.gains(signals, Level())
    assert lowered_db == 0
    assert len(set(gain_db.values())) == 1
    levelled = stimuli.scaled(reference, gain_db["reference"])
    assert loudness_lufs(levelled) == pytest.approx(-23.0, abs=0.02)
    gain_db, _ = stimuli.gains(signals, Level(match_per_condition=True))
    assert gain_db["quiet@1kbps"] - gain_db["reference"] == pytest.approx(9.0, abs=0.01)
    with pytest.raises(AudioError, match=r"reference has no loudness: .*silent .*or shorter"):
        stimuli.gains({"reference": broadband(0.3, RATE_HZ)}, Level())
    clicks = np.zeros((1, 4 * RATE_HZ), np.float32)
    clicks[0, :: RATE_HZ // 4] = 0.5  # as of castanets: all are lowered until no peak is too high
    reference = low_pass(Audio(clicks, RATE_HZ), 7_000)
    signals = {"reference": reference, "loud@1kbps": stimuli.scaled(reference, 4.0)}
    gain_db, lowered_db = stimuli.gains(signals, Level())
    assert lowered_db > 3
    assert len(set(gain_db.values())) == 1
    scaled = [stimuli.scaled(signal, gain_db[name]) for name, signal in signals.items()]
    assert list(map(stimuli.true_peak_dbtp, scaled)) == pytest.approx([-5.0, -1.0], abs=0.001)
