"""Warnings about recordings: the right sentence for each defect, silence for sound sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from snacbench import testsets
from snacbench.audio.io import read
from snacbench.audio.measures import measure
from snacbench.testsets.describe import warnings_of
from snacbench.types import Clip, Measures


def clip(name: str, *, rate_hz: int = 48_000, lossy: bool | None = None, **found: Any) -> Clip:
    """A stereo clip of 10 s without fault, but for what is said."""
    sound: dict[str, Any] = {
        "bandwidth_hz": rate_hz / 2,
        "loudness_lufs": -20.0,
        "peak_dbfs": -3.0,
        "clipped_samples": 0,
        "brickwall": False,
    }
    measures = Measures(**(sound | found))
    num_samples = 10 * rate_hz
    return Clip(
        name, Path(name), "", rate_hz, 2, num_samples, lossy_source=lossy, measures=measures
    )


def of(*clips: Clip, **options: Any) -> list[str]:
    return warnings_of([*clips, clip("set/good"), clip("set/fine")], **options)


def test_a_sound_set_has_none() -> None:
    assert of() == []
    assert warnings_of([]) == []


def test_clips_without_measures_have_none_but_what_is_declared() -> None:
    bare = Clip("set/bare", Path("bare"), "", 48_000, 1, 48_000, lossy_source=True)
    (found,) = warnings_of([bare])
    assert found.startswith("1 of 1 clips comes from lossy files: easier to code than")


def test_three_examples_are_named_and_rates_collected() -> None:
    rates = (44_100, 48_000, 48_000, 96_000)
    bad = [
        clip(f"set/{i}", rate_hz=rate, bandwidth_hz=7_700.0, brickwall=True)
        for i, rate in enumerate(rates)
    ]
    (found,) = of(*bad)
    assert found == (
        "4 of 6 clips end sharply at 7.7 kHz in files at 44.1, 48 and 96 kHz: upsampled, or once "
        "coded by a lossy codec? (set/0, set/1, set/2, ...)"
    )


@pytest.mark.parametrize(
    ("bandwidth_hz", "file_hz", "brickwall"),
    [
        (7_700, 48_000, False),  # speech that fades away
        (7_600, 16_000, True),  # the file's own filter
        (20_400, 44_100, True),
        (21_000, 48_000, True),  # 44.1 kHz material in a 48 kHz file
        (20_000, 48_000, True),  # complete for every listener
    ],
)
def test_what_is_no_fault(bandwidth_hz: float, file_hz: int, brickwall: bool) -> None:
    fine = clip("set/a", rate_hz=file_hz, bandwidth_hz=bandwidth_hz, brickwall=brickwall)
    assert of(fine) == []


def test_several_ends_are_a_range() -> None:
    one = clip("set/a", bandwidth_hz=3_850.0, brickwall=True)
    other = clip("set/b", bandwidth_hz=18_600.0, brickwall=True)
    assert of(one)[0].startswith("1 of 3 clips ends sharply at 3.9 kHz in files at 48 kHz: ups")
    assert of(one, other)[0].startswith("2 of 4 clips end sharply between 3.9 and 18.6 kHz in ")


def test_declared_lossy() -> None:
    (found,) = of(clip("set/a", lossy=True), clip("set/b", lossy=True), clip("set/c", lossy=False))
    assert found.startswith("2 of 5 clips come from lossy files")


def test_clipped() -> None:
    assert of(clip("set/a", clipped_samples=6)) == []
    assert of(clip("set/a", clipped_samples=50)) == [
        "1 of 3 clips is clipped (under 0.01 % of the samples at most) (set/a)"
    ]
    many = of(clip("set/a", clipped_samples=50), clip("set/b", clipped_samples=9_600))
    assert many == ["2 of 4 clips are clipped (1 % of the samples at most) (set/a, set/b)"]


def test_silent_and_quiet() -> None:
    silent = clip("set/a", bandwidth_hz=None, loudness_lufs=None, peak_dbfs=None)
    faint = clip("set/b", bandwidth_hz=None, loudness_lufs=None, peak_dbfs=-85.0)
    quiet = clip("set/c", loudness_lufs=-55.0)
    ungated = clip("set/d", loudness_lufs=None, peak_dbfs=-60.0)
    found = of(silent, faint, quiet, ungated)
    assert found[0] == "2 of 6 clips are silent: most metrics have no value there (set/a, set/b)"
    assert found[1].startswith("2 of 6 clips are very quiet (under -50 LUFS): there codecs and")
    assert found[1].endswith("(set/c, set/d)")
    assert len(found) == 2


@pytest.mark.parametrize(("peak_dbfs", "count"), [(-3.0, 0), (-50.0, 1)])
def test_a_clip_too_short_for_loudness_is_judged_by_its_peak(peak_dbfs: float, count: int) -> None:
    measures = Measures(24_000.0, None, peak_dbfs, 0)
    short = Clip("set/short", Path("short"), "", 48_000, 1, 4_800, measures=measures)
    assert len(warnings_of([short])) == count


def test_the_set_is_held_against_the_widest_codec() -> None:
    speech = [clip(f"set/{i}", rate_hz=16_000, bandwidth_hz=7_900.0) for i in range(3)]
    assert of(*speech, codec_rates_hz=[16_000]) == []
    assert of(*speech, codec_rates_hz=[None]) == []
    (found,) = of(*speech, codec_rates_hz=[24_000, None, 44_100])
    assert found.startswith(
        "3 of 5 clips hold little or nothing above 15.4 kHz: what codecs at 44.1 kHz do in"
    )
    assert of(speech[0], codec_rates_hz=[44_100]) == []  # a minority is no matter of the set


EXPECTED = {
    "speech/two_cities_a": "ends sharply at 7.7 kHz",
    "environment/fire": "ends sharply at 5.3 kHz",
    "environment/rain_stereo": "ends sharply at 15.5 kHz",
    "music/loop_amen_full": "is clipped",
}
SOUND = (
    "speech/sms_speech_female",
    "speech/librivox_0870",
    "speech/arctic_aew_a0002",
    "music/castanets48_stereo",
    "music/guit_em9",
    "environment/spinetail_bird",
)


@pytest.mark.parametrize("name", [*EXPECTED, *SOUND])
def test_real_clips(shared: Path, name: str) -> None:
    path = shared / f"audio/eval/{name}.flac"
    audio = read(path)
    measured = Clip(
        name, path, "", audio.rate_hz, audio.channels, audio.num_samples, measures=measure(audio)
    )
    found = warnings_of([measured])
    assert len(found) == (name in EXPECTED)
    assert EXPECTED.get(name, "") in "".join(found)


def test_the_quick_set_has_none() -> None:
    folder = Path(testsets.__file__).parent / "quick"
    clips = []
    for path in sorted(folder.glob("*/*.flac")):
        audio = read(path)
        facts = (audio.rate_hz, audio.channels, audio.num_samples)
        clips.append(Clip(f"quick/{path.stem}", path, "", *facts, measures=measure(audio)))
    assert len(clips) == 24
    assert warnings_of(clips, codec_rates_hz=[24_000, 44_100]) == []


def test_clips_that_do_not_state_their_length_are_named() -> None:
    noted = replace(clip("set/a"), note="length not stated")
    assert of(noted) == [
        "length not stated: 1 of 3 clips (set/a); had one been cut off, nothing would tell"
    ]
    other = replace(clip("set/b"), note="the first of 2 streams of audio")
    assert of(other) == ["the first of 2 streams of audio: 1 of 3 clips (set/b)"]


def test_clips_beyond_full_scale_are_named() -> None:
    found = of(
        clip("set/a", peak_dbfs=9.54), clip("set/b", peak_dbfs=0.2), clip("set/c", peak_dbfs=0)
    )
    assert found == [
        "2 of 5 clips go beyond full scale (peak +9.5 dBFS at most): limited to it on reading, for "
        "reference and codecs alike (set/a, set/b)"
    ]
