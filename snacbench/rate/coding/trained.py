"""What was learnt of a codec's codes beforehand: counts, and how far to trust them.

A coder with tables needs them for decoding: they are part of the decoder, not of the bytes that
are counted, and their digest travels with every file that was written by them.

Contexts are earlier tokens of the same clip. ``coarser`` is the token of the next coarser stream
whose frame covers a token's time; for SNAC, whose levels nest, that is its parent in the hierarchy.
``previous`` is the token before it in its stream.

How far counts are to be believed, four numbers per stream, is what would have coded the training
clips in the fewest bits, every clip by the counts of the *other* clusters and its own tokens so
far, as it will be in use. Where a context tells nothing, it so does no harm.
"""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snacbench.errors import UserError
from snacbench.later import pd
from snacbench.rate.coding.range_coder import Shares, divided
from snacbench.types import Codes, Floats

CONTEXTS = ("coarser", "previous")
"""Each falls back on the one before it, the first on order 0."""
NO_CONTEXT = -1
UNIT = 4096  # weights are counted in 4096ths of a token
_FORMAT = "snacbench tables 1"
_META = "meta"
_ARRAYS = ("contexts", "symbols", "counts")
_SMOOTHINGS = [2**power for power in range(4, 17)]  # 1/256 to 16 tokens, in units
_STRENGTHS = [2**power for power in range(21)]  # tokens
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class KeptClip:
    """A clip's codes as they were kept, one tuple of streams per signal, and its cluster."""

    clip: str
    cluster: str
    parts: tuple[tuple[Codes, ...], ...]


@dataclass(frozen=True, eq=False)
class Pairs:
    """How often a symbol followed a context in one stream, sorted by context.

    `strength` is how many tokens the model without this context is worth against its counts.
    """

    contexts: Ints
    symbols: Ints
    counts: Ints
    strength: int

    def after(self, context: int) -> tuple[Ints, Ints]:
        """Symbols that followed a context, and how often."""
        first, last = np.searchsorted(self.contexts, (context, context + 1))
        return self.symbols[first:last], self.counts[first:last]


@dataclass(frozen=True, eq=False)
class StreamTable:
    """What was learnt of one stream.

    `counts` has the shape (codebook_size,); `smoothing` is added to every count, in 4096ths of a
    token, so that every code can be written; `strength` is how many tokens the counts are worth
    against those of the clip that is being coded; `pairs` are by the context's name.
    """

    counts: Ints
    smoothing: int
    strength: int
    pairs: Mapping[str, Pairs] = field(default_factory=lambda: MappingProxyType({}))

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
        return tuple(len(stream.counts) for stream in self.streams)

    @property
    def meta(self) -> dict[str, Any]:
        """All but the arrays."""
        streams = []
        for stream in self.streams:
            pairs = {name: pairs.strength for name, pairs in stream.pairs.items()}
            told = {"smoothing": stream.smoothing, "strength": stream.strength, "pairs": pairs}
            streams.append(told)
        return {"format": _FORMAT, "codec": self.codec, "clips": self.clips, "streams": streams}

    @property
    def arrays(self) -> dict[str, Ints]:
        """Counts by the stream's number, and its pairs below it."""
        held = {}
        for index, stream in enumerate(self.streams):
            held[f"{index}"] = stream.counts
            for context, pairs in stream.pairs.items():
                held |= {f"{index}/{context}/{name}": getattr(pairs, name) for name in _ARRAYS}
        return held

    @cached_property
    def sha256(self) -> str:
        """Digest of everything that coding by these tables depends on."""
        digest = hashlib.sha256()
        digest.update(json.dumps(self.meta, sort_keys=True).encode())
        for name, array in sorted(self.arrays.items()):
            digest.update(name.encode() + array.astype("<i8").tobytes())
        return digest.hexdigest()


def write_tables(path: Path, tables: Tables) -> None:
    """Write tables as a compressed ``.npz`` file that holds numbers and nothing else."""
    held: dict[str, Any] = {name: a.astype(np.uint32) for name, a in tables.arrays.items()}
    held[_META] = np.array(json.dumps({**tables.meta, "sha256": tables.sha256}))
    with path.open("wb") as stream:
        np.savez_compressed(stream, **held)


