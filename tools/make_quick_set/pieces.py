"""Nine short pieces written for this set, from a string chorale to a rock riff."""

from __future__ import annotations

from tools.make_quick_set.scores import Part, Piece

# General MIDI programs, counted from 0.
_PIANO, _ELECTRIC_PIANO, _VIBRAPHONE, _MARIMBA = 0, 4, 11, 12
_NYLON_GUITAR, _MUTED_GUITAR, _DISTORTED_GUITAR = 24, 28, 30
_FINGERED_BASS, _PICKED_BASS = 33, 34
_VIOLIN, _VIOLA, _CELLO, _HARP, _TIMPANI = 40, 41, 42, 46, 47
_CHOIR, _TRUMPET, _TROMBONE, _TUBA, _HORN = 52, 56, 57, 58, 60
_ORGAN, _FLUTE = 19, 73

CHORALE = Piece(
    name="evening_chorale",
    beats_per_minute=98,
    rate_hz=44_100,
    channels=2,
    duration_s=6.0,
    peak_dbfs=-6.0,
    looseness=0.02,
    parts=(
        Part(_VIOLIN, "A4:1 Bb4:1 A4:1/2 G4:1/2 G4:1 F4:1 E4:2 D4:2", pan=34, reverb=70),
        Part(_VIOLIN, "F4:1 G4:1 F4:1 E4:1 D4:1 D4:1 C#4:1 A3:2", 74, pan=52, reverb=70),
        Part(_VIOLA, "D4:3/2 C4:3/2 Bb3:1 A3:1/2 G3:1/2 A3:1 G3:1 F#3:2", 78, pan=78, reverb=70),
        Part(_CELLO, "D3:1/2 F3:1/2 G3:1 F3:1 C3:1 Bb2:1 A2:2 D2+D3:2", 88, pan=92, reverb=70),
    ),
)

ARPEGGIO = Piece(
    name="guitar_study",
    beats_per_minute=148,
    rate_hz=44_100,
    channels=1,
    duration_s=6.2,
    peak_dbfs=-3.0,
    parts=(
        Part(
            _NYLON_GUITAR,
            "E2:3 | C3:3 | G2:3 | B2:3/2 D#3:3/2 | E2:2",
            velocity=92,
            sounding=1.1,
        ),
        Part(
            _NYLON_GUITAR,
            "r:1/2 B3:1/2 E4:1/2 >G4:1/2 B4:1/2 G4:1/2 | r:1/2 E4:1/2 G4:1/2 >C5:1/2 B4:1/2 G4:1/2"
            "| r:1/2 D4:1/2 G4:1/2 >B4:1/2 A4:1/4 G4:1/4 D4:1/2"
            "| r:1/2 F#4:1/2 A4:1/2 >C5:1/2 B4:1/2 A4:1/2 | B3+E4+G4+B4+E5:2",
            velocity=80,
            sounding=2.6,
        ),
    ),
)

NOCTURNE = Piece(
    name="piano_nocturne",
    beats_per_minute=58,
    rate_hz=48_000,
    channels=1,
    duration_s=6.5,
    peak_dbfs=-5.0,
    looseness=0.025,
    parts=(
        Part(
            _PIANO,
            "Db2:1/6 Ab2:1/6 F3:1/6 Ab3:1/6 Db4:1/6 Ab3:1/6 | Db2:1/6 Ab2:1/6 Gb3:1/6 Bb3:1/6"
            " Db4:1/6 Bb3:1/6 | Ab1:1/6 Eb2:1/6 C3:1/6 Gb3:1/6 C4:1/6 Eb4:1/6"
            "| Db2:1/6 Ab2:1/6 F3:1/6 Ab3:1/6 F3:1/6 Ab3:1/6 | Gb2:1/6 Db3:1/6 Bb3:1/6 Ab1:1/6"
            " Gb3:1/6 C4:1/6 | Db2+Ab2+F3:1",
            velocity=54,
            sounding=4.5,
        ),
        Part(
            _PIANO,
            "F5:3/4 Ab5:1/4 | Gb5:1/2 Bb5:1/3 Ab5:1/12 Gb5:1/12 | >C6:3/4 Bb5:1/8 Ab5:1/8"
            "| F5+Ab5:3/4 Eb5:1/4 | Db5+Gb5:1/2 C5+Eb5:1/2 | _Db5+F5+Db6:1",
            velocity=88,
            sounding=1.05,
        ),
    ),
)

