"""Stimuli: levels, files, and what may be wrong with a run."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from snacbench.audio.align import cross_correlation
from snacbench.audio.filters import low_pass
from snacbench.audio.io import read, write_wav
from snacbench.audio.levels import loudness_lufs
from snacbench.audio.resample import resample
from snacbench.errors import AudioError, StoreError, UserError
from snacbench.files import sha256_of_file
from snacbench.listening import stimuli as module
from snacbench.listening.stimuli import (
    Facts,
    RunSignals,
    cut,
    design_sha256,
    gains,
    make_stimuli,
    read_facts,
    scaled,
    stimulus_file,
    true_peak_dbtp,
    write_files,
)
from snacbench.listening.test import Item, Level, ListeningTest, System
from snacbench.rows import Calibration
from snacbench.store.folder import RunFolder
from snacbench.types import Audio
from tests.conftest import broadband
from tests.listening.audio_run import CODECS, make_audio_run

RATE_HZ = 48_000
SYSTEMS = tuple(System(name=spec.name) for spec in CODECS)


def item(id_: str, clip: str, start_s: float = 0.25, duration_s: float = 1.5) -> Item:
    return Item(id=id_, clip=clip, start_s=start_s, duration_s=duration_s)


TEST = ListeningTest(
    id="t", title="T", run="../run", run_id="run1", set_sha256="ab" * 32, systems=SYSTEMS,
    items=(item("one", "set/b"), item("two", "set/d")), training=(item("t-1", "set/a"),),
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts]:
    path = tmp_path_factory.mktemp("stimuli")
    make_audio_run(path)
    folder = path / "test"
    folder.mkdir()
    return folder, make_stimuli(folder, TEST)


@pytest.fixture
def place(tmp_path: Path) -> tuple[RunFolder, Path]:
    """A run of one's own, and a folder for a test."""
    run = make_audio_run(tmp_path)
    folder = tmp_path / "test"
    folder.mkdir()
    return run, folder


def heard(folder: Path, item_id: str, condition: str) -> Audio:
    return read(folder / stimulus_file(item_id, condition))


def test_every_condition_of_every_item_has_its_file(made: tuple[Path, Facts]) -> None:
    folder, facts = made
    for it in (*TEST.items, *TEST.training):
        found = sorted(p.name for p in (folder / "stimuli" / it.id).iterdir())
        assert found == sorted(f"{name}.wav" for name in TEST.conditions)
        sizes = {p.stat().st_size for p in (folder / "stimuli" / it.id).iterdir()}
        assert len(sizes) == 1
        for name, stimulus in facts.items[it.id].conditions.items():
            info = soundfile.info(folder / stimulus.file)
            assert (info.samplerate, info.frames, info.channels) == (48_000, 72_000, 1)
            assert info.subtype == "PCM_24"
            assert stimulus.sha256 == sha256_of_file(folder / stimulus.file)
            assert stimulus.file == stimulus_file(it.id, name)
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("condition", ["late@8kbps", "early@2kbps", "quiet@4kbps"])
@pytest.mark.parametrize("item_id", ["one", "two"])
def test_conditions_are_in_time_with_the_reference(
    made: tuple[Path, Facts], item_id: str, condition: str
) -> None:
    folder, facts = made
    reference, degraded = heard(folder, item_id, "reference"), heard(folder, item_id, condition)
    peak = cross_correlation(reference=reference, degraded=degraded, max_lag=60)
    assert np.argmax(peak) == 60
    wanted = {"late@8kbps": 7, "early@2kbps": -5, "quiet@4kbps": 0}[condition]
    assert facts.items[item_id].conditions[condition].delay_samples == wanted
    assert facts.items[item_id].conditions[condition].delay_rate_hz == 24_000


def test_one_gain_keeps_the_levels_of_conditions_apart(made: tuple[Path, Facts]) -> None:
    folder, facts = made
    for it in TEST.items:
        found = facts.items[it.id]
        assert len({stimulus.gain_db for stimulus in found.conditions.values()}) == 1
        reference = found.conditions["reference"]
        assert reference.loudness_lufs == pytest.approx(-23 - found.lowered_db, abs=0.02)
        quiet, loud = found.conditions["quiet@4kbps"], found.conditions["late@8kbps"]
        assert quiet.loudness_lufs is not None
        assert loud.loudness_lufs is not None
        assert loud.loudness_lufs - quiet.loudness_lufs == pytest.approx(6.02, abs=0.05)
        for name, stimulus in found.conditions.items():
            peak = true_peak_dbtp(heard(folder, it.id, name))
            assert peak == pytest.approx(stimulus.true_peak_dbtp, abs=0.002)
            assert peak <= -1.0 + 0.001


