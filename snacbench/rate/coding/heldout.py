"""Bytes that codes take under tables that never saw them, nor anything of their cluster.

Clusters (speakers, tracks) are ordered by digest and dealt out to two halves in turn; tables
trained on either half code the other. So every clip is coded, none by tables that know it.

The control: tokens of every stream are permuted over the whole corpus, which leaves the codes'
frequencies and takes away their order, their clip and their relation to other streams. What a
context model still saves over order 0 then is an artefact; it must be none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from snacbench.errors import CodecError, UserError
from snacbench.rate.coding.coders import Coder, coder_named, shapes_of
from snacbench.rate.coding.tables import KeptClip, Tables, train_tables
from snacbench.rows import CodedBytes
from snacbench.types import Codes

_DECIMALS = 2  # of ideal bits: rows are text


def halves(clips: Sequence[KeptClip]) -> tuple[list[KeptClip], list[KeptClip]]:
    """Clips in two halves that share no cluster.

    Raises
    ------
    UserError
        If all clips are of one cluster.
    """
    clusters = sorted(
        {one.cluster for one in clips},
        key=lambda cluster: hashlib.sha256(cluster.encode()).hexdigest(),
    )
    if len(clusters) < 2:
        raise UserError(
            f"held-out coding needs clips of 2 speakers or tracks or more, found {len(clusters)}: "
            "tables must be trained on other ones than they code"
        )
    first = set(clusters[::2])
    return (
        [one for one in clips if one.cluster in first],
        [one for one in clips if one.cluster not in first],
    )


def cross_fitted(
    codec: str, clips: Sequence[KeptClip], codebook_sizes: Sequence[int]
) -> Iterator[tuple[Tables, list[KeptClip]]]:
    """Tables of each half, with the clips of the other."""
    first, second = halves(clips)
    for trained, coded in ((first, second), (second, first)):
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
    """A row per clip and coder; every clip's bytes are decoded again and compared.

    Parameters
    ----------
    codec : str
        Name of the operating point.
    clips : sequence of KeptClip
    codebook_sizes : sequence of int
    coders : sequence of str
        Some of `ENTROPY_CODERS`.
    shuffled : bool
        Code permuted tokens instead.
    seed : int
        Of the permutation.

    Raises
    ------
    UserError
        If all clips are of one cluster.
    CodecError
        If bytes do not decode to the codes that they were written from.
    """
    if shuffled:
        clips = shuffled_clips(clips, seed)
    for tables, coded in cross_fitted(codec, clips, codebook_sizes):
        for name in coders:
            coder = coder_named(name, tables)
            rows = coded_rows(codec, coded, codebook_sizes, coder, shuffled=shuffled)
            yield from (replace(row, trained_on_clips=tables.clips) for row in rows)


def coded_rows(
    codec: str,
    clips: Sequence[KeptClip],
    codebook_sizes: Sequence[int],
    coder: Coder,
    *,
    shuffled: bool = False,
) -> Iterator[CodedBytes]:
    """A row per clip by one coder; raises as `held_out_rows`."""
    for one in clips:
        sizes, bits = coded_sizes(one.parts, codebook_sizes, coder, clip=one.clip)
        yield CodedBytes(
            clip=one.clip,
            codec=codec,
            coder=coder.name,
            tables_sha256=coder.tables_sha256,
            stream_bytes=sizes,
            ideal_bits=bits,
            shuffled=shuffled,
        )


def coded_sizes(
    parts: Sequence[tuple[Codes, ...]],
    codebook_sizes: Sequence[int],
    coder: Coder,
    *,
    clip: str,
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Bytes written and ideal bits per stream, over the parts of a clip, decoded and compared.

    Raises
    ------
    CodecError
        If what is decoded is not what was encoded.
    """
    sizes = np.zeros(len(codebook_sizes), np.int64)
    bits = np.zeros(len(codebook_sizes))
    for codes in parts:
        written = coder.write(codes, codebook_sizes)
        data = [one.data for one in written]
        decoded = coder.decode(data, shapes_of(codes, codebook_sizes))
        if not all(map(np.array_equal, codes, decoded)):
            raise CodecError(f"{coder.name} did not give back the codes of {clip}")
        sizes += [len(one) for one in data]
        bits += [one.ideal_bits for one in written]
    return tuple(sizes.tolist()), tuple(bits.round(_DECIMALS).tolist())


def shuffled_clips(clips: Sequence[KeptClip], seed: int) -> list[KeptClip]:
    """The same clips with every stream's tokens permuted over all of them."""
    random = np.random.default_rng(seed)
    parts = [[list(part) for part in one.parts] for one in clips]
    flat = [part for of_clip in parts for part in of_clip]
    for index in range(len(flat[0]) if flat else 0):
        tokens = random.permutation(np.concatenate([part[index].ravel() for part in flat]))
        start = 0
        for part in flat:
            shape = part[index].shape
            part[index] = tokens[start : start + part[index].size].reshape(shape)
            start += part[index].size
    return [
        KeptClip(one.clip, one.cluster, tuple(tuple(part) for part in of_clip))
        for one, of_clip in zip(clips, parts, strict=True)
    ]
