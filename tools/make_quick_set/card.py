"""The set's card: what it is, what it is not, how each clip came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.make_quick_set.write import Written

#: What is heard in each clip that a transcript does not already describe.
CONTENT: Mapping[str, str] = {
    "evening_chorale": "string quartet, four-part chorale in D minor with suspensions",
    "guitar_study": "nylon-string guitar, fingerpicked arpeggios in E minor",
    "piano_nocturne": "piano with pedal, melody over wide arpeggios in D-flat major",
    "brass_fanfare": "two trumpets, horns, trombone, tuba and timpani, B-flat major",
    "late_groove": "drum kit, bass, electric piano and muted guitar",
    "mallet_weave": "two marimbas in interlocking patterns, vibraphone above",
    "flute_and_harp": "flute melody over harp arpeggios, D dorian",
    "choir_and_organ": "four-part choir with soft organ, A minor",
    "rock_riff": "two distorted guitars, bass and drums",
    "rain_on_roof": "rain on a tin roof, dripping gutter, distant thunder",
    "surf_and_gulls": "two breakers that move across the stage, gulls",
    "dawn_chorus": "birds near and far in a wood, wind in the leaves",
    "campfire_at_night": "crackling fire, two crickets, a breath of wind",
    "gravel_path": "steps on gravel, a bunch of keys, wind",
    "street_pass_by": "a car with Doppler shift, town hum, bicycle bell",
    "workshop": "struck steel, wood and breaking glass, a ticking clock, a fan",
    "cafe": "six voices at once in a room, cups and chairs",
}


def card(written: Sequence[Written]) -> str:
    """Text of ``CARD.md``: the prose of ``card.md`` beside this module, with the table of clips."""
    prose = Path(__file__).with_name("card.md").read_text(encoding="utf-8")
    return prose.replace("{clips}", "\n".join(_table(written)))


def _table(written: Sequence[Written]) -> list[str]:
    lines = [
        "| clip | rate (Hz) | channels | duration (s) | peak (dBFS) | speaker / piece | content |",
        "|---|---:|---:|---:|---:|---|---|",
    ]
    for item in written:
        clip = item.clip
        content = (
            CONTENT.get(clip.name)
            or f"\N{LEFT DOUBLE QUOTATION MARK}{clip.transcript}\N{RIGHT DOUBLE QUOTATION MARK}"
        )
        lines.append(
            f"| `{item.path}` | {clip.rate_hz} | {clip.samples.shape[0]} | {clip.duration_s:.2f} "
            f"| {clip.peak_dbfs:.0f} | {clip.speaker or clip.track} | {content} |"
        )
    return lines