FANFARE = Piece(
    name="brass_fanfare",
    beats_per_minute=116,
    rate_hz=48_000,
    channels=1,
    duration_s=5.5,
    peak_dbfs=-1.0,
    parts=(
        Part(
            _TRUMPET,
            ">F4:1/2 F4:1/4 F4:1/4 >Bb4:1 F4:1/2 Bb4:1/2 >D5:1 C5:1/2 D5:1/2"
            " >Eb5:3/4 D5:1/4 C5:1/2 Eb5:1/2 >D5:5/2",
            velocity=104,
            sounding=0.85,
        ),
        Part(
            _TRUMPET,
            "D4:1/2 D4:1/4 D4:1/4 F4:1 D4:1/2 F4:1/2 >Bb4:1 A4:1/2 Bb4:1/2"
            " G4:3/4 Bb4:1/4 A4:1/2 A4:1/2 >Bb4:5/2",
            velocity=96,
            sounding=0.85,
        ),
        Part(_HORN, "Bb3+D4:2 Bb3+F4:1 F4+Bb4:1 Eb4+F4:1 G4+Bb4:1 F4+A4:1 >F4+Bb4:5/2", 92),
        Part(_TROMBONE, "r:1 Bb3:1 Bb3:1 G3:1 F3:1 Eb3:1 F3:1 >Bb2+F3+D4:5/2", 100, sounding=0.9),
        Part(_TUBA, "Bb1:2 Bb1:1 G1:1 F1:1 Eb2:1 F1:1 >Bb1:5/2", 98, sounding=0.9),
        Part(
            _TIMPANI,
            ">Bb2:1 r:2 Bb2:1/2 Bb2:1/2 F2:1 r:1 F2:1/6 F2:1/6 F2:1/6 F2:1/6 F2:1/6 F2:1/6 >Bb2:2",
            velocity=100,
            reverb=60,
        ),
    ),
)

GROOVE = Piece(
    name="late_groove",
    beats_per_minute=108,
    rate_hz=44_100,
    channels=2,
    duration_s=4.7,
    peak_dbfs=-1.5,
    looseness=0.012,
    parts=(
        Part(
            _FINGERED_BASS,
            ">A1:3/4 A1:1/4 r:1/2 C2:1/4 D2:1/4 r:1/4 E2:3/4 G2:1/2 E2:1/2"
            "| >F1:3/4 F1:1/4 r:1/2 A1:1/4 C2:1/4 >E2:1/2 D2:1/2 B1:1/4 G1:1/4 G#1:1/2",
            velocity=100,
            reverb=10,
            sounding=0.8,
        ),
        Part(
            _ELECTRIC_PIANO,
            "r:1/2 G4+B4+C5+E5:1/4 r:3/4 G4+B4+C5+E5:1 r:1/2 D5:1/4 E5:3/4"
            "| r:1/2 E4+G4+A4+C5:1/4 r:3/4 F4+A4+B4+D5:1 r:1/2 _E5:1/4 _D5:1/4 _B4:1/2",
            velocity=76,
            pan=44,
        ),
        Part(
            _MUTED_GUITAR,
            "r:1/4 E4:1/4 r:1/4 G4:1/4 A4:1/4 r:1/4 E4:1/2 r:1/4 E4:1/4 G4:1/4 A4:1/4 r:1"
            "| r:1/4 C4:1/4 r:1/4 E4:1/4 A4:1/4 r:1/4 C4:1/2 r:1/4 D4:1/4 F4:1/4 G4:1/4 r:1",
            velocity=78,
            pan=92,
            sounding=0.5,
        ),
    ),
    drums={
        "kick": "x... ..x. ..x. .... x... ..x. .xx. ...o",
        "snare": ".... x..o .o.. x... .... x..o .o.. x.xo",
        "hat": "x.ox o.xo x.ox o.x. x.ox o.xo x.ox o...",
        "open_hat": ".... .... .... ...x .... .... .... .x..",
        "shaker": "oooo oooo oooo oooo oooo oooo oooo oooo",
    },
)

MALLETS = Piece(
    name="mallet_weave",
    beats_per_minute=138,
    rate_hz=48_000,
    channels=1,
    duration_s=6.0,
    peak_dbfs=-3.0,
    looseness=0.01,
    parts=(
        Part(
            _MARIMBA,
            ">G3:1/2 D4:1/2 B4:1/2 A4:1/2 D4:1/2 F#4:1/2 >G3:1/2 D4:1/2 B4:1/2 A4:1/2 C5:1/2"
            " F#4:1/2 >E3:1/2 B3:1/2 G4:1/2 F#4:1/2 B3:1/2 D4:1/2 >C3:1/2 G3:1/2 E4:1/2 D4:1/2"
            " G4:1/2 A4:1/2 >G2+G3:1",
            velocity=96,
        ),
        Part(
            _MARIMBA,
            "r:1/4 B4:1/2 G4:1/2 D5:1/2 B4:1/2 F#4:1/2 A4:1/2 B4:1/2 G4:1/2 D5:1/2 E5:1/2 F#4:1/2"
            " A4:1/2 G4:1/2 E4:1/2 B4:1/2 G4:1/2 D4:1/2 F#4:1/2 E4:1/2 C4:1/2 G4:1/2 E4:1/2"
            " D5:1/2 _E5:1/4 >B4+D5:1",
            velocity=84,
            pan=88,
        ),
        Part(
            _VIBRAPHONE,
            "r:3 D5+F#5:3 | B4+G5:3 E5+A5:2 D5:1 | G5+B5:2",
            velocity=72,
            pan=40,
            reverb=80,
        ),
    ),
)

