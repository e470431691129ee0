"""Warnings about recordings; the embedded set is what its manifest and its card say."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from snacbench.audio.io import read_clip
from snacbench.audio.measures import measure
from snacbench.testsets.describe import warnings_of
from snacbench.testsets.opening import quick
from snacbench.types import Clip, Measures

FOLDER = Path(str(files("snacbench.testsets"))) / "quick"
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
# Clips beside two that are sound, by what is measured on each, and how the sentence begins.
MEASURED = [
    ((), ""),
    ([{"rate_hz": rate, **SHARP} for rate in (44_100, 48_000, 48_000, 96_000)],
     "4 of 6 clips: a sharp end at 7.7 kHz in files at 44.1, 48, 96 kHz: upsampled, or once"),
    ([SHARP, SHARP | {"bandwidth_hz": 18_600.0}],
     "2 of 4 clips: a sharp end between 7.7 and 18.6 kHz in "),
    ([{"lossy": True}, {"lossy": True}, {"lossy": False}],
     "2 of 5 clips: lossy files, easier to code than"),
    ([{"clipped_samples": 6}], ""),
    ([{"clipped_samples": 50}, {"clipped_samples": 9_600}],
     "2 of 4 clips: clipped, 1 % of the samples at most (set/0, set/1)"),
    ([SILENT, SILENT | {"peak_dbfs": -85.0}],
     "2 of 4 clips: silent, so that most metrics have no value (set/0, set/1)"),
    # Without a loudness the peak decides.
    ([{"loudness_lufs": lufs, "peak_dbfs": -60.0 if lufs is None else -3.0} for lufs in (-55, None)]
     + [{"loudness_lufs": None}],
     "2 of 5 clips: very quiet (under -50 LUFS): there codecs and metrics meet the noise"),
    ([{"note": "length not stated"}],
     "1 of 3 clips: length not stated; had one been cut off, nothing would tell (set/0)"),
    ([{"note": "the first of 2 streams"}], "1 of 3 clips: the first of 2 streams (set/0)"),
    ([{"peak_dbfs": peak} for peak in (9.54, 0.2, 0.0)],
     "2 of 5 clips: beyond full scale (peak +9.5 dBFS at most): limited to it on reading"),
    # Speech that fades away; the file's own filter; 44.1 kHz material; complete.
    ([{"bandwidth_hz": 7_700}, {"rate_hz": 16_000, "bandwidth_hz": 7_600, "brickwall": True},
      {"rate_hz": 44_100, "bandwidth_hz": 20_400, "brickwall": True},
      {"bandwidth_hz": 20_000, "brickwall": True}], ""),
]  # fmt: skip


@pytest.mark.parametrize(("clips", "said"), MEASURED)
def test_each_defect_has_its_sentence(clips, said):
    found = of(*(clip(f"set/{i}", **facts) for i, facts in enumerate(clips)))
    assert len(found) == bool(said)
    assert "".join(found).startswith(said)


def test_the_set_is_held_against_the_widest_codec():
    bare = Clip("set/bare", Path("bare"), "", 48_000, 1, 48_000, lossy_source=True)
    (found,) = warnings_of([bare])  # is not measured
    assert found.startswith("1 of 1 clips: lossy files, easier to code than")
    assert warnings_of([]) == []
    speech = [clip(f"set/{i}", rate_hz=16_000, bandwidth_hz=7_900.0) for i in range(3)]
    assert of(*speech, codec_rates_hz=[16_000]) == of(*speech, codec_rates_hz=[None]) == []
    (found,) = of(*speech, codec_rates_hz=[24_000, None, 44_100])
    assert found.startswith(
        "3 of 5 clips: little or nothing above 15.4 kHz: what codecs at 44.1 kHz do in"
    )
    assert of(speech[0], codec_rates_hz=[44_100]) == []  # a minority is no matter of the set


def test_the_quick_set_is_balanced_small_described_and_without_fault():
    found = quick()
    assert found.broken == ()
    clips = [replace(clip, measures=measure(read_clip(clip))) for clip in found.clips]
    assert warnings_of(clips, codec_rates_hz=[24_000, 44_100]) == []
    domains = Counter(clip.domain for clip in clips)
    assert set(domains) == {"speech", "music", "environment"}
    assert min(domains.values()) >= 7
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 6_000_000
    assert sorted(clip.path for clip in clips) == sorted(FOLDER.rglob("*.flac"))
    assert len({clip.speaker for clip in clips if clip.domain == "speech"}) >= 4
    assert {16_000, 22_050, 32_000, 44_100, 48_000} <= {clip.rate_hz for clip in clips}
    assert {clip.channels for clip in clips} == {1, 2}
    card = (FOLDER / "CARD.md").read_text(encoding="utf-8")
    assert "demonstration set of synthetic material" in card
    assert "CC0" in card
    with (FOLDER / "manifest.csv").open(encoding="utf-8") as stream:
        rows = {FOLDER / row["path"]: row for row in csv.DictReader(stream)}
    for clip in clips:
        row = rows[clip.path]
        assert row["path"] in card
        assert row["path"].startswith(f"{clip.domain}/")
        assert row["sha256"] == clip.sha256
        assert (int(row["sample_rate"]), int(row["channels"])) == (clip.rate_hz, clip.channels)
        assert float(row["duration_s"]) == pytest.approx(clip.duration_s, abs=1e-3)
        assert 4 <= clip.duration_s <= 8
        assert bool(clip.transcript) == bool(clip.speaker) == (clip.domain == "speech")
        assert bool(row["track"]) == (clip.domain != "speech") == (clip.language == "")
        assert (clip.licence, clip.lossy_source) == ("CC0-1.0", False)
