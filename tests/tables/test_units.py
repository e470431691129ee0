from __future__ import annotations

import pytest

from snacbench.tables.run import ClipFacts
from snacbench.tables.units import MOST_UNITS, unit_of, units_of


def clips(domain: str, *clusters: str | None) -> list[ClipFacts]:
    return [ClipFacts(f"{domain}{i}", domain, cluster) for i, cluster in enumerate(clusters)]


def test_clips_of_a_speaker_are_one_unit_in_each_domain_anew():
    found = units_of([*clips("speech", *"aabbcdef"), *clips("music", *"uvwxyz")])
    assert [found[f"speech{i}"] for i in range(8)] == [0, 0, 1, 1, 2, 3, 4, 5]
    assert [found[f"music{i}"] for i in range(6)] == [0, 1, 2, 3, 4, 5]


def test_clips_of_unknown_origin_stand_for_themselves():
    assert list(units_of(clips("speech", None, "a", None)).values()) == [0, 1, 2]


@pytest.mark.parametrize("clusters", ["aabbb", "aaaa", "abcabca"])
def test_clips_of_few_speakers_are_units_and_no_speaker_is_in_both_halves(clusters):
    found = list(units_of(clips("speech", *clusters)).values())
    assert len(set(found)) == len(clusters)
    halves = {
        c: {n % 2 for c2, n in zip(clusters, found, strict=True) if c2 == c} for c in clusters
    }
    assert all(len(half) == 1 for half in halves.values())


def test_many_speakers_share_units_but_keep_their_half():
    found = list(units_of(clips("speech", *(f"s{i}" for i in range(100)))).values())
    assert set(found) == set(range(MOST_UNITS))
    assert [n % 2 for n in found] == [i % 2 for i in range(100)]


def test_a_clip_that_the_set_does_not_tell_of_is_its_own():
    assert unit_of({"a": 3}, "a", 7) == 3
    assert unit_of({"a": 3}, "b", MOST_UNITS + 7) == 7