def test_the_reference_and_its_anchors_are_those_of_the_runs_source(
    made: tuple[Path, Facts],
) -> None:
    folder, facts = made
    run = RunSignals.of(RunFolder.open(folder.parent / "run"))
    whole = resample(run.source("set/d"), RATE_HZ)
    assert whole.channels == 1
    gain = 10 ** (facts.items["two"].conditions["reference"].gain_db / 20)
    for name, signal in {"reference": whole, "anchor35": low_pass(whole, 3_500)}.items():
        np.testing.assert_allclose(
            heard(folder, "two", name).samples, cut(signal, 0.25, 1.5).samples * gain, atol=1e-4
        )


def test_the_facts_are_read_with_their_design(made: tuple[Path, Facts]) -> None:
    folder, facts = made
    assert read_facts(folder, TEST) == facts
    other_texts = TEST.model_copy(update={"title": "Another", "seed": 9, "pages_per_listener": 1})
    assert read_facts(folder, other_texts) == facts
    other = TEST.model_copy(update={"level": Level(loudness_lufs=-30)})
    with pytest.raises(UserError, match=r"not those of its test.yaml.*snacbench mushra stimuli"):
        read_facts(folder, other)


def test_stimuli_that_are_missing_or_changed_are_noticed(place: tuple[RunFolder, Path]) -> None:
    _, folder = place
    with pytest.raises(UserError, match=r"has no stimuli yet: there is no stimuli.json"):
        read_facts(folder, TEST)
    make_stimuli(folder, TEST)
    (folder / stimulus_file("one", "anchor35")).write_bytes(b"RIFF")
    with pytest.raises(UserError, match=r"anchor35.wav is missing or was changed; make them"):
        read_facts(folder, TEST)
    (folder / "stimuli.json").write_text("{}")
    with pytest.raises(UserError, match=r"stimuli.json is not a Facts row .*; make them with"):
        read_facts(folder, TEST)


def test_they_are_made_again_after_the_file_was_edited(place: tuple[RunFolder, Path]) -> None:
    _, folder = place
    first = make_stimuli(folder, TEST)
    again = make_stimuli(folder, TEST)
    assert again == first
    edited = TEST.model_copy(update={"items": (item("new", "set/c", 0.0, 1.0),), "training": ()})
    facts = make_stimuli(folder, edited)
    assert [p.name for p in (folder / "stimuli").iterdir()] == ["new"]
    assert facts.items["new"].num_samples == 48_000
    assert facts.design_sha256 == design_sha256(edited) != first.design_sha256
    assert json.loads((folder / "stimuli.json").read_text())["run_id"] == "run1"


def test_flac_files_are_of_equal_size_and_of_the_same_samples(
    made: tuple[Path, Facts], place: tuple[RunFolder, Path]
) -> None:
    folder, _ = made
    _, other = place
    facts = make_stimuli(other, TEST, format_="flac")
    for it in TEST.items:
        assert len({x.num_bytes for x in facts.items[it.id].conditions.values()}) == 1
        for name, stimulus in facts.items[it.id].conditions.items():
            assert stimulus.file.endswith(".flac")
            assert (other / stimulus.file).stat().st_size == stimulus.num_bytes
            samples, _ = soundfile.read(other / stimulus.file, dtype="int32")
            expected, _ = soundfile.read(folder / stimulus_file(it.id, name), dtype="int32")
            np.testing.assert_array_equal(samples, expected)


def paths_in(folder: Path, ending: str) -> dict[str, Path]:
    return {name: folder / f"{name}.{ending}" for name in "ab"}


