"""Warnings about recordings; the embedded set is what its manifest and its card say."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest
import soundfile

from snacbench import testsets
from snacbench.audio.io import read
from snacbench.audio.measures import measure
from snacbench.testsets.describe import warnings_of
from snacbench.types import Clip, Measures

SOUND = {"loudness_lufs": -20.0, "peak_dbfs": -3.0, "clipped_samples": 0}


def clip(name, *, rate_hz=48_000, lossy=None, note="", **found):
    """A stereo clip of 10 s without fault, but for what is said."""
    measures = Measures(**({"bandwidth_hz": rate_hz / 2, **SOUND} | found))
    facts = (name, Path(name), "", rate_hz, 2, 10 * rate_hz)
    return Clip(*facts, lossy_source=lossy, measures=measures, note=note)


def of(*clips, **options):
    return warnings_of([*clips, clip("set/good"), clip("set/fine")], **options)


SILENT = {"bandwidth_hz": None, "loudness_lufs": None, "peak_dbfs": None}
SHARP = {"bandwidth_hz": 7_700.0, "brickwall": True}
# Clips beside two that are sound, by what is measured on each, and how the sentences begin.
MEASURED = [
    ((), []),
    ([{"rate_hz": rate, **SHARP} for rate in (44_100, 48_000, 48_000, 96_000)],
     ["4 of 6 clips end sharply at 7.7 kHz in files at 44.1, 48, 96 kHz: upsampled, or once"]),
    ([SHARP, SHARP | {"bandwidth_hz": 18_600.0}],
     ["2 of 4 clips end sharply between 7.7 and 18.6 kHz in "]),
    ([{"lossy": True}, {"lossy": True}, {"lossy": False}],
     ["2 of 5 clips come from lossy files: easier to code than"]),
    ([{"clipped_samples": 6}], []),
    ([{"clipped_samples": 50}, {"clipped_samples": 9_600}],
     ["2 of 4 clips are clipped (1 % of the samples at most) (set/0, set/1)"]),
    ([SILENT, SILENT | {"peak_dbfs": -85.0}],
     ["2 of 4 clips are silent: most metrics have no value there (set/0, set/1)"]),
    ([{"loudness_lufs": -55.0}, {"loudness_lufs": None, "peak_dbfs": -60.0}],
     ["2 of 4 clips are very quiet (under -50 LUFS): there codecs and metrics meet the noise"]),
    ([{"note": "length not stated"}],
     ["length not stated: 1 of 3 clips (set/0); had one been cut off, nothing would tell"]),
    ([{"note": "the first of 2 streams"}], ["the first of 2 streams: 1 of 3 clips (set/0)"]),
    ([{"peak_dbfs": peak} for peak in (9.54, 0.2, 0.0)],
     ["2 of 5 clips go beyond full scale (peak +9.5 dBFS at most): limited to it on reading"]),
    # Speech that fades away; the file's own filter; 44.1 kHz material; complete.
    ([{"bandwidth_hz": 7_700}, {"rate_hz": 16_000, "bandwidth_hz": 7_600, "brickwall": True},
      {"rate_hz": 44_100, "bandwidth_hz": 20_400, "brickwall": True},
      {"bandwidth_hz": 20_000, "brickwall": True}], []),
]  # fmt: skip


@pytest.mark.parametrize(("clips", "said"), MEASURED)
def test_each_defect_has_its_sentence(clips, said):
    found = of(*(clip(f"set/{i}", **facts) for i, facts in enumerate(clips)))
    assert len(found) == len(said)
    assert all(line.startswith(start) for line, start in zip(found, said, strict=True))


def test_clips_without_measures_or_too_short_for_loudness():
    bare = Clip("set/bare", Path("bare"), "", 48_000, 1, 48_000, lossy_source=True)
    (found,) = warnings_of([bare])
    assert found.startswith("1 of 1 clips comes from lossy files: easier to code than")
    assert warnings_of([]) == []
    for peak_dbfs, count in ((-3.0, 0), (-50.0, 1)):  # judged by their peak
        measures = Measures(24_000.0, None, peak_dbfs, 0)
        short = Clip("set/short", Path("short"), "", 48_000, 1, 4_800, measures=measures)
        assert len(warnings_of([short])) == count


def test_the_set_is_held_against_the_widest_codec():
    speech = [clip(f"set/{i}", rate_hz=16_000, bandwidth_hz=7_900.0) for i in range(3)]
    assert of(*speech, codec_rates_hz=[16_000]) == of(*speech, codec_rates_hz=[None]) == []
    (found,) = of(*speech, codec_rates_hz=[24_000, None, 44_100])
    assert found.startswith(
        "3 of 5 clips hold little or nothing above 15.4 kHz: what codecs at 44.1 kHz do in"
    )
    assert of(speech[0], codec_rates_hz=[44_100]) == []  # a minority is no matter of the set


def test_the_quick_set_has_none():
    folder = Path(testsets.__file__).parent / "quick"
    clips = []
    for path in sorted(folder.glob("*/*.flac")):
        audio = read(path)
        facts = (audio.rate_hz, audio.channels, audio.num_samples)
        clips.append(Clip(f"quick/{path.stem}", path, "", *facts, measures=measure(audio)))
    assert len(clips) == 24
    assert warnings_of(clips, codec_rates_hz=[24_000, 44_100]) == []


FOLDER = Path(str(files("snacbench.testsets"))) / "quick"
COLUMNS = (
    "path,domain,duration_s,sample_rate,channels,transcript,language,speaker,gender,track,source,"
    "licence,lossy_source,sha256"
)


def test_the_set_is_balanced_small_and_described():
    text = (FOLDER / "manifest.csv").read_text(encoding="utf-8")
    assert text.splitlines()[0] == COLUMNS
    rows = list(csv.DictReader(text.splitlines()))
    domains = Counter(row["domain"] for row in rows)
    assert set(domains) == {"speech", "music", "environment"}
    assert min(domains.values()) >= 7
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 6_000_000
    found = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.flac"))
    assert sorted(row["path"] for row in rows) == found
    assert len({row["speaker"] for row in rows if row["domain"] == "speech"}) >= 4
    assert {"16000", "22050", "32000", "44100", "48000"} <= {row["sample_rate"] for row in rows}
    assert {row["channels"] for row in rows} == {"1", "2"}
    card = (FOLDER / "CARD.md").read_text(encoding="utf-8")
    assert "demonstration set of synthetic material" in card
    assert "CC0" in card
    for row in rows:
        assert row["path"] in card
        assert bool(row["transcript"]) == bool(row["speaker"]) == (row["domain"] == "speech")
        assert bool(row["track"]) == (row["domain"] != "speech") == (row["language"] == "")
        path = FOLDER / row["path"]
        info = soundfile.info(str(path))
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
        assert (info.format, info.subtype) == ("FLAC", "PCM_16")
        assert (info.samplerate, info.channels) == (int(row["sample_rate"]), int(row["channels"]))
        assert info.duration == pytest.approx(float(row["duration_s"]), abs=1e-3)
        assert 4 <= info.duration <= 8
        assert row["path"].startswith(row["domain"] + "/")
        assert (row["licence"], row["lossy_source"]) == ("CC0-1.0", "false")
