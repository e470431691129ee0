from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from snacbench.testsets.testset import BrokenClip, TestSet, choose
from snacbench.types import Clip

RATE_HZ = 8000


def clip(number: int, domain: str = "speech", *, seconds: float = 10.0, start: int = 0) -> Clip:
    n = round(seconds * RATE_HZ)
    name = f"set/{domain}-{number}"
    return Clip(name, Path(f"/{name}.wav"), f"{number:064}", RATE_HZ, 1, n, start, domain)


def make(*clips: Clip, broken: tuple[BrokenClip, ...] = ()) -> TestSet:
    return TestSet("set", clips, broken)


SPEECH = make(*(clip(n) for n in range(20)))


def test_nothing_asked_for_changes_nothing():
    assert choose(SPEECH) == SPEECH


def test_a_segment_lies_inside_its_clip_and_is_named_by_its_place():
    for whole, part in zip(SPEECH.clips, choose(SPEECH, segment_s=2.5).clips, strict=True):
        assert part.num_samples == 2.5 * RATE_HZ
        assert 0 <= part.start <= whole.num_samples - part.num_samples
        assert part.id == f"{whole.id}+{part.start / RATE_HZ:.3f}s"


def test_segments_differ_between_clips():
    starts = {part.start for part in choose(SPEECH, segment_s=2.5).clips}
    assert len(starts) > 15


def test_every_place_is_possible_the_last_one_too():
    nearly = make(*(clip(n, seconds=1.0 + 1 / RATE_HZ) for n in range(20)))
    assert {part.start for part in choose(nearly, segment_s=1.0).clips} == {0, 1}


def test_a_segment_of_a_segment_counts_from_the_start_of_the_file():
    (plain,) = choose(make(clip(1)), segment_s=1.0).clips
    (moved,) = choose(make(clip(1, start=500)), segment_s=1.0).clips
    assert moved.start == plain.start + 500


def test_a_clip_no_longer_than_the_segment_stays_whole():
    short = make(clip(1, seconds=2.0))
    assert choose(short, segment_s=2.0) == short


def test_segments_stay_when_files_are_added():
    few = choose(make(*SPEECH.clips[:5]), segment_s=1.0).clips
    many = choose(SPEECH, segment_s=1.0).clips
    assert many[:5] == few


def test_the_limit_holds_per_domain():
    mixed = make(*SPEECH.clips, *(clip(n, "music") for n in range(3)))
    domains = [c.domain for c in choose(mixed, limit=4).clips]
    assert (domains.count("speech"), domains.count("music")) == (4, 3)


def test_what_the_limit_keeps_is_not_simply_the_first_by_name():
    kept = {c.id for c in choose(SPEECH, limit=6).clips}
    assert kept != {c.id for c in SPEECH.clips[:6]}
    assert kept != set(sorted(c.id for c in SPEECH.clips)[:6])


def test_a_smaller_limit_keeps_a_part_of_a_larger_one():
    kept = [{c.id for c in choose(SPEECH, limit=limit).clips} for limit in (3, 6)]
    assert kept[0] < kept[1]


@pytest.mark.parametrize("segment_s", [None, 1.0])
def test_adding_a_file_displaces_one_clip_at_most(segment_s):
    before = {c.id for c in choose(SPEECH, limit=6, segment_s=segment_s).clips}
    more = make(*SPEECH.clips, clip(99))
    after = {c.id for c in choose(more, limit=6, segment_s=segment_s).clips}
    assert len(before - after) <= 1


def test_clips_stay_in_the_order_of_the_set():
    kept = [c.id for c in choose(SPEECH, limit=10).clips]
    assert kept == [c.id for c in SPEECH.clips if c.id in kept]


def test_broken_files_count_against_the_limit():
    broken = tuple(BrokenClip(f"set/b{n}", Path("b"), "broken", "speech") for n in range(20))
    chosen = choose(make(*SPEECH.clips, broken=broken), limit=10)
    assert len(chosen.clips) + len(chosen.broken) == 10
    assert chosen.broken


def test_duration_is_the_sum_over_readable_clips():
    assert choose(SPEECH, segment_s=2.5).duration_s == 50.0


def test_the_digest_tells_which_samples_a_set_consists_of():
    reordered = replace(SPEECH, clips=SPEECH.clips[::-1])
    assert reordered.sha256 == SPEECH.sha256
    assert choose(SPEECH, segment_s=2.5).sha256 != SPEECH.sha256
    assert choose(SPEECH, limit=3).sha256 != SPEECH.sha256