def test_padding_is_a_block_that_other_decoders_skip(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    loud, silent = broadband(1, 48_000), Audio(np.zeros((1, 48_000), np.float32), 48_000)
    paths = paths_in(tmp_path, "flac")
    write_files({"a": loud, "b": silent}, paths)
    contents = [path.read_bytes() for path in paths.values()]
    assert len(contents[0]) == len(contents[1])
    for content in contents:
        blocks = list(metadata_blocks(content))
        assert blocks[0][0] == 0
        assert 1 in [kind for kind, _ in blocks]
    with av.open(str(paths["b"])) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    assert sum(frame.shape[-1] for frame in frames) == 48_000
    assert not np.concatenate([frame.ravel() for frame in frames]).any()


def metadata_blocks(flac: bytes) -> list[tuple[int, int]]:
    """Type and length of every metadata block (RFC 9639, section 8)."""
    assert flac[:4] == b"fLaC"
    at, found = 4, []
    while True:
        length = int.from_bytes(flac[at + 1 : at + 4])
        found.append((flac[at] & 0x7F, length))
        last = flac[at] & 0x80
        at += 4 + length
        if last:
            return found


def test_files_that_cannot_be_of_equal_size_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = {"a": broadband(1, 48_000), "b": broadband(1.1, 48_000)}
    with pytest.raises(AudioError, match="must have one length, rate and number of channels"):
        write_files(signals, paths_in(tmp_path, "wav"))
    monkeypatch.setattr("snacbench.listening.stimuli._MAX_BLOCK_BYTES", 10)
    signals["b"] = Audio(np.zeros((1, 48_000), np.float32), 48_000)
    with pytest.raises(AudioError, match="FLAC holds up to 10 bytes of padding, found"):
        write_files(signals, paths_in(tmp_path, "flac"))


def test_names_that_are_no_file_names_are_encoded() -> None:
    assert stimulus_file("a", "opus@14kbps") == "stimuli/a/opus@14kbps.wav"
    assert stimulus_file("a", "../my/co dec", "flac") == "stimuli/a/..%2Fmy%2Fco%20dec.flac"


def test_a_stereo_run_keeps_two_channels(tmp_path: Path) -> None:
    make_audio_run(tmp_path, channels="stereo")
    folder = tmp_path / "test"
    folder.mkdir()
    facts = make_stimuli(folder, TEST)
    assert facts.items["one"].channels == 1
    assert facts.items["two"].channels == 2
    assert heard(folder, "two", "late@8kbps").channels == 2


def test_what_to_know_of_an_item_is_said(tmp_path: Path) -> None:
    time_s = np.arange(2.5 * 48_000) / 48_000
    dull = Audio((0.1 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)[None], 48_000)
    peaky = np.array(dull.samples)
    peaky[:, ::12_000] = 0.9
    signals = {"set/b": dull, "set/d": Audio(peaky, 48_000)}
    make_audio_run(tmp_path, signals=signals)
    folder = tmp_path / "test"
    folder.mkdir()
    facts = make_stimuli(folder, TEST)
    first, second = facts.items["one"].warnings, facts.items["two"].warnings
    assert any("the 3.5 kHz anchor is nearly transparent: -" in text for text in first)
    assert any("the 7 kHz anchor is nearly transparent: -" in text for text in first)
    assert any("dB below -23 LUFS, for the sake of peaks" in text for text in second)
    without = TEST.model_copy(update={"form": "mushra-no-anchors"})
    assert make_stimuli(folder, without).items["one"].warnings == ()


def wrong(place: tuple[RunFolder, Path], message: str, **changed: object) -> None:
    _, folder = place
    with pytest.raises(UserError, match=message):
        make_stimuli(folder, TEST.model_copy(update=changed))
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"run": "../gone"}, r"the run of this test is not found: .*holds no run"),
        ({"run_id": "other"}, "its id is run1, test.yaml says other; make a new test"),
        ({"set_sha256": "cd" * 32}, "its set_sha256 is abab.*, test.yaml says cdcd"),
        ({"items": (item("one", "set/b", 2.0, 1.5),)},
         r"item one \(set/b\): the excerpt ends at 3.5 s, the clip at 2.5 s"),
        ({"items": (item("one", "set/z"),)}, "has no clip set/z"),
        ({"systems": (System(name="opus@1kbps"),)}, "set/b: opus@1kbps has not coded it"),
    ],
)  # fmt: skip
def test_what_the_run_does_not_have_is_refused(
    place: tuple[RunFolder, Path], changed: dict[str, object], message: str
) -> None:
    wrong(place, message, **changed)


