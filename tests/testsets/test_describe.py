"""Warnings about recordings; the embedded set is what its manifest and its card say."""

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
from tests.support.cases import cases

FOLDER = Path(str(files("snacbench.testsets"))) / "quick"
SOUND = {"loudness_lufs": -20.0, "peak_dbfs": -3.0, "clipped_samples": 0}


def clip(name, *, rate_hz=48_000, lossy=None, note="", **found):
    """A stereo clip of 10 s without fault, but for what is said."""
    measures = Measures(**({"bandwidth_hz": rate_hz / 2, **SOUND} | found))
    facts = (name, Path(name), "", rate_hz, 2, 10 * rate_hz)
    return Clip(*facts, lossy_source=lossy, measures=measures, note=note)


def of(*clips, **options):
    return warnings_of([*clips, clip("set/good"), clip("set/fine")], **options)


@pytest.mark.parametrize(("clips", "said"), cases(__file__)["measured"])
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
    said = "3 of 5 clips: little or nothing above 15.4 kHz: what codecs at 44.1 kHz do in"
    assert found.startswith(said)
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
