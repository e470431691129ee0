"""What the verbs on ``.sncb`` files share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snacbench.bitstream.container import Header
from snacbench.errors import BitstreamError, CodecError
from snacbench.rate.coding.coders import CODERS, Coder, coder_named
from snacbench.rate.coding.tables import read_tables


def chosen_coder(name: str, tables: Path | None) -> Coder:
    """The coder of a name, with trained tables where there are some.

    Raises
    ------
    UserError
        If it needs tables and none are given, or they cannot be read.
    """
    return coder_named(name, read_tables(tables) if tables else None)


def coder_of(header: Header, tables: Path | None) -> Coder | None:
    """The coder that a file names, None if there is none here; see `container.Coders`."""
    if header.coder not in CODERS:
        return None
    return chosen_coder(header.coder, tables if header.tables_sha256 else None)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Say which file is meant where something is wrong with its content."""
    try:
        yield
    except BitstreamError as error:
        raise BitstreamError(f"{path}: {error}") from error
    except CodecError as error:
        raise CodecError(f"{path}: {error}") from error


def in_words(channels: int) -> str:
    """``1 channel``, ``2 channels``."""
    return f"{channels} channel" + "s" * (channels != 1)
