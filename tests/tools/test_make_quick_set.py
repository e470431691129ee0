"""The tool that made the quick set: pieces and scenes, twice the same; what it refuses."""

from fractions import Fraction

import numpy as np
import pytest
import soundfile

from tools.make_quick_set import scores, write
from tools.make_quick_set.card import CONTENT, card
from tools.make_quick_set.clip import QuickClip, random_of
from tools.make_quick_set.environment import SCENES
from tools.make_quick_set.pieces import PIECES

pytestmark = pytest.mark.tools

RATE_HZ = 16_000


def tone(duration_s=1.0, frequency_hz=440.0):
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * RATE_HZ)) / RATE_HZ)


def clip(samples, peak_dbfs=-3.0):
    return QuickClip("tone", "music", samples, RATE_HZ, peak_dbfs, "test", track="tone")


def test_a_line_holds_chords_rests_accents_and_drum_steps():
    notes = scores.read_line("C4:1 | r:1/2 >E4+G4:3/2 _C5:2")
    assert [note.keys for note in notes] == [(60,), (64, 67), (72,)]
    assert [note.start for note in notes] == [0, Fraction(3, 2), 3]
    assert notes[1].accent > 0 > notes[2].accent
    strokes = list(scores.read_steps("x..o .x..", scores.DRUM_KEYS["kick"], 4))
    assert [stroke.start for stroke in strokes] == [0, Fraction(3, 4), Fraction(5, 4)]
    for token in ("C4", "C4:0", ":1", "H4:1"):
        with pytest.raises(ValueError, match=r"is no note; write pitch:beats|'H4' is no pitch"):
            scores.read_line(token)


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.name)
def test_a_piece_fits_its_clip_and_is_the_same_twice(piece):
    lines = [scores.read_line(part.line) for part in piece.parts]
    ends = [max(note.start + note.beats for note in line) for line in lines]
    sounding_s = float(max(ends)) * 60 / piece.beats_per_minute
    assert piece.duration_s - 1.5 < sounding_s <= piece.duration_s + 0.3
    first, second = (scores.to_midi(piece, random_of(piece.name)) for _ in range(2))
    assert [list(track) for track in first.tracks] == [list(track) for track in second.tracks]
    kinds = [message.type for track in first.tracks for message in track]
    assert kinds.count("note_on") == kinds.count("note_off") > 20


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_scene_is_finite_full_length_and_the_same_twice(scene):
    of = (scene.rate_hz, scene.duration_s)
    first, second = (scene.make(random_of(scene.name), *of) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape[1] == round(scene.duration_s * scene.rate_hz)
    assert -30 < 10 * np.log10(np.mean(first**2)) < -15


def test_what_is_written_and_described(tmp_path):
    pcm = write.to_pcm(clip(0.01 * tone()[np.newaxis]))
    assert 20 * np.log10(np.max(np.abs(pcm.astype(float))) / 2**15) == pytest.approx(-3, abs=0.01)
    samples = np.concatenate([tone(), np.zeros(RATE_HZ)])[np.newaxis]  # no digital silence
    assert np.count_nonzero(write.to_pcm(clip(samples))[0, RATE_HZ:]) > RATE_HZ // 10
    for bad, peak in ((np.zeros((1, 9)), -3.0), (np.full((1, 9), np.nan), -3.0), (samples, 0.0)):
        with pytest.raises(ValueError, match="expected a finite, audible signal and a peak"):
            write.to_pcm(clip(bad, peak))
    written = write.write_clip(tmp_path, clip(tone(0.5)[np.newaxis]))
    write.write_manifest(tmp_path, [written])
    assert soundfile.info(str(tmp_path / "music" / "tone.flac")).subtype == "PCM_16"
    header, row = (tmp_path / "manifest.csv").read_text().splitlines()
    assert header == ",".join(write.MANIFEST_COLUMNS)
    told = "music/tone.flac,music,0.500,16000,1,,,,,tone,test,CC0-1.0,false"
    assert row == f"{told},{written.sha256}"
    assert "| `music/tone.flac` | 16000 | 1 | 0.50 | -3 | tone |" in card([written])
    (tmp_path / "noise.flac").write_bytes(bytes(write.MAX_BYTES))
    with pytest.raises(write.SetTooLargeError, match="bytes, expected at most 6000000"):
        write.check_size(tmp_path)
    assert set(CONTENT) == {p.name for p in PIECES} | {s.name for s in SCENES} | {"cafe"}
