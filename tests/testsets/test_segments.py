"""Segments: the same from the same files, inside them, loud enough, none twice."""

import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snacbench.errors import AudioError
from snacbench.testsets import segments
from snacbench.testsets.folder import folder_set
from snacbench.testsets.segments import Choice, draw
from snacbench.testsets.testset import BrokenClip, TestSet, choose, hash_of
from snacbench.types import Clip, Measures

RATE_HZ = 1000
LOUD, QUIET = Measures(400.0, -20.0, -3.0, 0), Measures(400.0, -50.0, -33.0, 0)
FIXTURES = [HealthCheck.function_scoped_fixture]
quick = settings(max_examples=40, deadline=None, suppress_health_check=FIXTURES)


def clip(name, seconds, domain="speech"):
    digest, length = f"{hash_of(name):064x}", round(seconds * RATE_HZ)
    return Clip(f"set/{name}", Path(f"/{name}.wav"), digest, RATE_HZ, 1, length, 0, domain)


def make(*clips):
    return TestSet("set", clips)


@pytest.fixture
def listened(monkeypatch):
    """Places that are listened to; what begins in the first third of every two seconds is quiet."""
    heard = []

    def listen(segment):
        heard.append(segment)
        if "bad" in segment.id:
            raise AudioError(f"{segment.path} is damaged")
        quiet = "silent" in segment.id or ("plain" not in segment.id and segment.start % 2000 < 667)
        return QUIET if quiet else LOUD

    monkeypatch.setattr(segments, "MeasureCache", Mock(return_value=Mock(get=lambda _: None)))
    monkeypatch.setattr(segments, "read_clip", listen)
    monkeypatch.setattr(segments, "measure", lambda found: found)
    return heard


lengths = st.lists(st.floats(0.5, 60.0), min_size=1, max_size=12)
tree = lengths.map(lambda all_s: [clip(f"file{n}", seconds) for n, seconds in enumerate(all_s)])


@quick
@given(tree, st.integers(1, 40), st.integers(0, 3), st.randoms())
def test_a_draw_is_a_function_of_the_files_and_the_seed(listened, clips, count, seed, shuffler):
    choice = Choice(count, 2.0, seed)
    shuffled = list(clips)
    shuffler.shuffle(shuffled)
    elsewhere = [replace(c, path=Path("/other/disk") / c.path.name) for c in shuffled]
    drawn, there = draw(make(*clips), choice).clips, draw(make(*elsewhere), choice).clips
    ids = [c.id for c in drawn]
    assert ids == [c.id for c in there] == sorted(set(ids))
    # Segments lie in their files, apart, and loud.
    files = {c.sha256: c for c in clips}
    assert len(drawn) <= count
    for segment in drawn:
        whole = files[segment.sha256]
        assert segment.num_samples == min(2 * RATE_HZ, whole.num_samples)
        assert 0 <= segment.start <= whole.num_samples - segment.num_samples
        assert segment.measures == LOUD
        assert whole.duration_s >= segments.SHORTEST_S
    for one, other in itertools.combinations(drawn, 2):
        if one.sha256 == other.sha256:
            assert abs(one.start - other.start) >= 2 * RATE_HZ / 20


@quick
@given(st.integers(4, 30), st.integers(1, 60), st.integers(1, 60))
def test_smaller_draws_are_part_of_larger_and_files_displace_little(listened, files, one, other):
    clips = [clip(f"file{n}", 20.0) for n in range(files)]
    small, large = sorted((one, other))
    drawn = [{c.id for c in draw(make(*clips), Choice(n, 2.0)).clips} for n in (small, large)]
    assert drawn[0] <= drawn[1]
    assert len(drawn[0]) == min(small, len(drawn[1]))
    if small <= files:
        after = {c.id for c in draw(make(*clips, clip("new", 20.0)), Choice(small, 2.0)).clips}
        of_new = [name for name in after if "new" in name]
        assert len(drawn[0] - after) <= len(of_new) <= 1


def test_seed_domains_threshold_and_every_file_once_before_any_twice(listened):
    clips = [clip(f"plain-{d}{n}", 20.0, d) for d in ("speech", "music") for n in range(20)]
    drawn = [draw(make(*clips), Choice(10, 2.0, seed)).clips for seed in (0, 1)]
    assert Counter(c.domain for c in drawn[0]) == {"speech": 10, "music": 10}
    assert len({c.id for c in drawn[0]} & {c.id for c in drawn[1]}) < 10
    for count in (7, 20, 50):
        per_file = Counter(c.sha256 for c in draw(make(*clips[:20]), Choice(count, 2.0)).clips)
        fewest = min(per_file.get(c.sha256, 0) for c in clips[:20])
        assert per_file.total() == count
        assert max(per_file.values()) - fewest <= 1
    silent = make(clip("silent", 60.0))
    listened.clear()
    found = draw(silent, Choice(5, 2.0))
    assert (found.clips, len(listened)) == ((), 8)
    assert "speech: 8 places skipped, no louder than -40 LUFS" in found.notes
    assert len(draw(silent, Choice(5, 2.0, min_lufs=-60.0)).clips) == 5


def test_starts_are_spread_over_the_file(listened):
    test_set = make(*(clip(f"plain{n}", 12.0) for n in range(400)))
    starts = np.array([c.start for c in draw(test_set, Choice(400, 2.0)).clips])
    counts, _ = np.histogram(starts, bins=10, range=(0, 10_000))
    assert counts.min() > 20
    assert abs(starts.mean() - 5000) < 500


