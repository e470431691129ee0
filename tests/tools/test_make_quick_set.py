from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tools.make_quick_set import dsp, events, music, programs, scores, speech, write
from tools.make_quick_set.card import CONTENT, card
from tools.make_quick_set.clip import QuickClip, random_of
from tools.make_quick_set.environment import SCENES, cafe, environment_clips
from tools.make_quick_set.passing import drive_past
from tools.make_quick_set.pieces import GROOVE, PIECES
from tools.make_quick_set.scores import Piece

pytestmark = pytest.mark.tools

RATE_HZ = 16_000


def tone(duration_s: float = 1.0, frequency_hz: float = 440.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * RATE_HZ)) / RATE_HZ)


def clip(samples: np.ndarray, *, peak_dbfs: float = -3.0) -> QuickClip:
    return QuickClip("tone", "music", samples, RATE_HZ, peak_dbfs, "test", track="tone")


def dominant_hz(samples: np.ndarray, rate_hz: int = RATE_HZ) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate_hz / len(samples))


# Scores


def test_a_line_holds_chords_rests_and_accents() -> None:
    notes = scores.read_line("C4:1 | r:1/2 >E4+G4:3/2 _C5:2")
    assert [note.keys for note in notes] == [(60,), (64, 67), (72,)]
    assert [note.start for note in notes] == [0, Fraction(3, 2), 3]
    assert notes[1].accent > 0 > notes[2].accent
    assert [scores.key_of(pitch) for pitch in ("A4", "F#3", "Bb2", "E1")] == [69, 54, 46, 28]


@pytest.mark.parametrize("token", ["C4", "C4:", "C4:0", "C4:1/0", "C4:1/2E4:1", ":1", "H4:1"])
def test_a_token_that_is_no_note_is_named(token: str) -> None:
    with pytest.raises(ValueError, match=r"is no note; write pitch:beats|'H4' is no pitch"):
        scores.read_line(token)


def test_drum_steps_fall_on_the_grid() -> None:
    strokes = list(scores.read_steps("x..o .x..", scores.DRUM_KEYS["kick"], 4))
    assert [stroke.start for stroke in strokes] == [0, Fraction(3, 4), Fraction(5, 4)]
    assert strokes[0].accent > strokes[1].accent


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.name)
def test_a_piece_fits_its_clip_and_is_the_same_twice(piece: Piece) -> None:
    lines = [scores.read_line(part.line) for part in piece.parts]
    ends = [max(note.start + note.beats for note in line) for line in lines]
    assert max(ends) - min(ends) <= 1
    sounding_s = float(max(ends)) * 60 / piece.beats_per_minute
    assert piece.duration_s - 1.5 < sounding_s <= piece.duration_s + 0.3
    assert 4 <= piece.duration_s <= 8
    assert -6 <= piece.peak_dbfs <= -1
    assert len({len(steps.replace(" ", "")) for steps in piece.drums.values()}) <= 1
    assert set("".join(piece.drums.values())) <= set("xo. ")
    first, second = (scores.to_midi(piece, random_of(piece.name)) for _ in range(2))
    assert [list(track) for track in first.tracks] == [list(track) for track in second.tracks]
    messages = [message for track in first.tracks for message in track]
    assert all(message.time >= 0 for message in messages)
    on = sum(message.type == "note_on" for message in messages)
    assert on == sum(message.type == "note_off" for message in messages) > 20


def test_a_piece_has_one_track_an_instrument_and_drums_on_channel_ten() -> None:
    midi = scores.to_midi(GROOVE, random_of("groove"))
    channels = [{m.channel for m in track if not m.is_meta} for track in midi.tracks[1:]]
    assert channels == [{0}, {1}, {2}, {9}]


def test_a_performance_is_cut_to_length_and_faded() -> None:
    piece = replace(GROOVE, rate_hz=RATE_HZ, duration_s=4.0, channels=2)
    played = np.ones((2, 5 * RATE_HZ))
    assert music.as_recorded(played, piece).shape == (2, 4 * RATE_HZ)
    mono = music.as_recorded(played, replace(piece, channels=1))
    assert mono.shape == (1, 4 * RATE_HZ)
    assert mono[0, 0] == 1
    assert abs(mono[0, -1]) < 1e-6


def test_a_silent_performance_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent_synthesiser(command: list[str]) -> None:
        soundfile.write(command[command.index("-F") + 1], np.zeros((100, 2)), GROOVE.rate_hz)

    monkeypatch.setattr(music, "run", silent_synthesiser)
    with pytest.raises(programs.RenderError, match="played late_groove as silence; check"):
        music.play(GROOVE)


# Building blocks


@pytest.mark.parametrize("db_per_octave", [0.0, 6.0])
def test_noise_falls_by_its_slope(db_per_octave: float) -> None:
    noise = dsp.noise(random_of("n"), 1 << 16, RATE_HZ, db_per_octave=db_per_octave)
    power = np.abs(np.fft.rfft(noise)) ** 2
    hz = len(power) / (RATE_HZ / 2)
    low, high = (power[int(f * hz) : int(1.2 * f * hz)].mean() for f in (500, 4000))
    assert 10 * np.log10(low / high) == pytest.approx(3 * db_per_octave, abs=1.0)


