"""Speech: sentences written for this set, spoken by free text-to-speech voices."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from tools.make_quick_set.clip import QuickClip, Signal
from tools.make_quick_set.programs import RenderError, run

_LEAD_S, _TAIL_S = 0.12, 0.25
_SILENCE_DB = -50.0


@dataclass(frozen=True)
class Voice:
    """A voice and the program that speaks with it.

    Parameters
    ----------
    speaker : str
        The person recorded for the voice, or the voice itself where it is pure synthesis.
    command : sequence of str
        Reads ``{text}`` (a file) and writes ``{wav}``.
    rate_hz : int
        The rate the voice synthesises at.
    source : str
        For the manifest.
    gender : str
        Of the person recorded; empty where nobody was.
    language : str
        ISO 639-1.
    """

    speaker: str
    command: Sequence[str]
    rate_hz: int
    source: str
    gender: str = ""
    language: str = "en"


@dataclass(frozen=True)
class Line:
    """A sentence and who says it."""

    name: str
    voice: Voice
    peak_dbfs: float
    text: str


def _flite(name: str, *, stretch: float = 1.0) -> Voice:
    setting = f"duration_stretch={stretch}"
    command = ("flite", "-voice", name, "--setf", setting, "-f", "{text}", "-o", "{wav}")
    return Voice(name, command, 16_000, f"Flite voice {name}", "male")


def _espeak(name: str, language: str, *, words_per_minute: int, pitch: int) -> Voice:
    pace = ("-s", str(words_per_minute), "-p", str(pitch))
    command = ("espeak-ng", "-v", language, *pace, "-f", "{text}", "-w", "{wav}")
    source = f"eSpeak NG voice {language}"
    return Voice(name, command, 22_050, source, language=language[:2])


SLT = Voice(
    "slt",
    ("text2wave", "-eval", "(voice_cmu_us_slt_arctic_hts)", "{text}", "-o", "{wav}"),
    32_000,
    "Festival voice cmu_us_slt_arctic_hts",
    "female",
)
RMS = _flite("rms")
AWB = _flite("awb")
KAL = _flite("kal16", stretch=1.1)
ENGLISH = _espeak("espeak-en", "en-gb", words_per_minute=150, pitch=42)
GERMAN = _espeak("espeak-de", "de+f2", words_per_minute=145, pitch=55)

LINES = (
    Line(
        "slt_market",
        SLT,
        -3.0,
        "The young baker thought his fresh ginger loaves would vanish before noon, "
        "and by eleven every shelf was bare.",
    ),
    Line(
        "slt_lighthouse",
        SLT,
        -8.0,
        "Beyond the lighthouse, a huge grey ship pushes through choppy water "
        "while seagulls circle above.",
    ),
    Line(
        "rms_orchard",
        RMS,
        -2.0,
        "Five thin zebras jog past the orchard, quietly judging which of the yellow pears "
        "are worth chewing.",
    ),
    Line(
        "awb_weather",
        AWB,
        -5.0,
        "Measure the rainfall twice each day, write both figures on the chart, "
        "and don't forget to check the gauge for leaves.",
    ),
    Line(
        "kal_platform",
        KAL,
        -4.0,
        "The express from the north will arrive at platform four, roughly twelve minutes "
        "behind schedule.",
    ),
    Line(
        "espeak_en_violin",
        ENGLISH,
        -3.0,
        "She usually tunes the old violin with care, then joins the others for a joyful, "
        "noisy jig.",
    ),
    Line(
        "espeak_de_fenster",
        GERMAN,
        -6.0,
        "Heute früh öffnete Jürgen zwei Fenster, hörte die Vögel zwitschern und "
        "schrieb seiner Schwester einen langen Brief.",
    ),
)

#: Small talk for the café; nobody is meant to follow it, so it has no transcript.
CHATTER = (
    (AWB, "So I told him the boat would never float, and he bought it anyway, would you believe."),
    (RMS, "We could take the early train on Thursday, or wait until the weather gets better."),
    (_espeak("f4", "en-us+f4", words_per_minute=185, pitch=60),
     "No, really, she moved to the coast last summer and opened a little shop for kites."),
    (_espeak("m3", "en-gb+m3", words_per_minute=170, pitch=35),
     "Another coffee, please, and whatever cake you have that is not made with walnuts."),
    (_espeak("f2", "en-gb+f2", words_per_minute=175, pitch=50),
     "It was the funniest thing, the dog simply sat there and refused to leave the stage."),
    (SLT, "Have you seen the new exhibition yet? Everyone at work keeps talking about it."),
)  # fmt: skip


def speak(voice: Voice, text: str) -> Signal:
    """Say a text.

    Returns
    -------
    ndarray of shape (time,)
        At the voice's own rate, silence at both ends cut.

    Raises
    ------
    RenderError
        If the program fails or speaks at another rate than the voice is known for.
    """
    with tempfile.TemporaryDirectory() as folder:
        words, wav = Path(folder, "words.txt"), Path(folder, "speech.wav")
        words.write_text(text + "\n", encoding="utf-8")
        run([part.format(text=words, wav=wav) for part in voice.command])
        samples, rate_hz = soundfile.read(str(wav), dtype="float64")
    if rate_hz != voice.rate_hz:
        raise RenderError(
            f"{voice.source} spoke at {rate_hz} Hz, expected {voice.rate_hz} Hz; the set holds "
            "no converted rates: install the version that the card names"
        )
    return trim(samples, rate_hz)


def trim(samples: Signal, rate_hz: int) -> Signal:
    """Cut silence at both ends down to a short lead and tail, faded."""
    heard = np.flatnonzero(np.abs(samples) > np.max(np.abs(samples)) * 10 ** (_SILENCE_DB / 20))
    start = max(int(heard[0]) - round(_LEAD_S * rate_hz), 0)
    end = int(heard[-1]) + round(_TAIL_S * rate_hz)
    cut = samples[start:end].copy()
    fade = np.linspace(0.0, 1.0, round(0.02 * rate_hz))
    cut[: len(fade)] *= fade
    cut[-len(fade) :] *= fade[::-1]
    return cut


def speech_clips() -> list[QuickClip]:
    """Every sentence of the set, dry, as the voice says it."""
    return [
        QuickClip(
            name=line.name,
            domain="speech",
            samples=speak(line.voice, line.text)[np.newaxis],
            rate_hz=line.voice.rate_hz,
            peak_dbfs=line.peak_dbfs,
            source=line.voice.source,
            speaker=line.voice.speaker,
            transcript=line.text,
            language=line.voice.language,
            gender=line.voice.gender,
        )
        for line in LINES
    ]