def test_files_that_are_missing_or_changed_are_refused(place: tuple[RunFolder, Path]) -> None:
    run, _ = place
    path = run.decoded_path("set/b", "late@8kbps")
    content = path.read_bytes()
    path.write_bytes(run.decoded_path("set/b", "quiet@4kbps").read_bytes())
    wrong(place, "is not the file that was decoded: its sha256 has changed")
    path.unlink()
    wrong(place, "the decoded audio of late@8kbps is not in the run folder; run the codecs again")
    path.write_bytes(content)
    recording = run.path.parent / "b.flac"
    original = recording.read_bytes()
    recording.write_bytes((run.path.parent / "d.flac").read_bytes())
    wrong(place, r"b.flac (is no longer the file that the run coded|ends after)")
    row = RunSignals.of(run).coded["set/b", "late@8kbps"]
    recording.write_bytes(original)
    run.append([replace(row, status="failed", reason="boom")])
    wrong(place, r"item one \(set/b\): set/b: late@8kbps failed on it: boom")


def test_a_silent_clip_is_refused(tmp_path: Path) -> None:
    silent = Audio(np.zeros((1, 120_000), np.float32), 48_000)
    run = make_audio_run(tmp_path, signals={"set/b": silent})
    folder = tmp_path / "test"
    folder.mkdir()
    wrong((run, folder), r"item one \(set/b\): reference has no loudness: the excerpt is silent")


