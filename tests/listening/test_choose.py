from __future__ import annotations

from pathlib import Path

import pytest

from snacbench.errors import UserError
from snacbench.listening.choose import in_order_of_choice, named
from snacbench.types import Clip, Domain


def clip(id_: str, domain: Domain, cluster: str | None = None) -> Clip:
    return Clip(id_, Path("x"), "0", 8_000, 1, 8_000, domain=domain, cluster=cluster)


CLIPS = [
    *(clip(f"s/speech/{i}", "speech", f"speaker {i % 3}") for i in range(9)),
    *(clip(f"s/music/{i}", "music") for i in range(4)),
    *(clip(f"s/environment/{i}", "environment") for i in range(2)),
]


def test_domains_take_turns_until_they_run_out() -> None:
    order = [c.domain for c in in_order_of_choice(CLIPS, 0)]
    assert order[:6] == ["speech", "music", "environment"] * 2
    assert order[6:10] == ["speech", "music"] * 2
    assert set(order[10:]) == {"speech"}


def test_the_choice_follows_from_seed_and_ids_alone() -> None:
    order = in_order_of_choice(CLIPS, 5)
    assert in_order_of_choice(CLIPS[::-1], 5) == order
    assert in_order_of_choice(CLIPS, 6) != order
    assert len(order) == len(CLIPS)
    more = in_order_of_choice([*CLIPS, clip("s/music/new", "music")], 5)
    assert [c for c in more if c in order and c.domain == "speech"] == [
        c for c in order if c.domain == "speech"
    ]


def test_speakers_are_not_heard_again_before_all_were() -> None:
    for seed in range(5):
        speech = [c.cluster for c in in_order_of_choice(CLIPS, seed) if c.domain == "speech"]
        assert len(set(speech[:3])) == len(set(speech[3:6])) == 3


BY_ID = {c.id: c for c in CLIPS}


def test_clips_are_named_by_id_or_by_its_end() -> None:
    found = named(["music/3", "s/speech/1"], BY_ID, {})
    assert [c.id for c in found] == ["s/music/3", "s/speech/1"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["1"], "--item 1: more than one clip ends so: s/speech/1, s/music/1"),
        (["s/musik/1"], "the run has no such clip; did you mean s/music/1"),
        (["speech/1", "s/speech/1"], "s/speech/1 is named twice"),
        (["broken"], "--item broken: s/speech/broken cannot be heard: opus failed on it"),
    ],
)
def test_names_that_lead_nowhere(names: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        named(names, BY_ID, {"s/speech/broken": "opus failed on it: boom"})