def test_too_little_material_is_drawn_out_and_said(listened):
    drawn = draw(make(clip("only", 5.0), clip("tiny", 0.9)), Choice(1000, 2.0))
    assert 5 < len(drawn.clips) < 31
    assert f"speech: {len(drawn.clips)} of 1,000 segments drawn, no more in 1 file" in drawn.notes
    assert "speech: 1 file left out, shorter than 1 s" in drawn.notes
    assert any("skipped, no louder than -40 LUFS" in note for note in drawn.notes)
    hours = f"{len(drawn.clips) * 2 / 3600:.3g} h are drawn from {5 / 3600:.3g} h"
    assert f"speech: segments overlap: {hours}" in drawn.notes
    # Files that are too short are taken whole and once.
    drawn = draw(make(clip("plain-short", 1.5), clip("plain-exact", 2.0)), Choice(9, 2.0))
    found = [(c.id, c.start, c.duration_s) for c in drawn.clips]
    assert found == [("set/plain-exact", 0, 2.0), ("set/plain-short", 0, 1.5)]
    # Files that cannot be read are not drawn from.
    broken = BrokenClip("set/x", Path("x.wav"), "x.wav is empty", "speech")
    test_set = replace(make(clip("bad", 9.0), clip("plain", 9.0)), broken=(broken,))
    drawn = draw(test_set, Choice(2, 2.0))
    assert (len(drawn.clips), drawn.broken) == (2, ())
    unread = "not drawn from 2 files that cannot be read, for example: /bad.wav is damaged"
    assert drawn.notes[-1] == unread


def test_a_segment_of_a_segment_counts_from_the_start_of_the_file(listened):
    part = replace(clip("whole", 60.0), start=7000, num_samples=20_000, transcript="all of it")
    (segment,) = draw(make(part), Choice(1, 2.0)).clips
    place_s = (segment.start - 7000) / RATE_HZ
    assert 0 <= place_s <= 18
    assert segment.id == f"set/whole+{place_s:.3f}s"
    assert segment.transcript is None


def test_real_silence_is_skipped_and_what_was_measured_is_kept(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for number in range(4):  # noise, but silence from 3 s on
        samples = rng.uniform(-0.3, 0.3, 8 * 16_000)
        samples[3 * 16_000 :] = 0
        soundfile.write(tmp_path / f"{number}.flac", samples, 16_000)
    drawn = draw(folder_set(tmp_path), Choice(8, 1.0))
    assert len(drawn.clips) == 8
    for segment in drawn.clips:
        assert segment.start < 3 * 16_000
        assert segment.measures is not None
        assert segment.measures.loudness_lufs > -40
    assert any("skipped" in note for note in drawn.notes)
    monkeypatch.setattr(segments, "read_clip", lambda _: pytest.fail("read again"))
    assert draw(folder_set(tmp_path), Choice(8, 1.0)) == drawn


SPEECH = make(*(clip(f"{n}", 10.0) for n in range(20)))


def test_a_segment_lies_inside_its_clip_and_is_named_by_its_place():
    for whole, part in zip(SPEECH.clips, choose(SPEECH, segment_s=2.5).clips, strict=True):
        assert part.num_samples == 2.5 * RATE_HZ
        assert 0 <= part.start <= whole.num_samples - part.num_samples
        assert part.id == f"{whole.id}+{part.start / RATE_HZ:.3f}s"
    nearly = make(*(clip(f"{n}", 1.0 + 1 / RATE_HZ) for n in range(20)))
    assert {part.start for part in choose(nearly, segment_s=1.0).clips} == {0, 1}
    (plain,) = choose(make(clip("1", 10.0)), segment_s=1.0).clips
    (moved,) = choose(make(replace(clip("1", 10.0), start=500)), segment_s=1.0).clips
    assert moved.start == plain.start + 500
    short = make(clip("1", 1.0))
    assert choose(short, segment_s=1.0) == short


def test_the_limit_holds_per_domain_and_counts_broken_files():
    mixed = make(*SPEECH.clips, *(clip(f"m{n}", 10.0, "music") for n in range(3)))
    domains = [c.domain for c in choose(mixed, limit=4).clips]
    assert (domains.count("speech"), domains.count("music")) == (4, 3)
    kept = [{c.id for c in choose(SPEECH, limit=limit).clips} for limit in (3, 6)]
    assert kept[0] < kept[1] != {c.id for c in SPEECH.clips[:6]}
    broken = tuple(BrokenClip(f"set/b{n}", Path("b"), "broken", "speech") for n in range(20))
    chosen = choose(replace(SPEECH, broken=broken), limit=10)
    assert len(chosen.entries) == 10
    assert chosen.broken


def test_adding_a_file_displaces_one_clip_at_most_and_the_digest_tells_of_samples():
    more = make(*SPEECH.clips, clip("99", 10.0))
    for segment_s in (None, 1.0):
        before, after = (choose(of, limit=6, segment_s=segment_s).clips for of in (SPEECH, more))
        assert len({c.id for c in before} - {c.id for c in after}) <= 1
    assert replace(SPEECH, clips=SPEECH.clips[::-1]).sha256 == SPEECH.sha256
    assert choose(SPEECH, segment_s=2.5).sha256 != SPEECH.sha256
    assert choose(SPEECH, limit=3).sha256 != SPEECH.sha256