def read_tables(path: Path) -> Tables:
    """Read what `write_tables` wrote; `UserError` where the file holds no tables, or others."""
    try:
        with np.load(path, allow_pickle=False) as held:
            meta = json.loads(str(held[_META]))
            arrays = {name: held[name].astype(np.int64) for name in held.files if name != _META}
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
            counts, smoothing = arrays[f"{index}"], stream["smoothing"]
            streams.append(StreamTable(counts, smoothing, stream["strength"], pairs))
        tables = Tables(meta["codec"], tuple(streams), meta["clips"])
    except OSError as error:
        raise UserError(f"cannot read tables from {path}: {error.strerror or error}") from error
    except (  # RuntimeError: packed in ways that zipfile does not know
        ValueError, KeyError, TypeError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile
    ) as error:  # fmt: skip
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


def coarser_context(frames: int, channels: int, coarser: Codes | None) -> Ints:
    """Contexts of a stream from its coarser one, shape (channels, frames); -1 without any.

    That is the coarser stream's frame at the middle of every frame, both over the same time.
    """
    if coarser is None or not coarser.size or len(coarser) != channels:
        return np.full((channels, frames), NO_CONTEXT)
    middles = 2 * np.arange(frames, dtype=np.int64) + 1
    return coarser[:, middles * coarser.shape[1] // max(1, 2 * frames)].astype(np.int64)


def train_tables(codec: str, corpus: Sequence[KeptClip], codebook_sizes: Sequence[int]) -> Tables:
    """Counts of every stream over a corpus, and how far to believe them."""
    if not corpus:
        raise ValueError(f"no codes of {codec} to train tables on")
    streams = (_stream_table(corpus, index, size) for index, size in enumerate(codebook_sizes))
    return Tables(codec, tuple(streams), len({one.clip for one in corpus}))


def _stream_table(corpus: Sequence[KeptClip], index: int, size: int) -> StreamTable:
    clusters = list(dict.fromkeys(one.cluster for one in corpus))
    parts = ((one.cluster, codes) for one in corpus for codes in one.parts)
    frames = []
    for number, (cluster, streams) in enumerate(parts):
        codes = streams[index].astype(np.int64)
        channels, count = codes.shape
        coarser = coarser_context(count, channels, streams[index - 1] if index else None)
        previous = np.full(codes.shape, NO_CONTEXT, np.int64)
        previous[:, 1:] = codes[:, :-1]
        of_part = {"token": codes, "coarser": coarser, "previous": previous}
        frame = pd.DataFrame({name: values.ravel() for name, values in of_part.items()})
        frames.append(frame.assign(all=0, part=number, cluster=clusters.index(cluster)))
    tokens = pd.concat(frames, ignore_index=True)

    def counted(rows: "pd.DataFrame", *keys: str) -> tuple[Ints, Ints]:
        """How often each token's keys occurred in other clusters, and earlier in its own part."""
        every = rows.groupby(list(keys))["part"].transform("size")
        own = rows.groupby(["cluster", *keys])["part"].transform("size")
        earlier = rows.groupby(["part", *keys]).cumcount()
        return np.asarray(every - own, np.int64), np.asarray(earlier, np.int64)

    elsewhere, before_it = counted(tokens, "token")
    all_elsewhere, all_before = counted(tokens, "all")
    added = [size * smoothing / UNIT for smoothing in _SMOOTHINGS]
    least, static = _cheapest(added, elsewhere, all_elsewhere, np.full(len(tokens), 1 / size))
    strength, likely = _cheapest(_STRENGTHS, before_it, all_before, static)
    pairs = {}
    for name in CONTEXTS:
        has = (tokens[name] != NO_CONTEXT).to_numpy()
        rows = tokens[has]
        of_pair, of_context = (np.add(*counted(rows, name, *more)) for more in (["token"], []))
        trust, likely[has] = _cheapest(_STRENGTHS, of_pair, of_context, likely[has])
        found = rows.groupby([name, "token"]).size().reset_index().to_numpy(np.int64)
        context, symbols, occurred = found.T
        pairs[name] = Pairs(context, symbols, occurred, _STRENGTHS[trust])
    counts = np.bincount(tokens["token"], minlength=size).astype(np.int64)
    return StreamTable(counts, _SMOOTHINGS[least], _STRENGTHS[strength], pairs)


def _cheapest(
    strengths: Sequence[float], count: Ints, total: Ints, fallback: Floats
) -> tuple[int, Floats]:
    """Which strength of the fallback takes the tokens the fewest bits, and their probabilities."""
    likely = [(count + a * fallback) / (total + a) for a in strengths]
    best = int(np.argmin([-np.log2(one).sum() for one in likely]))
    return best, likely[best]
