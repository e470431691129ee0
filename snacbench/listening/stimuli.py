"""The stimuli of a test: every condition of every item as a file, made whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from snacbench import __version__
from snacbench.audio.levels import loudness_lufs
from snacbench.errors import AudioError, ClipError, StoreError, UserError
from snacbench.listening.anchors import NEARLY_TRANSPARENT_DB, anchor, energy_above_db
from snacbench.listening.excerpt import cut
from snacbench.listening.facts import (
    FACTS_FILE,
    Facts,
    Format,
    ItemFacts,
    StimulusFacts,
    design_sha256,
    facts_text,
    finite,
    stimulus_file,
)
from snacbench.listening.levels import gains, scaled, true_peak_dbtp
from snacbench.listening.signals import Delay, RunSignals, decoded, open_signals, reference_of
from snacbench.listening.test import (
    ANCHOR_CUTOFFS_HZ,
    RATE_HZ,
    REFERENCE,
    STIMULI_FOLDER,
    Item,
    ListeningTest,
)
from snacbench.listening.wave import files_of
from snacbench.store.folder import RunFolder
from snacbench.types import Audio

_NAMES = {"anchor35": "3.5 kHz", "anchor70": "7 kHz"}


def make_stimuli(
    folder: Path,
    test: ListeningTest,
    *,
    format_: Format = "wav",
    begin: Callable[[int], None] = lambda _: None,
    step: Callable[[], None] = lambda: None,
) -> Facts:
    """Make the stimuli of a test in its folder, in place of older ones.

    Parameters
    ----------
    begin, step : callable
        Told how many items there are to do, and that another one is done.

    Raises
    ------
    UserError
        If the test's run is not found, is another one, or a stimulus cannot be made.
    StoreError
        If the folder cannot be written or the disk is full.
    """
    run = open_signals(run_of(folder, test))
    partial = folder / f".{STIMULI_FOLDER}.{os.getpid()}.partial"
    items = (*test.items, *test.training)
    begin(len(items))
    try:
        facts = {}
        for item in items:
            facts[item.id] = _make_item(run, test, item, partial, format_)
            step()
        told = Facts(
            __version__, design_sha256(test), test.run_id, test.set_sha256, RATE_HZ, format_, facts
        )
        _put_in_place(folder, partial, facts_text(told))
    except OSError as error:
        raise StoreError(
            f"cannot write the stimuli of {test.id} ({error.strerror or error}); free some space "
            "or check the folder's permissions, then try again"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return told


def run_of(folder: Path, test: ListeningTest) -> RunFolder:
    """The run that a test was made from.

    Raises
    ------
    UserError
        If it is not where the test says, or is another run or test set.
    """
    path = Path(os.path.normpath(folder.absolute() / test.run))
    try:
        run = RunFolder.open(path)
    except StoreError as error:
        raise UserError(
            f"the run of this test is not found: {error}; write its folder, as seen from {folder}, "
            "into the field run of test.yaml"
        ) from error
    for name, found, expected in (
        ("id", run.run.id, test.run_id),
        ("set_sha256", run.run.set_sha256, test.set_sha256),
    ):
        if found != expected:
            raise UserError(
                f"{path} is not the run that this test was made from: its {name} is {found}, "
                f"test.yaml says {expected}; make a new test from it with 'snacbench mushra design'"
            )
    return run


def _make_item(
    run: RunSignals, test: ListeningTest, item: Item, target: Path, format_: Format
) -> ItemFacts:
    try:
        signals, delays = excerpts(run, test, item)
        gain = gains(signals, test.level)
    except ClipError as error:
        raise UserError(f"item {item.id} ({item.clip}): {error}") from error
    levelled = {name: scaled(signal, gain.gain_db[name]) for name, signal in signals.items()}
    contents = files_of(levelled, format_)
    reference = levelled[REFERENCE]
    stimuli = {}
    for name, content in contents.items():
        file = stimulus_file(item.id, name, format_)
        _write(target / Path(file).relative_to(STIMULI_FOLDER), content)
        delay = delays.get(name, Delay())
        stimuli[name] = StimulusFacts(
            file,
            hashlib.sha256(content).hexdigest(),
            len(content),
            round(gain.gain_db[name], 3),
            finite(loudness_lufs(levelled[name]) or float("-inf")),
            finite(true_peak_dbtp(levelled[name])),
            delay.samples,
            delay.rate_hz,
        )
    return ItemFacts(
        item.clip,
        reference.num_samples,
        reference.channels,
        round(gain.lowered_db, 3),
        finite(energy_above_db(reference, 7_000)),
        _warnings(test, reference, gain.lowered_db),
        stimuli,
    )


def excerpts(
    run: RunSignals, test: ListeningTest, item: Item
) -> tuple[dict[str, Audio], Mapping[str, Delay]]:
    """Every condition of an item as it will be heard, but for its level; and delays taken away.

    Filters and delays work on the whole clip, so that an excerpt has no edges of its own.

    Raises
    ------
    AudioError
        If a signal is not at hand, or the excerpt lies beyond the clip's end.
    """
    reference = reference_of(run, item.clip)
    if item.start_s + item.duration_s > reference.duration_s + 0.5 / RATE_HZ:
        raise AudioError(
            f"the excerpt ends at {item.start_s + item.duration_s:g} s, the clip at "
            f"{reference.duration_s:g} s; change start_s or duration_s"
        )
    whole, delays = {REFERENCE: reference}, {}
    for name in test.conditions:
        if name in ANCHOR_CUTOFFS_HZ:
            whole[name] = anchor(reference, ANCHOR_CUTOFFS_HZ[name])
        elif name != REFERENCE:
            whole[name], delays[name] = decoded(run, item.clip, name, reference)
    return {name: cut(x, item.start_s, item.duration_s) for name, x in whole.items()}, delays


def _warnings(test: ListeningTest, reference: Audio, lowered_db: float) -> tuple[str, ...]:
    found = []
    for name in ANCHOR_CUTOFFS_HZ.keys() & test.conditions:
        above_db = energy_above_db(reference, ANCHOR_CUTOFFS_HZ[name])
        if above_db < NEARLY_TRANSPARENT_DB:
            found.append(
                f"the {_NAMES[name]} anchor is nearly transparent: {above_db:.0f} dB of the "
                "energy lie above it"
            )
    if lowered_db > 0:
        found.append(
            f"{lowered_db:.1f} dB below {test.level.loudness_lufs:g} LUFS, for the sake of peaks"
        )
    return tuple(sorted(found))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _put_in_place(folder: Path, partial: Path, facts: str) -> None:
    """Whoever finds ``stimuli.json`` finds the stimuli that it tells of."""
    target = folder / STIMULI_FOLDER
    draft = partial / FACTS_FILE
    _write(draft, facts.encode())
    (folder / FACTS_FILE).unlink(missing_ok=True)
    if target.exists():
        shutil.rmtree(target)
    kept = folder / f".{FACTS_FILE}.{os.getpid()}.partial"
    draft.replace(kept)
    partial.replace(target)
    kept.replace(folder / FACTS_FILE)
