"""Bytes that codes take under tables that never saw them, nor anything of their cluster.

Clusters (speakers, tracks) are ordered by digest and dealt out to two halves in turn; tables
trained on either half code the other. So every clip is coded, none by tables that know it.

The control: tokens of every stream are permuted over the whole corpus, which leaves the codes'
frequencies and takes away their order, their clip and their relation to other streams. What a
context model still saves over order 0 then is an artefact; it must be none.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from snacbench.errors import CodecError, UserError
from snacbench.rate.coding.coders import Coder, coder_named, shapes_of
from snacbench.rate.coding.trained import Ints, KeptClip, Tables, train_tables
from snacbench.rows import CodedBytes
from snacbench.types import Codes, Floats


def cross_fitted(
    codec: str, clips: Sequence[KeptClip], codebook_sizes: Sequence[int]
) -> Iterator[tuple[Tables, list[KeptClip]]]:
    """Tables of each half, with the clips of the other; `UserError` where there is one cluster."""
    clusters = sorted(
        {one.cluster for one in clips},
        key=lambda cluster: hashlib.sha256(cluster.encode()).hexdigest(),
    )
    if len(clusters) < 2:
        raise UserError(
            f"held-out coding needs clips of 2 speakers or tracks or more, found {len(clusters)}: "
            "tables must be trained on other ones than they code"
        )
    even = set(clusters[::2])
    halves = [[one for one in clips if (one.cluster in even) == first] for first in (True, False)]
    for trained, coded in (halves, halves[::-1]):
        yield train_tables(codec, trained, codebook_sizes), coded


def held_out_rows(  # noqa: PLR0913 - keyword-only options of one question
    codec: str,
    clips: Sequence[KeptClip],
    codebook_sizes: Sequence[int],
    *,
    coders: Sequence[str],
    shuffled: bool = False,
    seed: int = 0,
) -> Iterator[CodedBytes]:
    """A row per clip and coder (some of `ENTROPY_CODERS`): its bytes, which are decoded again.

    `codec` is the operating point's name; `shuffled` codes tokens permuted by `seed` instead.
    Raises `UserError` where there is one cluster, and `CodecError` where what is decoded is not
    what was written.
    """
    if shuffled:
        clips = shuffled_clips(clips, seed)
    for tables, coded in cross_fitted(codec, clips, codebook_sizes):
        for coder in (coder_named(name, tables) for name in coders):
            for one in coded:
                sizes, bits = _written(one, codebook_sizes, coder)
                of = one.clip, codec, coder.name, tables.sha256
                told = tuple(sizes.tolist()), tuple(bits.round(2).tolist())  # rows are text
                yield CodedBytes(*of, *told, shuffled, tables.clips)


def _written(one: KeptClip, codebook_sizes: Sequence[int], coder: Coder) -> tuple[Ints, Floats]:
    """Bytes and ideal bits of each stream over a clip's parts, once these are decoded again."""
    sizes, bits = np.zeros(len(codebook_sizes), np.int64), np.zeros(len(codebook_sizes))
    for codes in one.parts:
        written = coder.write(codes, codebook_sizes)
        data = [stream.data for stream in written]
        decoded = coder.decode(data, shapes_of(codes, codebook_sizes))
        if not all(map(np.array_equal, codes, decoded)):
            raise CodecError(f"{coder.name} did not give back the codes of {one.clip}")
        sizes += [len(stream) for stream in data]
        bits += [stream.ideal_bits for stream in written]
    return sizes, bits


def shuffled_clips(clips: Sequence[KeptClip], seed: int) -> list[KeptClip]:
    """The same clips with every stream's tokens permuted over all of them."""
    random, streams = np.random.default_rng(seed), list[list[Codes]]()
    for stream in zip(*(part for one in clips for part in one.parts), strict=True):
        tokens = random.permutation(np.concatenate([codes.ravel() for codes in stream]))
        ends = np.cumsum([codes.size for codes in stream])
        cut = zip(np.split(tokens, ends[:-1]), stream, strict=True)
        streams.append([new.reshape(codes.shape) for new, codes in cut])
    parts = zip(*streams, strict=True)
    return [replace(one, parts=tuple(islice(parts, len(one.parts)))) for one in clips]
