from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tools.make_quick_set import dsp, music, programs, scores, speech, write
from tools.make_quick_set.card import CONTENT, card
from tools.make_quick_set.clip import QuickClip, random_of
from tools.make_quick_set.environment import SCENES, cafe, environment_clips
from tools.make_quick_set.passing import drive_past
from tools.make_quick_set.pieces import GROOVE, PIECES

pytestmark = pytest.mark.tools

RATE_HZ = 16_000


def tone(duration_s: float = 1.0, frequency_hz: float = 440.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * RATE_HZ)) / RATE_HZ)


def clip(samples: np.ndarray, *, peak_dbfs: float = -3.0) -> QuickClip:
    return QuickClip("tone", "music", samples, RATE_HZ, peak_dbfs, "test", track="tone")


def test_a_line_holds_chords_rests_accents_and_drum_steps() -> None:
    notes = scores.read_line("C4:1 | r:1/2 >E4+G4:3/2 _C5:2")
    assert [note.keys for note in notes] == [(60,), (64, 67), (72,)]
    assert [note.start for note in notes] == [0, Fraction(3, 2), 3]
    assert notes[1].accent > 0 > notes[2].accent
    assert [scores.key_of(pitch) for pitch in ("A4", "F#3", "Bb2", "E1")] == [69, 54, 46, 28]
    strokes = list(scores.read_steps("x..o .x..", scores.DRUM_KEYS["kick"], 4))
    assert [stroke.start for stroke in strokes] == [0, Fraction(3, 4), Fraction(5, 4)]
    for token in ("C4", "C4:", "C4:0", "C4:1/0", "C4:1/2E4:1", ":1", "H4:1"):
        with pytest.raises(ValueError, match=r"is no note; write pitch:beats|'H4' is no pitch"):
            scores.read_line(token)


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.name)
def test_a_piece_fits_its_clip_and_is_the_same_twice(piece: scores.Piece) -> None:
    lines = [scores.read_line(part.line) for part in piece.parts]
    ends = [max(note.start + note.beats for note in line) for line in lines]
    assert max(ends) - min(ends) <= 1
    sounding_s = float(max(ends)) * 60 / piece.beats_per_minute
    assert piece.duration_s - 1.5 < sounding_s <= piece.duration_s + 0.3
    assert 4 <= piece.duration_s <= 8
    first, second = (scores.to_midi(piece, random_of(piece.name)) for _ in range(2))
    assert [list(track) for track in first.tracks] == [list(track) for track in second.tracks]
    messages = [message for track in first.tracks for message in track]
    assert all(message.time >= 0 for message in messages)
    on = sum(message.type == "note_on" for message in messages)
    assert on == sum(message.type == "note_off" for message in messages) > 20


def test_a_performance_is_cut_to_length_and_faded_and_silence_is_an_error(monkeypatch) -> None:
    piece = replace(GROOVE, rate_hz=RATE_HZ, duration_s=4.0, channels=1)
    mono = music.as_recorded(np.ones((2, 5 * RATE_HZ)), piece)
    assert mono.shape == (1, 4 * RATE_HZ)
    assert mono[0, 0] == 1
    assert abs(mono[0, -1]) < 1e-6

    def silent_synthesiser(command: list[str]) -> None:
        soundfile.write(command[command.index("-F") + 1], np.zeros((100, 2)), GROOVE.rate_hz)

    monkeypatch.setattr(music, "run", silent_synthesiser)
    with pytest.raises(programs.RenderError, match="played late_groove as silence; check"):
        music.play(GROOVE)


