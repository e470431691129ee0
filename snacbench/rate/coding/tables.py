"""What was learnt of a codec's codes beforehand: counts, and how far to trust them.

A coder with tables needs them for decoding: they are part of the decoder, not of the bytes that
are counted, and their digest travels with every file that was written by them.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snacbench.errors import UserError
from snacbench.rate.coding.range_coder import Shares, divided

CONTEXTS = ("previous", "coarser")
UNIT = 4096  # weights are counted in 4096ths of a token
_FORMAT = "snacbench tables 1"
_META = "meta"
_ARRAYS = ("contexts", "symbols", "counts")


@dataclass(frozen=True, eq=False)
class Pairs:
    """How often a symbol followed a context in one stream, and how much that is worth.

    Attributes
    ----------
    contexts, symbols, counts : array, shape (pairs,), int64
        Sorted by context, then by symbol; every pair that occurred, once.
    strength : int
        Tokens that the stream's order-0 model is worth against the counts of a context: the
        larger, the less is a context believed.
    """

    contexts: NDArray[np.int64]
    symbols: NDArray[np.int64]
    counts: NDArray[np.int64]
    strength: int

    def after(self, context: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Symbols that followed a context, and how often."""
        first, last = np.searchsorted(self.contexts, (context, context + 1))
        return self.symbols[first:last], self.counts[first:last]


@dataclass(frozen=True, eq=False)
class StreamTable:
    """What was learnt of one stream.

    Attributes
    ----------
    counts : array, shape (codebook_size,), int64
    smoothing : int
        Added to every count, in 4096ths of a token, so that every code can be written.
    strength : int
        Tokens that these counts are worth against those of the clip that is being coded.
    pairs : mapping of str to Pairs
        By the name of the context.
    """

    counts: NDArray[np.int64]
    smoothing: int
    strength: int
    pairs: Mapping[str, Pairs] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def codebook_size(self) -> int:
        """Entries of the codebook."""
        return len(self.counts)

    @cached_property
    def shares(self) -> Shares:
        """Shares of the range in proportion to the smoothed counts."""
        return divided(self.counts * UNIT + self.smoothing)


def untrained(codebook_size: int) -> StreamTable:
    """A table that knows nothing: all codes alike, each worth half a token.

    That is the estimator of Krichevsky and Trofimov (1981), for more than two symbols.
    """
    return StreamTable(np.zeros(codebook_size, np.int64), UNIT, max(1, codebook_size // 2))


@dataclass(frozen=True, eq=False)
class Tables:
    """Tables of one operating point of a codec, one per stream, and what they were trained on."""

    codec: str
    streams: tuple[StreamTable, ...]
    clips: int = 0

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Entries of the codebooks, coarse to fine."""
        return tuple(stream.codebook_size for stream in self.streams)

    @cached_property
    def sha256(self) -> str:
        """Digest of everything that coding by these tables depends on."""
        digest = hashlib.sha256()
        digest.update(json.dumps(_meta(self), sort_keys=True).encode())
        for name, array in sorted(_arrays(self)):
            digest.update(name.encode() + array.astype("<i8").tobytes())
        return digest.hexdigest()


def write_tables(path: Path, tables: Tables) -> None:
    """Write tables as a compressed ``.npz`` file that holds numbers and nothing else."""
    meta = json.dumps({**_meta(tables), "sha256": tables.sha256})
    held: dict[str, Any] = {name: array.astype(np.uint32) for name, array in _arrays(tables)}
    held[_META] = np.array(meta)
    with path.open("wb") as stream:
        np.savez_compressed(stream, **held)


def read_tables(path: Path) -> Tables:
    """Read what `write_tables` wrote.

    Raises
    ------
    UserError
        If the file holds no tables, or not those that it was written with.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            meta = json.loads(str(held[_META]))
            arrays = {name: held[name].astype(np.int64) for name in held.files if name != _META}
        tables = _tables_of(meta, arrays)
    except OSError as error:
        raise UserError(f"cannot read tables from {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} holds no tables of codes ({type(error).__name__}: {error}); "
            "'snacbench entropy RUN --save-tables DIR' writes some"
        ) from error
    if tables.sha256 != meta.get("sha256"):
        raise UserError(
            f"{path} is damaged: its content has sha256 {tables.sha256}, "
            f"expected {meta.get('sha256')}; write it again"
        )
    return tables


def check_fits(tables: Tables, codebook_sizes: Sequence[int]) -> None:
    """Refuse tables of other streams.

    Raises
    ------
    UserError
        If number or sizes of the codebooks differ.
    """
    if tables.codebook_sizes != tuple(codebook_sizes):
        raise UserError(
            f"the tables are those of {tables.codec}, with codebooks of "
            f"{_listed(tables.codebook_sizes)} entries, and do not fit codes from codebooks of "
            f"{_listed(codebook_sizes)}; train tables for this operating point"
        )


def _listed(sizes: Sequence[int]) -> str:
    same = len(set(sizes)) == 1
    return f"{len(sizes)} x {sizes[0]}" if same else ", ".join(map(str, sizes)) or "no"


def _meta(tables: Tables) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "codec": tables.codec,
        "clips": tables.clips,
        "streams": [
            {
                "smoothing": stream.smoothing,
                "strength": stream.strength,
                "pairs": {name: pairs.strength for name, pairs in stream.pairs.items()},
            }
            for stream in tables.streams
        ],
    }


def _arrays(tables: Tables) -> Iterator[tuple[str, NDArray[np.int64]]]:
    for index, stream in enumerate(tables.streams):
        yield f"{index}", stream.counts
        for context, pairs in stream.pairs.items():
            for name in _ARRAYS:
                yield f"{index}/{context}/{name}", getattr(pairs, name)


def _tables_of(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[np.int64]]) -> Tables:
    if meta["format"] != _FORMAT:
        raise ValueError(f"format {meta['format']!r}, expected {_FORMAT!r}")
    streams = []
    for index, stream in enumerate(meta["streams"]):
        pairs = {
            context: Pairs(
                **{name: arrays[f"{index}/{context}/{name}"] for name in _ARRAYS},
                strength=strength,
            )
            for context, strength in stream["pairs"].items()
        }
        counts = arrays[f"{index}"]
        streams.append(StreamTable(counts, stream["smoothing"], stream["strength"], pairs))
        _check_stream(streams[-1])
    return Tables(meta["codec"], tuple(streams), meta["clips"])


def _check_stream(stream: StreamTable) -> None:
    """Refuse what would fail in the middle of a clip only."""
    if stream.counts.ndim != 1 or stream.codebook_size < 2:
        raise ValueError(f"counts of shape {stream.counts.shape}, expected 2 entries or more")
    numbers = [stream.smoothing, stream.strength]
    for pairs in stream.pairs.values():
        numbers.append(pairs.strength)
        if len({len(getattr(pairs, name)) for name in _ARRAYS}) > 1:
            raise ValueError("pairs of unequal length")
        if pairs.symbols.max(initial=0) >= stream.codebook_size or np.any(
            np.diff(pairs.contexts) < 0
        ):
            raise ValueError("pairs that are in no codebook or out of order")
    if any(not isinstance(number, int) or number < 1 for number in numbers):
        raise ValueError(f"strengths {numbers}, expected whole numbers of 1 or more")
