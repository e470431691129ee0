"""The stimuli that a test serves: a fixed table, checked before the first listener comes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import soundfile

from snacbench.audio.io import sha256_of_file
from snacbench.errors import UserError
from snacbench.listening.stimuli import Facts, ItemFacts, read_facts, stimulus_file
from snacbench.listening.test import RATE_HZ, ListeningTest

MEDIA_TYPES = {"wav": "audio/wav", "flac": "audio/flac"}
_BLOCK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Served:
    """A stimulus as it is sent; `duration_s` is that of its item, in seconds."""

    path: Path
    num_bytes: int
    media_type: str
    duration_s: float

    def blocks(self) -> Iterator[bytes]:
        """The file's bytes, a little at a time: 30 listeners who load at once fill no memory.

        Raises
        ------
        UserError
            If the file was changed since the server started.
        """
        with self.path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size != self.num_bytes:
                raise UserError(f"{self.path} was changed while it is served; restart the server")
            while block := stream.read(_BLOCK_BYTES):
                yield block


Table = Mapping[tuple[str, str], Served]


def served_stimuli(folder: Path, test: ListeningTest) -> Table:
    """Every stimulus of a test by item and condition, after all of them were checked.

    Raises
    ------
    UserError
        If there are none, they are of another design, one is missing or was changed, or those of
        an item differ in size, rate, channels or number of samples, which would tell them apart.
    """
    facts = read_facts(folder, test)
    table: dict[tuple[str, str], Served] = {}
    for item in (*test.items, *test.training):
        known = facts.items.get(item.id)
        if known is None or set(test.conditions) - known.conditions.keys():
            raise UserError(
                f"the stimuli in {folder} lack {item.id} or one of its conditions; "
                f"make them with 'snacbench mushra stimuli {folder}'"
            )
        for condition in test.conditions:
            table[item.id, condition] = _served(folder, facts, known, item.id, condition)
        _check_alike(folder, item.id, [table[item.id, c] for c in test.conditions])
    return table


def _served(folder: Path, facts: Facts, known: ItemFacts, item: str, condition: str) -> Served:
    # The path follows from the names, not from what stimuli.json says it is.
    path = folder / stimulus_file(item, condition, facts.format)
    try:
        header = soundfile.info(path)
        found = sha256_of_file(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise UserError(f"cannot read the stimulus {path} ({error})") from error
    if found != known.conditions[condition].sha256:
        raise UserError(
            f"{path} is not the stimulus that was made: its sha256 has changed; "
            f"make them with 'snacbench mushra stimuli {folder}'"
        )
    shape = (header.samplerate, header.frames, header.channels)
    if shape != (RATE_HZ, known.num_samples, known.channels):
        raise UserError(
            f"{path} has {header.frames} samples of {header.channels} channels at "
            f"{header.samplerate} Hz; its item has {known.num_samples} of {known.channels} at "
            f"{RATE_HZ} Hz"
        )
    return Served(path, path.stat().st_size, MEDIA_TYPES[facts.format], known.num_samples / RATE_HZ)


def _check_alike(folder: Path, item: str, stimuli: list[Served]) -> None:
    sizes = {stimulus.num_bytes for stimulus in stimuli}
    if len(sizes) > 1:
        raise UserError(
            f"the stimuli of {item} have sizes from {min(sizes)} to {max(sizes)} bytes, by which a "
            f"listener could tell them apart; make them with 'snacbench mushra stimuli {folder}'"
        )