def test_noise_bands_rooms_and_places() -> None:
    for db_per_octave in (0.0, 6.0):
        noise = dsp.noise(random_of("n"), 1 << 16, RATE_HZ, db_per_octave=db_per_octave)
        power = np.abs(np.fft.rfft(noise)) ** 2
        hz = len(power) / (RATE_HZ / 2)
        low, high = (power[int(f * hz) : int(1.2 * f * hz)].mean() for f in (500, 4000))
        assert 10 * np.log10(low / high) == pytest.approx(3 * db_per_octave, abs=1.0)
    kept = dsp.band(tone(frequency_hz=1000), RATE_HZ, 200, 5000)[1000:]
    lost = dsp.band(tone(frequency_hz=60), RATE_HZ, 800, 5000)[1000:]
    assert np.sqrt(np.mean(kept**2)) == pytest.approx(np.sqrt(0.5), rel=0.05)
    assert np.sqrt(np.mean(lost**2)) < 0.02
    response = dsp.impulse_of_room(random_of("r"), RATE_HZ, reverberation_s=0.5)
    energy = np.cumsum(response[::-1] ** 2)[::-1]
    level_db = 10 * np.log10(energy[[round(0.1 * RATE_HZ), round(0.3 * RATE_HZ)]])
    assert level_db[0] - level_db[1] == pytest.approx(60 * 0.2 / 0.5, abs=4)
    stereo = dsp.place(tone(), -0.4)
    assert np.sum(stereo**2) == pytest.approx(np.sum(tone() ** 2))
    assert np.sum(stereo[0] ** 2) > np.sum(stereo[1] ** 2)
    car = drive_past(random_of("car"), RATE_HZ, 4.0)
    third = car.shape[1] // 3
    assert np.sum(car[0, :third] ** 2) > np.sum(car[1, :third] ** 2)
    assert np.sum(car[0, -third:] ** 2) < np.sum(car[1, -third:] ** 2)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_scene_is_finite_full_length_and_the_same_twice(scene) -> None:
    first, second = (
        scene.make(random_of(scene.name), scene.rate_hz, scene.duration_s) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert np.all(np.isfinite(first))
    assert first.shape[1] == round(scene.duration_s * scene.rate_hz)
    assert 4 <= scene.duration_s <= 8
    assert -30 < 10 * np.log10(np.mean(first**2)) < -15


def test_the_cafe_is_peopled_and_every_scene_becomes_a_clip(monkeypatch) -> None:
    scene = cafe(random_of("cafe"), RATE_HZ, 2.5, [(tone(0.5), RATE_HZ), (tone(0.7, 300), 8_000)])
    assert scene.shape == (1, 2.5 * RATE_HZ)
    assert np.all(np.isfinite(scene))
    monkeypatch.setattr("tools.make_quick_set.environment.SCENES", SCENES[:1])
    clips = environment_clips([(tone(), RATE_HZ)])
    assert [(c.name, c.rate_hz) for c in clips] == [("rain_on_roof", 48_000), ("cafe", 22_050)]


def test_speech_is_cut_and_programs_that_fail_are_named(monkeypatch) -> None:
    silence = np.zeros(RATE_HZ)
    cut = speech.trim(np.concatenate([silence, tone(), silence]), RATE_HZ)
    assert len(cut) / RATE_HZ == pytest.approx(1.37, abs=0.01)

    def narrow_voice(command: list[str]) -> None:
        soundfile.write(command[-1], tone(), 8_000)

    monkeypatch.setattr(speech, "run", narrow_voice)
    with pytest.raises(programs.RenderError, match="spoke at 8000 Hz, expected 16000 Hz"):
        speech.speak(speech.RMS, "Hello")
    programs.check_installed({"sh": "dash"})
    wanted = {"sh": "dash", "no-such-synth": "synth", "/no/such/font.sf2": "font"}
    text = "not found: no-such-synth, /no/such/font.sf2; install.*recommends font synth'"
    with pytest.raises(programs.RenderError, match=text):
        programs.check_installed(wanted)
    with pytest.raises(programs.RenderError, match="ended with status 3; it said: no voice"):
        programs.run(["sh", "-c", "echo no voice >&2; exit 3"])


def test_what_is_written_and_described(tmp_path: Path) -> None:
    pcm = write.to_pcm(clip(0.01 * tone()[np.newaxis], peak_dbfs=-3.0))
    assert 20 * np.log10(np.max(np.abs(pcm.astype(float))) / 2**15) == pytest.approx(-3, abs=0.01)
    assert abs(write.to_pcm(clip(0.1 + tone()[np.newaxis])).mean()) < 1
    samples = np.concatenate([tone(), np.zeros(RATE_HZ)])[np.newaxis]  # no digital silence
    assert np.count_nonzero(write.to_pcm(clip(samples))[0, RATE_HZ:]) > RATE_HZ // 10
    for bad, peak in ((np.zeros((1, 9)), -3.0), (np.full((1, 9), np.nan), -3.0), (samples, 0.0)):
        with pytest.raises(ValueError, match="expected a finite, audible signal and a peak"):
            write.to_pcm(clip(bad, peak_dbfs=peak))
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
    assert all(len(line.text.split()) >= 12 for line in speech.LINES)
    assert set(CONTENT) == {p.name for p in PIECES} | {s.name for s in SCENES} | {"cafe"}