def test_a_full_disk_leaves_the_old_stimuli(
    place: tuple[RunFolder, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder = place
    facts = make_stimuli(folder, TEST)
    written = []

    def full(path: Path, audio: Audio) -> int:
        written.append(path)
        if len(written) > 5:
            raise StoreError(f"the disk is full while writing {path}")
        return write_wav(path, audio)

    monkeypatch.setattr(module, "write_wav", full)
    with pytest.raises(StoreError, match=r"cannot write the stimuli of t .*the disk is full"):
        make_stimuli(folder, TEST)
    assert read_facts(folder, TEST) == facts
    assert sorted(p.name for p in folder.iterdir()) == ["stimuli", "stimuli.json"]


def test_a_delay_counts_at_the_rate_of_the_decoded_file(place: tuple[RunFolder, Path]) -> None:
    run, _ = place
    run.append([Calibration("late@8kbps", 14 / 48_000, 0.9, 1.0, True)])
    assert RunSignals.of(run).decoded("set/b", "late@8kbps", 120_000)[1] == (7, 24_000)
    run.append([Calibration("late@8kbps", 14 / 48_000, 0.1, 0.1, False)])
    audio, (delay, _) = RunSignals.of(run).decoded("set/b", "late@8kbps", 120_000)
    assert (delay, audio.num_samples) == (0, 120_000)
    assert RunSignals.of(run).source("set/c").rate_hz == 44_100


# ------------------------------------------------------------------------------- cuts and levels


def test_cuts_have_raised_cosine_fades_of_5_ms() -> None:
    ones = Audio(np.ones((2, RATE_HZ), np.float32), RATE_HZ)
    out = cut(ones, 0.25, 0.5).samples
    assert out.shape == (2, 24_000)
    expected = 0.5 - 0.5 * np.cos(np.pi * np.arange(240) / 240)
    np.testing.assert_allclose(out[0, :240], expected, atol=1e-6)
    np.testing.assert_allclose(out[1, -240:], expected[::-1], atol=1e-6)
    assert (out[:, 240:-240] == 1).all()
    assert cut(ones, 0, 1 / RATE_HZ).samples.tolist() == [[1.0], [1.0]]
    ramp = Audio(np.linspace(-1, 1, RATE_HZ, dtype=np.float32)[None], RATE_HZ)
    part = cut(ramp, 0.25, 0.5).samples[0, 240:-240]
    np.testing.assert_array_equal(part, ramp.samples[0, 12_240:35_760])


def sine(hertz: float, amplitude: float, phase_deg: float) -> Audio:
    phase = 2 * np.pi * hertz * np.arange(RATE_HZ) / RATE_HZ + np.deg2rad(phase_deg)
    return cut(Audio((amplitude * np.sin(phase)).astype(np.float32)[None], RATE_HZ), 0, 1)


@pytest.mark.parametrize(
    ("hertz", "amplitude", "phase_deg", "expected_dbtp"),
    [  # EBU Tech 3341, table 1, cases 15 to 19: tolerance +0.2, -0.4 dB
        (RATE_HZ / 4, 0.50, 0.0, -6.0),
        (RATE_HZ / 4, 0.50, 45.0, -6.0),
        (RATE_HZ / 6, 0.50, 60.0, -6.0),
        (RATE_HZ / 8, 0.50, 67.5, -6.0),
        (RATE_HZ / 4, 1.41, 45.0, 3.0),
    ],
)
def test_true_peak_of_the_ebu_cases(
    hertz: float, amplitude: float, phase_deg: float, expected_dbtp: float
) -> None:
    found = true_peak_dbtp(sine(hertz, amplitude, phase_deg))
    assert expected_dbtp - 0.4 <= found <= expected_dbtp + 0.2


@pytest.mark.parametrize("offset", range(4))
def test_a_peak_between_samples_is_found_wherever_it_lies(offset: int) -> None:
    # As in the EBU's cases 20 to 23: one burst, sampled at four offsets of a quarter sample.
    time = (np.arange(-2_000, 2_000) - offset / 4) / RATE_HZ
    envelope = np.where(np.abs(time) < 0.01, np.cos(np.pi * time / 0.02) ** 2, 0)
    burst = np.cos(2 * np.pi * RATE_HZ / 6 * time) * envelope
    audio = Audio(burst.astype(np.float32)[None], RATE_HZ)
    assert true_peak_dbtp(audio) == pytest.approx(0.0, abs=0.1)


def test_true_peak_is_that_of_the_loudest_channel_and_silence_has_none() -> None:
    loud, soft = sine(1_000, 0.5, 0), sine(1_000, 0.25, 0)
    both = Audio(np.concatenate([soft.samples, loud.samples]), RATE_HZ)
    assert true_peak_dbtp(both) == pytest.approx(true_peak_dbtp(loud), abs=1e-6)
    assert true_peak_dbtp(Audio(np.zeros((1, 4_800), np.float32), RATE_HZ)) == -math.inf


def test_the_reference_goes_to_the_loudness_and_all_follow() -> None:
    reference = sine(1_000, 0.02, 0)
    signals = {"reference": reference, "quiet@1kbps": scaled(reference, -9.0)}
    gain_db, lowered_db = gains(signals, Level())
    assert lowered_db == 0
    assert len(set(gain_db.values())) == 1
    levelled = scaled(reference, gain_db["reference"])
    assert loudness_lufs(levelled) == pytest.approx(-23.0, abs=0.02)
    gain_db, _ = gains(signals, Level(match_per_condition=True))
    assert gain_db["quiet@1kbps"] - gain_db["reference"] == pytest.approx(9.0, abs=0.01)


def test_all_are_lowered_together_until_none_exceeds_the_true_peak() -> None:
    rng = np.random.default_rng(3)  # castanets
    clicks = np.zeros(4 * RATE_HZ)
    clicks[:: RATE_HZ // 4] = 1.0
    decay = rng.standard_normal(300) * np.exp(-np.arange(300) / 30)
    hits = np.convolve(clicks, decay)[: len(clicks)]
    reference = Audio((0.5 * hits / np.abs(hits).max()).astype(np.float32)[None], RATE_HZ)
    signals = {"reference": reference, "loud@1kbps": scaled(reference, 4.0)}
    gain_db, lowered_db = gains(signals, Level())
    assert lowered_db > 3
    assert len(set(gain_db.values())) == 1
    peaks = {name: true_peak_dbtp(scaled(x, gain_db[name])) for name, x in signals.items()}
    assert peaks["loud@1kbps"] == pytest.approx(-1.0, abs=0.001)
    assert peaks["reference"] == pytest.approx(-5.0, abs=0.001)


@pytest.mark.parametrize(("seconds", "gain_db"), [(2.0, -200.0), (0.3, 0.0)])
def test_what_has_no_loudness_is_refused(seconds: float, gain_db: float) -> None:
    audio = scaled(broadband(seconds, RATE_HZ), gain_db)
    with pytest.raises(AudioError, match=r"reference has no loudness: .*silent .*or shorter"):
        gains({"reference": audio}, Level())
