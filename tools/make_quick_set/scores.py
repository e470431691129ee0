"""A small language for scores, and its translation to MIDI.

A line of music is a string of ``pitch:beats``: ``"D4:1 E4:1/2 F4+A4:3/2 r:1"``. ``+`` stacks a
chord, ``r`` is a rest, a leading ``>`` is an accent, ``_`` is soft; ``|`` only helps the eye.
A drum is a string of steps: ``"x..o x.x."`` with ``x`` loud, ``o`` soft, ``.`` silent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import mido  # type: ignore[import-untyped]
import numpy as np

TICKS_PER_BEAT = 480
_DRUM_CHANNEL = 9
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ALTERATIONS = {"#": 1, "b": -1}
_ACCENTS = {"": 0, ">": 18, "_": -22}
_TOKEN = re.compile(r"([>_]?)([^:>_]+):([1-9]\d*(?:/[1-9]\d*)?)")

#: General MIDI key of a drum.
DRUM_KEYS = {
    "kick": 36, "snare": 38, "rim": 37, "hat": 42, "open_hat": 46, "crash": 49, "ride": 51,
    "low_tom": 45, "high_tom": 50, "tambourine": 54, "shaker": 70, "conga": 63, "clap": 39,
}  # fmt: skip


@dataclass(frozen=True)
class Note:
    """Keys (MIDI numbers) struck together, when and for how long in beats."""

    start: Fraction
    beats: Fraction
    keys: tuple[int, ...]
    accent: int = 0


@dataclass(frozen=True)
class Part:
    """One instrument.

    Parameters
    ----------
    program : int
        General MIDI program, counted from 0.
    line : str
        In the language of this module.
    velocity, volume, pan, reverb : int
        0 to 127; pan 64 is the middle.
    sounding : float
        Share of a note's written length that it is held: below 1 detached, above 1 ringing on.
    """

    program: int
    line: str
    velocity: int = 84
    volume: int = 100
    pan: int = 64
    reverb: int = 45
    sounding: float = 0.95


@dataclass(frozen=True)
class Piece:
    """A short piece, how it is recorded and how loud it peaks.

    Parameters
    ----------
    beats_per_minute : float
        Tempo.
    rate_hz, channels : int
        Of the recording.
    duration_s : float
        Of the clip, final ring included.
    peak_dbfs : float
        Highest sample, in dB of full scale.
    drums : mapping of str to str
        Drum -> steps.
    steps_per_beat : int
        Of the drum strings.
    looseness : float
        Largest deviation of a note from its written time, in beats.
    """

    name: str
    beats_per_minute: float
    rate_hz: int
    channels: int
    duration_s: float
    peak_dbfs: float
    parts: tuple[Part, ...]
    drums: Mapping[str, str] = field(default_factory=dict)
    steps_per_beat: int = 4
    looseness: float = 0.015


def key_of(pitch: str) -> int:
    """MIDI key of a pitch such as ``C4`` (60), ``F#3`` or ``Bb5``.

    Raises
    ------
    ValueError
        If it is not a pitch.
    """
    letter, alteration, octave = pitch[:1], pitch[1:-1], pitch[-1:]
    if letter not in _SEMITONES or alteration not in ("", *_ALTERATIONS) or not octave.isdigit():
        raise ValueError(f"'{pitch}' is no pitch; write a letter, # or b, and an octave: 'Bb3'")
    return 12 * (int(octave) + 1) + _SEMITONES[letter] + _ALTERATIONS.get(alteration, 0)


def read_line(line: str) -> list[Note]:
    """Notes of a line, rests left out.

    Raises
    ------
    ValueError
        If a token does not read ``pitch:beats``.
    """
    notes: list[Note] = []
    now = Fraction(0)
    for token in line.replace("|", " ").split():
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise ValueError(f"'{token}' is no note; write pitch:beats, such as 'D4:1/2' or 'r:1'")
        accent, pitches, length = match.groups()
        beats = Fraction(length)
        if pitches != "r":
            keys = tuple(key_of(pitch) for pitch in pitches.split("+"))
            notes.append(Note(now, beats, keys, _ACCENTS[accent]))
        now += beats
    return notes


def read_steps(steps: str, key: int, steps_per_beat: int) -> Iterator[Note]:
    """Strokes of one drum."""
    for index, step in enumerate(steps.replace(" ", "")):
        if step in "xo":
            start = Fraction(index, steps_per_beat)
            yield Note(start, Fraction(1, steps_per_beat), (key,), 10 if step == "x" else -30)


def to_midi(piece: Piece, rng: np.random.Generator) -> mido.MidiFile:
    """Translate a piece to MIDI, with small human deviations in time and force."""
    midi = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT)
    tempo = mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(piece.beats_per_minute))
    midi.tracks.append(mido.MidiTrack([tempo]))
    channels = [channel for channel in range(16) if channel != _DRUM_CHANNEL]
    for channel, part in zip(channels, piece.parts, strict=False):
        midi.tracks.append(_track(read_line(part.line), part, channel, piece.looseness, rng))
    if piece.drums:
        kit = Part(program=0, line="", velocity=92, reverb=25, sounding=0.9)
        strokes = [
            note
            for drum, steps in piece.drums.items()
            for note in read_steps(steps, DRUM_KEYS[drum], piece.steps_per_beat)
        ]
        midi.tracks.append(_track(strokes, kit, _DRUM_CHANNEL, piece.looseness, rng))
    return midi


def _track(
    notes: list[Note], part: Part, channel: int, looseness: float, rng: np.random.Generator
) -> mido.MidiTrack:
    timed = [
        (0, mido.Message("program_change", channel=channel, program=part.program)),
        (0, mido.Message("control_change", channel=channel, control=7, value=part.volume)),
        (0, mido.Message("control_change", channel=channel, control=10, value=part.pan)),
        (0, mido.Message("control_change", channel=channel, control=91, value=part.reverb)),
    ]
    for note in notes:
        start = max(float(note.start) + rng.uniform(-looseness, looseness), 0.0)
        end = start + float(note.beats) * part.sounding
        for key in note.keys:
            force = int(np.clip(part.velocity + note.accent + rng.integers(-7, 8), 1, 127))
            on = mido.Message("note_on", channel=channel, note=key, velocity=force)
            off = mido.Message("note_off", channel=channel, note=key)
            timed += [(round(start * TICKS_PER_BEAT), on), (round(end * TICKS_PER_BEAT), off)]
    timed.sort(key=lambda event: event[0])
    track = mido.MidiTrack()
    now = 0
    for tick, message in timed:
        track.append(message.copy(time=tick - now))
        now = tick
    return track
