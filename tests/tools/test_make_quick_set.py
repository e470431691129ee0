from __future__ import annotations

from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tools.make_quick_set import events, music, programs, scores, speech, write
from tools.make_quick_set.card import CONTENT, card
from tools.make_quick_set.clip import QuickClip, random_of
from tools.make_quick_set.environment import SCENES
from tools.make_quick_set.pieces import GROOVE, PIECES
from tools.make_quick_set.scores import Piece

pytestmark = pytest.mark.tools

RATE_HZ = 16_000


def tone(duration_s: float = 1.0, frequency_hz: float = 440.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * RATE_HZ)) / RATE_HZ)


def clip(samples: np.ndarray, *, peak_dbfs: float = -3.0) -> QuickClip:
    return QuickClip("tone", "music", samples, RATE_HZ, peak_dbfs, "test", track="tone")


def test_a_line_holds_chords_rests_and_accents() -> None:
    notes = scores.read_line("C4:1 | r:1/2 >E4+G4:3/2 _C5:2")
    assert [note.keys for note in notes] == [(60,), (64, 67), (72,)]
    assert [note.start for note in notes] == [0, Fraction(3, 2), 3]
    assert notes[1].accent > 0 > notes[2].accent
    assert [scores.key_of(pitch) for pitch in ("A4", "F#3", "Bb2", "E1")] == [69, 54, 46, 28]
    for token in ("C4", "C4:", "C4:0", "C4:1/0", "C4:1/2E4:1", ":1", "H4:1"):
        with pytest.raises(ValueError, match=r"is no note; write pitch:beats|'H4' is no pitch"):
            scores.read_line(token)


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


def test_what_a_program_made_badly_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent_synthesiser(command: list[str]) -> None:
        soundfile.write(command[command.index("-F") + 1], np.zeros((100, 2)), GROOVE.rate_hz)

    def narrow_voice(command: list[str]) -> None:
        soundfile.write(command[-1], tone(), 8_000)

    monkeypatch.setattr(music, "run", silent_synthesiser)
    with pytest.raises(programs.RenderError, match="played late_groove as silence; check"):
        music.play(GROOVE)
    monkeypatch.setattr(speech, "run", narrow_voice)
    with pytest.raises(programs.RenderError, match="spoke at 8000 Hz, expected 16000 Hz"):
        speech.speak(speech.RMS, "Hello")
    with pytest.raises(programs.RenderError, match="ended with status 3; it said: no voice"):
        programs.run(["sh", "-c", "echo no voice >&2; exit 3"])
    programs.check_installed({"sh": "dash"})
    wanted = {"sh": "dash", "no-such-synth": "synth", "/no/such/font.sf2": "font"}
    missing = "not found: no-such-synth, /no/such/font.sf2; install .*-recommends font synth'$"
    with pytest.raises(programs.RenderError, match=missing):
        programs.check_installed(wanted)


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


def test_a_clip_that_cannot_be_written_well_is_refused() -> None:
    for samples, peak in ((np.zeros((1, 9)), -3.0), (np.full((1, 9), np.nan), -3.0),
                          (np.ones((1, 9)), 0.0)):  # fmt: skip
        with pytest.raises(ValueError, match="expected a finite, audible signal and a peak"):
            write.to_pcm(clip(samples, peak_dbfs=peak))


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
    lines = speech.LINES
    assert all(len(line.text.split()) >= 12 for line in lines)
    assert len({line.voice.speaker for line in lines}) >= 4
    assert set(CONTENT) == {p.name for p in PIECES} | {s.name for s in SCENES} | {"cafe"}
