"""From what ``--data``, ``--root`` and the options of choice say to the clips of a test set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from snacbench.errors import TestSetError, did_you_mean
from snacbench.testsets.composite import COMPOSITE_SETS, composite_set
from snacbench.testsets.corpora import corpora
from snacbench.testsets.folder import folder_set
from snacbench.testsets.index import corpus_set
from snacbench.testsets.manifest import manifest_set
from snacbench.testsets.measured import with_known_measures
from snacbench.testsets.named import NAMED_SETS
from snacbench.testsets.records import Progress, Reading
from snacbench.testsets.roots import parse_roots, root_of
from snacbench.testsets.segments import MIN_LUFS, Draw, draw
from snacbench.testsets.testset import TestSet, choose
from snacbench.types import Domain


@dataclass(frozen=True)
class Choice:
    """Which clips of a set to use; what is None is as the set has it.

    Attributes
    ----------
    segments : int or None
        Draw this many segments per domain.
    segment_s : float or None
        Their length; without `segments`, cut every longer clip to one segment.
    seed : int
        Of the draw.
    min_lufs : float
        Quieter segments are not drawn.
    limit : int or None
        At most this many clips per domain.
    """

    segments: int | None = None
    segment_s: float | None = None
    seed: int = 0
    min_lufs: float = MIN_LUFS
    limit: int | None = None

    def check(self) -> None:
        """Refuse numbers that make no sense.

        Raises
        ------
        TestSetError
            If a count is below 1 or a length not above 0.
        """
        if self.segment_s is not None and self.segment_s <= 0:
            raise TestSetError(f"--segment-s must be above 0, found {self.segment_s}")
        for option, number in (("--limit", self.limit), ("--segments", self.segments)):
            if number is not None and number < 1:
                raise TestSetError(f"{option} must be 1 or more, found {number}")


def set_names() -> list[str]:
    """Every name that ``--data`` takes."""
    return [*NAMED_SETS, *COMPOSITE_SETS, *corpora()]


def open_test_set(
    data: str,
    *,
    domain: Domain = "unknown",
    root: Sequence[str] = (),
    reading: Reading = Reading(),  # noqa: B008 - immutable
) -> TestSet:
    """Open ``--data``: a named set, a known corpus, a manifest (.csv), or a folder of audio files.

    Parameters
    ----------
    data : str
    domain : str
        Domain of clips for which neither manifest nor folder names tell one.
    root : sequence of str
        Where the files lie: ``DIR`` or ``CORPUS=DIR``.
    reading : Reading

    Raises
    ------
    TestSetError
        If there is no such set, it is not on this disk, or it holds no audio.
    """
    roots = parse_roots(root)
    path = Path(data).expanduser()
    if data in COMPOSITE_SETS:
        return composite_set(COMPOSITE_SETS[data], roots, reading)
    if data in corpora():
        corpus = corpora()[data]
        return corpus_set(corpus, root_of(corpus, roots), reading=reading)
    if path.suffix.lower() == ".csv" and path.is_file():
        return manifest_set(path, domain=domain, roots=roots, reading=reading)
    if roots:
        raise TestSetError(
            f"--root goes with a known corpus or a manifest, not with --data {data}; "
            f"corpora are {', '.join([*COMPOSITE_SETS, *corpora()])}"
        )
    if data in NAMED_SETS:
        return NAMED_SETS[data].build()
    if path.is_dir():
        return folder_set(path, domain=domain, reading=reading)
    if path.is_file():
        raise TestSetError(
            f"--data {data} is a single file; expected a folder, a manifest (.csv) or one of "
            f"{', '.join(set_names())}"
        )
    raise TestSetError(
        f"--data {data}: no such folder, manifest or named set; {did_you_mean(data, set_names())}"
    )


def open_chosen(
    data: str,
    choice: Choice,
    *,
    domain: Domain = "unknown",
    root: Sequence[str] = (),
    progress: Progress | None = None,
) -> TestSet:
    """Open ``--data`` and choose: draw segments, or cut and limit clips.

    Raises
    ------
    TestSetError
        As `open_test_set`, or if a number makes no sense.
    """
    choice.check()
    test_set = open_test_set(data, domain=domain, root=root, reading=Reading(progress=progress))
    what = draw_of(data, choice)
    if what is None:
        chosen = choose(test_set, segment_s=choice.segment_s, limit=choice.limit)
    else:
        chosen = choose(draw(test_set, what, progress=progress), limit=choice.limit)
    return with_known_measures(chosen)


def draw_of(data: str, choice: Choice) -> Draw | None:
    """What to draw: as asked for, else as the set's authors draw; None: no segments are drawn."""
    usual = COMPOSITE_SETS[data].draw if data in COMPOSITE_SETS else None
    if choice.segments is None and usual is None:
        return None
    what = usual or Draw(segments=0)
    return replace(
        what,
        segments=choice.segments or what.segments,
        segment_s=choice.segment_s or what.segment_s,
        seed=choice.seed,
        min_lufs=choice.min_lufs,
    )