def test_a_band_keeps_what_is_inside() -> None:
    kept = dsp.band(tone(frequency_hz=1000), RATE_HZ, 200, 5000)[1000:]
    lost = dsp.band(tone(frequency_hz=60), RATE_HZ, 800, 5000)[1000:]
    assert np.sqrt(np.mean(kept**2)) == pytest.approx(np.sqrt(0.5), rel=0.05)
    assert np.sqrt(np.mean(lost**2)) < 0.02


def test_a_wandering_curve_stays_between_its_bounds_without_jumps() -> None:
    curve = dsp.wander(random_of("w"), RATE_HZ, RATE_HZ, every_s=0.1, between=(0.2, 0.9))
    assert curve.min() >= 0.2
    assert curve.max() <= 0.9
    assert np.max(np.abs(np.diff(curve))) < 0.01


def test_a_struck_body_rings_at_its_mode_and_modes_above_the_band_are_left_out() -> None:
    assert dominant_hz(dsp.modal(RATE_HZ, 0.5, [(1234, 0.2, 1.0)])) == pytest.approx(1234, abs=3)
    assert not np.any(dsp.modal(RATE_HZ, 0.1, [(9000, 0.1, 1.0)]))


def test_scattered_events_land_on_time_and_inside() -> None:
    track = dsp.scatter(10, 10, [(0.2, np.ones(2)), (0.9, np.ones(5)), (3.0, np.ones(2))])
    np.testing.assert_array_equal(track, [0, 0, 1, 1, 0, 0, 0, 0, 0, 1])


def test_a_room_decays_as_fast_as_asked() -> None:
    response = dsp.impulse_of_room(random_of("r"), RATE_HZ, reverberation_s=0.5)
    energy = np.cumsum(response[::-1] ** 2)[::-1]
    level_db = 10 * np.log10(energy[[round(0.1 * RATE_HZ), round(0.3 * RATE_HZ)]])
    assert level_db[0] - level_db[1] == pytest.approx(60 * 0.2 / 0.5, abs=4)


def test_placing_keeps_power() -> None:
    stereo = dsp.place(tone(), -0.4)
    assert np.sum(stereo**2) == pytest.approx(np.sum(tone() ** 2))
    assert np.sum(stereo[0] ** 2) > np.sum(stereo[1] ** 2)


def test_layers_are_mixed_at_their_levels() -> None:
    mixed = dsp.mix([(-20, tone()), (-300, dsp.noise(random_of("x"), RATE_HZ, RATE_HZ))])
    assert 20 * np.log10(np.sqrt(np.mean(mixed**2))) == pytest.approx(-20, abs=0.01)


