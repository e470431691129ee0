"""What is known of a test's stimuli: ``stimuli.json``, and where each file lies."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from snacbench.errors import StoreError, UserError
from snacbench.listening.test import STIMULI_FOLDER, ListeningTest
from snacbench.store.rows import from_json, to_jsonable

FACTS_FILE = "stimuli.json"

Format = Literal["wav", "flac"]


@dataclass(frozen=True)
class StimulusFacts:
    """One file, as it was measured after its gain.

    Attributes
    ----------
    file : str
        As seen from the test's folder.
    delay_samples, delay_rate_hz : int
        The codec's residual delay that was taken away, at the codec's rate; positive: late.
    """

    file: str
    sha256: str
    num_bytes: int
    gain_db: float
    loudness_lufs: float | None
    true_peak_dbtp: float | None
    delay_samples: int = 0
    delay_rate_hz: int = 48_000


@dataclass(frozen=True)
class ItemFacts:
    """All files of one item: of one length, and of one size in bytes.

    Attributes
    ----------
    lowered_db : float
        By how much the item stays below the loudness asked for, so that no condition clips.
    above_7khz_db : float or None
        Energy of the reference above 7 kHz, relative to all of it; None where there is none.
    """

    clip: str
    num_samples: int
    channels: int
    lowered_db: float
    above_7khz_db: float | None
    warnings: tuple[str, ...]
    conditions: Mapping[str, StimulusFacts]


@dataclass(frozen=True)
class Facts:
    """The stimuli of a test; `design_sha256` says of which design."""

    snacbench_version: str
    design_sha256: str
    run_id: str
    set_sha256: str
    rate_hz: int
    format: Format
    items: Mapping[str, ItemFacts]


def stimulus_file(item: str, condition: str, format_: Format = "wav") -> str:
    """Where a stimulus lies, as seen from the test's folder.

    Names of operating points are file names as they are; other characters are percent-encoded.
    """
    return f"{STIMULI_FOLDER}/{item}/{quote(condition, safe='@+=')}.{format_}"


def design_sha256(test: ListeningTest) -> str:
    """Digest of all that a test's stimuli depend on: not of texts, order or numbers of pages."""
    told = {
        "run_id": test.run_id,
        "set_sha256": test.set_sha256,
        "conditions": sorted(test.conditions),
        "items": sorted(
            (item.id, item.clip, item.start_s, item.duration_s)
            for item in (*test.items, *test.training)
        ),
        "level": test.level.model_dump(),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def facts_text(facts: Facts) -> str:
    """The content of ``stimuli.json``."""
    return json.dumps(to_jsonable(facts), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_facts(folder: Path, test: ListeningTest) -> Facts:
    """The facts of a test's stimuli, if they are those of its design.

    Raises
    ------
    UserError
        If there are none, or ``test.yaml`` has been changed since they were made.
    """
    path = folder / FACTS_FILE
    again = f"make them with 'snacbench mushra stimuli {folder}'"
    try:
        facts = from_json(path.read_bytes(), Facts, origin=str(path))
    except FileNotFoundError as error:
        raise UserError(
            f"{folder} has no stimuli yet: there is no {FACTS_FILE}; {again}"
        ) from error
    except StoreError as error:
        raise UserError(f"{error}; {again}") from error
    if facts.design_sha256 != design_sha256(test):
        raise UserError(
            f"the stimuli in {folder} are not those of its test.yaml, which was changed after they "
            f"were made; {again}"
        )
    for item in facts.items.values():
        for stimulus in item.conditions.values():
            file = folder / stimulus.file
            if not file.is_file() or file.stat().st_size != stimulus.num_bytes:
                raise UserError(f"{file} is missing or was changed; {again}")
    return facts


def facts_at_hand(folder: Path) -> Facts | None:
    """The facts in a folder, whatever design they are of; None where there are none to read."""
    path = folder / FACTS_FILE
    try:
        return from_json(path.read_bytes(), Facts, origin=str(path))
    except (OSError, StoreError):
        return None


def finite(value: float) -> float | None:
    """A number for a JSON file; None where it is infinite."""
    return round(value, 3) if math.isfinite(value) else None
