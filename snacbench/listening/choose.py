"""Which clips become items: balanced over domains, by hash and seed, or named by the user."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, zip_longest

from snacbench.errors import UserError, did_you_mean
from snacbench.types import DOMAINS, Clip


def in_order_of_choice(clips: Sequence[Clip], seed: int) -> list[Clip]:
    """All clips, the ones to be taken first in front.

    One of each domain in turn; within a domain by a hash of seed and id, clips of a speaker or
    track that has been heard already after all others. Of two counts the smaller one's choice
    is part of the larger one's, and clips that join the run change little.
    """
    queues = [
        _of_domain([clip for clip in clips if clip.domain == domain], seed) for domain in DOMAINS
    ]
    taken = chain.from_iterable(zip_longest(*queues))
    return [clip for clip in taken if clip is not None]


def _of_domain(clips: Sequence[Clip], seed: int) -> Iterator[Clip]:
    by_hash = sorted(clips, key=lambda clip: _hash(seed, clip.id))
    heard: Counter[str] = Counter()
    turns = {}
    for clip in by_hash:
        own = clip.cluster or f"\0{clip.id}"
        turns[clip.id] = heard[own]
        heard[own] += 1
    yield from sorted(by_hash, key=lambda clip: turns[clip.id])


def _hash(seed: int, clip: str) -> str:
    return hashlib.sha256(f"{seed}\0{clip}".encode()).hexdigest()


def named(
    names: Sequence[str], clips: Mapping[str, Clip], refused: Mapping[str, str]
) -> list[Clip]:
    """The clips that a user names, by id or by how an id ends, in that order.

    Parameters
    ----------
    clips : mapping from id to Clip
        Those that can be heard.
    refused : mapping from id to str
        Why others cannot.

    Raises
    ------
    UserError
        If there is no such clip, more than one, one twice, or one that cannot be heard.
    """
    found: dict[str, Clip] = {}
    for name in names:
        id_ = _named(name, [*clips, *refused])
        if id_ in refused:
            raise UserError(f"--item {name}: {id_} cannot be heard: {refused[id_]}")
        if id_ in found:
            raise UserError(f"--item {name}: {id_} is named twice; name each clip once")
        found[id_] = clips[id_]
    return list(found.values())


def _named(name: str, ids: Sequence[str]) -> str:
    if name in ids:
        return name
    ending = [id_ for id_ in ids if id_.endswith(f"/{name}")]
    if len(ending) == 1:
        return ending[0]
    if ending:
        raise UserError(f"--item {name}: more than one clip ends so: {', '.join(ending)}")
    last_parts = {id_.rpartition("/")[2]: id_ for id_ in ids}
    raise UserError(
        f"--item {name}: the run has no such clip; {did_you_mean(name, [*ids, *last_parts])}"
    )