PASTORALE = Piece(
    name="flute_and_harp",
    beats_per_minute=84,
    rate_hz=48_000,
    channels=1,
    duration_s=6.0,
    peak_dbfs=-4.0,
    looseness=0.02,
    parts=(
        Part(
            _FLUTE,
            "r:1/2 A5:1/2 | >D6:3/4 C6:1/8 B5:1/8 A5:1/2 F5:1/2"
            "| G5:1/3 A5:1/3 C6:1/3 B5:3/4 G5:1/4 | E5:1/2 F5:1/4 G5:1/4 >A5:2",
            velocity=86,
            pan=50,
            reverb=80,
        ),
        Part(
            _HARP,
            "D3:1/4 A3:1/4 F4:1/4 A4:1/4 | D3:1/4 A3:1/4 F4:1/4 C5:1/4 B2:1/4 F3:1/4 D4:1/4 A4:1/4"
            "| C3:1/4 G3:1/4 E4:1/4 G4:1/4 G2:1/4 D3:1/4 B3:1/4 D4:1/4"
            "| A2:1/8 E3:1/8 G3:1/8 C4:1/8 E4:1/8 G4:1/8 C5:1/8 E5:1/8 D3+A3+D4+F4+A4:2",
            velocity=78,
            pan=80,
            reverb=70,
            sounding=3.0,
        ),
    ),
)

KYRIE = Piece(
    name="choir_and_organ",
    beats_per_minute=78,
    rate_hz=44_100,
    channels=1,
    duration_s=5.9,
    peak_dbfs=-6.0,
    parts=(
        Part(_CHOIR, "E5:1 F5:1/2 G5:1/2 A5:1 G5:1/2 F5:1/2 E5:1 D5:1 E5:3/2", 92, reverb=100),
        Part(_CHOIR, "C5:1 D5:1 E5:1 D5:1 C5:1/2 B4:1/2 A4:1/2 B4:1/2 B4:3/2", 86, reverb=100),
        Part(_CHOIR, "A4:1 A4:1/2 B4:1/2 C5:1 A4:1 A4:1/2 G4:1/2 F4:1 G#4:3/2", 86, reverb=100),
        Part(_CHOIR, "A3:1 D4:1/2 B3:1/2 A3:1 D4:1/2 E4:1/2 F4:1 D4:1 E3:3/2", 96, reverb=100),
        Part(_ORGAN, "A2+E3:2 A2+E3+C4:1 D3+A3:1 F2+C3+A3:1 D2+D3:1 E2+B2+G#3:3/2", 62, 70),
    ),
)

RIFF = Piece(
    name="rock_riff",
    beats_per_minute=132,
    rate_hz=44_100,
    channels=1,
    duration_s=4.5,
    peak_dbfs=-1.0,
    looseness=0.01,
    parts=(
        Part(
            _DISTORTED_GUITAR,
            ">E2+B2+E3:1 E2:1/2 E2:1/2 >G2+D3+G3:1/2 E2:1/2 >A2+E3+A3:1"
            "| E2:1/2 E2:1/2 >Bb2+F3+Bb3:1/2 >A2+E3+A3:1/2 G2+D3+G3:1 >E2+B2+E3:2",
            velocity=108,
            reverb=20,
            sounding=0.85,
        ),
        Part(
            _DISTORTED_GUITAR,
            "r:4 | r:2 B4:1/4 D5:1/4 E5:1/2 >G5:1/2 E5:1/2 D5:1/2",
            velocity=96,
            volume=84,
            reverb=40,
        ),
        Part(
            _PICKED_BASS,
            "E1:1/2 E1:1/2 E1:1/2 E1:1/2 G1:1/2 E1:1/2 A1:1/2 A1:1/2"
            "| E1:1/2 E1:1/2 Bb1:1/2 A1:1/2 G1:1/2 G1:1/2 E1:2",
            velocity=106,
            reverb=5,
        ),
    ),
    drums={
        "kick": "x... x.x. x.x. .x.. x.x. x... x.x. x...",
        "snare": ".... x... .... x... .... x... .... x.xx",
        "hat": ".... x.x. x.x. x.x. x.x. x.x. x.x. x...",
        "crash": "x... .... .... .... .... .... .... x...",
        "low_tom": ".... .... .... .... .... .... ...x .x..",
    },
)

PIECES = (
    CHORALE, ARPEGGIO, NOCTURNE, FANFARE, GROOVE, MALLETS, PASTORALE, KYRIE, RIFF,
)  # fmt: skip