EVENTS = {
    "rain_drop": events.rain_drop,
    "water_drip": events.water_drip,
    "warbler": events.warbler,
    "whistler": events.whistler,
    "sparrow": events.sparrow,
    "gull": events.gull,
    "cricket": partial(events.cricket_chirp, pitch_hz=4300.0),
    "crackle": events.crackle,
    "gravel_step": events.gravel_step,
    "glass": partial(events.struck_glass, pitch_hz=900.0),
    "metal": partial(events.struck_metal, pitch_hz=400.0),
    "wood": partial(events.struck_wood, pitch_hz=230.0),
    "clink": partial(events.clink, ring_s=0.05),
    "jingle": events.jingle,
    "tick": partial(events.clock_tick, tock=False),
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_finite_short_and_fades(name: str) -> None:
    sound = EVENTS[name](random_of(name), 44_100)
    again = EVENTS[name](random_of(name), 44_100)
    np.testing.assert_array_equal(sound, again)
    assert np.all(np.isfinite(sound))
    assert 0 < len(sound) < 3 * 44_100
    assert np.max(np.abs(sound[-20:])) < 0.2 * np.max(np.abs(sound))


def test_a_passing_car_drops_in_pitch_and_crosses_the_stage() -> None:
    car = drive_past(random_of("car"), RATE_HZ, 4.0)
    third = car.shape[1] // 3
    assert np.sum(car[0, :third] ** 2) > np.sum(car[1, :third] ** 2)
    assert np.sum(car[0, -third:] ** 2) < np.sum(car[1, -third:] ** 2)
    loudness = np.sum(car**2, axis=0)
    assert loudness[third : 2 * third].sum() > 3 * loudness[:third].sum()


# Scenes


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_scene_is_finite_full_length_and_the_same_twice(scene) -> None:
    first = scene.make(random_of(scene.name), scene.rate_hz, scene.duration_s)
    second = scene.make(random_of(scene.name), scene.rate_hz, scene.duration_s)
    np.testing.assert_array_equal(first, second)
    assert np.all(np.isfinite(first))
    assert first.shape[1] == round(scene.duration_s * scene.rate_hz)
    assert 4 <= scene.duration_s <= 8
    rms_db = 10 * np.log10(np.mean(first**2))
    assert -30 < rms_db < -15


def test_the_cafe_is_peopled_by_the_given_voices() -> None:
    scene = cafe(random_of("cafe"), RATE_HZ, 2.5, [(tone(0.5), RATE_HZ), (tone(0.7, 300), 8_000)])
    assert scene.shape == (1, 2.5 * RATE_HZ)
    assert np.all(np.isfinite(scene))


def test_every_scene_becomes_a_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.make_quick_set.environment.SCENES", SCENES[:1])
    clips = environment_clips([(tone(), RATE_HZ)])
    assert [(c.name, c.domain, c.rate_hz) for c in clips] == [
        ("rain_on_roof", "environment", 48_000),
        ("cafe", "environment", 22_050),
    ]


# Speech


def test_speech_is_cut_to_a_short_lead_and_tail() -> None:
    silence = np.zeros(RATE_HZ)
    cut = speech.trim(np.concatenate([silence, tone(), silence]), RATE_HZ)
    assert len(cut) / RATE_HZ == pytest.approx(1.37, abs=0.01)
    assert cut[0] == 0
    assert cut[-1] == 0


def test_a_voice_at_another_rate_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def narrow_voice(command: list[str]) -> None:
        soundfile.write(command[-1], tone(), 8_000)

    monkeypatch.setattr(speech, "run", narrow_voice)
    with pytest.raises(programs.RenderError, match="spoke at 8000 Hz, expected 16000 Hz"):
        speech.speak(speech.RMS, "Hello")


# Programs


def test_all_that_is_missing_is_named_with_the_command_that_installs_it() -> None:
    programs.check_installed({"sh": "dash"})
    wanted = {"sh": "dash", "no-such-synth": "synth", "/no/such/font.sf2": "font"}
    with pytest.raises(programs.RenderError) as caught:
        programs.check_installed(wanted)
    assert "not found: no-such-synth, /no/such/font.sf2; install" in str(caught.value)
    assert str(caught.value).endswith("install --no-install-recommends font synth'")


def test_a_failing_renderer_is_quoted() -> None:
    with pytest.raises(programs.RenderError, match="ended with status 3; it said: no voice"):
        programs.run(["sh", "-c", "echo no voice >&2; exit 3"])


# Files


def test_samples_reach_their_peak_without_clipping_offset_or_digital_silence() -> None:
    pcm = write.to_pcm(clip(0.01 * tone()[np.newaxis], peak_dbfs=-3.0))
    assert 20 * np.log10(np.max(np.abs(pcm.astype(float))) / 2**15) == pytest.approx(-3, abs=0.01)
    np.testing.assert_array_equal(pcm, write.to_pcm(clip(0.01 * tone()[np.newaxis])))
    assert abs(write.to_pcm(clip(0.1 + tone()[np.newaxis])).mean()) < 1
    samples = np.concatenate([tone(), np.zeros(RATE_HZ)])[np.newaxis]
    assert np.count_nonzero(write.to_pcm(clip(samples))[0, RATE_HZ:]) > RATE_HZ // 10


@pytest.mark.parametrize(
    ("samples", "peak_dbfs"),
    [(np.zeros((1, 9)), -3.0), (np.full((1, 9), np.nan), -3.0), (np.ones((1, 9)), 0.0)],
    ids=["silent", "not finite", "clipping"],
)
def test_a_clip_that_cannot_be_written_well_is_refused(samples, peak_dbfs) -> None:
    with pytest.raises(ValueError, match="expected a finite, audible signal and a peak"):
        write.to_pcm(clip(samples, peak_dbfs=peak_dbfs))


def test_a_clip_is_written_with_its_row_and_its_line_in_the_card(tmp_path: Path) -> None:
    written = write.write_clip(tmp_path, clip(tone(0.5)[np.newaxis]))
    write.write_manifest(tmp_path, [written])
    info = soundfile.info(str(tmp_path / "music" / "tone.flac"))
    assert (info.samplerate, info.channels, info.subtype) == (RATE_HZ, 1, "PCM_16")
    header, row = (tmp_path / "manifest.csv").read_text().splitlines()
    assert header == ",".join(write.MANIFEST_COLUMNS)
    assert row == f"music/tone.flac,music,0.500,16000,1,,,tone,test,CC0-1.0,false,{written.sha256}"
    assert "| `music/tone.flac` | 16000 | 1 | 0.50 | -3 | tone |" in card([written])
    assert write.check_size(tmp_path) > written.size_bytes
    (tmp_path / "noise.flac").write_bytes(bytes(write.MAX_BYTES))
    with pytest.raises(write.SetTooLargeError, match="bytes, expected at most 6000000"):
        write.check_size(tmp_path)


def test_every_clip_is_described_and_sentences_have_enough_words_and_voices() -> None:
    assert all(len(line.text.split()) >= 12 for line in speech.LINES)
    assert len({line.voice.speaker for line in speech.LINES}) >= 4
    assert len({line.name for line in speech.LINES}) == len(speech.LINES)
    assert set(CONTENT) == {p.name for p in PIECES} | {s.name for s in SCENES} | {"cafe"}
