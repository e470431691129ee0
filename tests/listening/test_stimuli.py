from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from snacbench.audio.align import advanced, cross_correlation
from snacbench.audio.io import read
from snacbench.errors import AudioError, StoreError, UserError
from snacbench.files import sha256_of_file
from snacbench.listening import stimuli as module
from snacbench.listening.anchors import anchor
from snacbench.listening.excerpt import cut
from snacbench.listening.facts import Facts, design_sha256, read_facts, stimulus_file
from snacbench.listening.levels import true_peak_dbtp
from snacbench.listening.signals import decoded, open_signals, reference_of, source
from snacbench.listening.stimuli import make_stimuli
from snacbench.listening.test import Item, Level, ListeningTest, System
from snacbench.listening.wave import files_of
from snacbench.rows import Calibration
from snacbench.store.folder import RunFolder
from snacbench.types import Audio
from tests.conftest import broadband
from tests.listening.audio_run import CODECS, make_audio_run

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
    run = open_signals(RunFolder.open(folder.parent / "run"))
    whole = reference_of(run, "set/d")
    assert whole.channels == 1
    gain = 10 ** (facts.items["two"].conditions["reference"].gain_db / 20)
    expected = {"reference": whole, "anchor35": anchor(whole, 3_500)}
    for name, signal in expected.items():
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


def test_padding_is_a_block_that_other_decoders_skip(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    loud, silent = broadband(1, 48_000), Audio(np.zeros((1, 48_000), np.float32), 48_000)
    files = files_of({"a": loud, "b": silent}, "flac")
    assert len(files["a"]) == len(files["b"])
    for content in files.values():
        blocks = list(metadata_blocks(content))
        assert blocks[0][0] == 0
        assert 1 in [kind for kind, _ in blocks]
    path = tmp_path / "b.flac"
    path.write_bytes(files["b"])
    with av.open(str(path)) as container:
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


def test_conditions_of_unequal_shape_are_refused() -> None:
    with pytest.raises(AudioError, match="must have one length, rate and number of channels"):
        files_of({"a": broadband(1, 48_000), "b": broadband(1.1, 48_000)}, "wav")


def test_padding_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snacbench.listening.wave._MAX_BLOCK_BYTES", 10)
    signals = {"a": broadband(1, 48_000), "b": Audio(np.zeros((1, 48_000), np.float32), 48_000)}
    with pytest.raises(AudioError, match="FLAC holds up to 10 bytes of padding, found"):
        files_of(signals, "flac")


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
    run, folder = place
    with pytest.raises(UserError, match=message):
        make_stimuli(folder, TEST.model_copy(update=changed))
    assert not list(folder.iterdir())
    assert run.path.is_dir()


def test_the_run_must_be_the_one_it_was_made_from(place: tuple[RunFolder, Path]) -> None:
    wrong(place, r"the run of this test is not found: .*holds no run", run="../gone")
    wrong(place, "its id is run1, test.yaml says other; make a new test", run_id="other")
    wrong(place, "its set_sha256 is abab.*, test.yaml says cdcd", set_sha256="cd" * 32)


def test_an_excerpt_beyond_the_end_is_refused(place: tuple[RunFolder, Path]) -> None:
    late = (item("one", "set/b", 2.0, 1.5),)
    wrong(place, r"item one \(set/b\): the excerpt ends at 3.5 s, the clip at 2.5 s", items=late)


def test_a_clip_or_system_that_the_run_lacks_is_refused(place: tuple[RunFolder, Path]) -> None:
    wrong(place, "has no clip set/z", items=(item("one", "set/z"),))
    wrong(place, "set/b: opus@1kbps has not coded it", systems=(System(name="opus@1kbps"),))


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
    recording.write_bytes((run.path.parent / "d.flac").read_bytes())
    wrong(place, r"b.flac (is no longer the file that the run coded|ends after)")


def test_failed_codings_are_refused(place: tuple[RunFolder, Path]) -> None:
    run, _ = place
    signals = open_signals(run)
    row = replace(signals.coded["set/b", "late@8kbps"], status="failed", reason="boom")
    run.append([row])
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

    def full(path: Path, content: bytes) -> None:
        written.append(path)
        if len(written) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    monkeypatch.setattr(module, "_write", full)
    with pytest.raises(StoreError, match=r"cannot write the stimuli of t .*No space left"):
        make_stimuli(folder, TEST)
    assert read_facts(folder, TEST) == facts
    assert sorted(p.name for p in folder.iterdir()) == ["stimuli", "stimuli.json"]


def test_a_delay_counts_at_the_rate_of_the_decoded_file(place: tuple[RunFolder, Path]) -> None:
    run, _ = place
    run.append([Calibration("late@8kbps", 14 / 48_000, 0.9, 1.0, True)])
    signals = open_signals(run)
    reference = reference_of(signals, "set/b")
    _, delay = decoded(signals, "set/b", "late@8kbps", reference)
    assert (delay.samples, delay.rate_hz) == (7, 24_000)
    run.append([Calibration("late@8kbps", 14 / 48_000, 0.1, 0.1, False)])
    _, delay = decoded(open_signals(run), "set/b", "late@8kbps", reference)
    assert delay.samples == 0
    assert source(signals, "set/c").rate_hz == 44_100


@pytest.mark.parametrize("samples", [-3, 0, 3])
def test_advancing_keeps_the_length(samples: int) -> None:
    audio = Audio(np.arange(1, 9, dtype=np.float32)[None] / 10, 8_000)
    out = advanced(audio, samples).samples[0]
    assert len(out) == 8
    kept = audio.samples[0, max(samples, 0) : 8 + min(samples, 0)]
    np.testing.assert_array_equal(out[max(-samples, 0) : 8 - max(samples, 0)], kept)
    assert np.count_nonzero(out) == 8 - abs(samples)
