"""Sets that papers are written on: several corpora, and how segments are drawn from them."""

from __future__ import annotations

from dataclasses import dataclass

from snacbench.testsets.corpora import corpora
from snacbench.testsets.index import corpus_set, joined
from snacbench.testsets.records import Reading
from snacbench.testsets.roots import Roots, root_of
from snacbench.testsets.segments import Draw
from snacbench.testsets.testset import TestSet


@dataclass(frozen=True)
class CompositeSet:
    """A set of corpora that ``--data NAME`` opens together.

    Attributes
    ----------
    name, summary, citation : str
    parts : tuple of str
        Names of the corpora.
    draw : Draw
        How its authors draw segments; options of the command line change single numbers.
    """

    name: str
    summary: str
    citation: str
    parts: tuple[str, ...]
    draw: Draw


COMPOSITE_SETS = {
    entry.name: entry
    for entry in (
        CompositeSet(
            "dac-table3",
            "DAC paper, table 3: 1,000 segments of 10 s from each of DAPS (F10, M10), "
            "MUSDB18-HQ test, AudioSet eval",
            "R. Kumar et al., High-Fidelity Audio Compression with Improved RVQGAN, 2023",
            ("daps", "musdb18-hq", "audioset"),
            Draw(segments=1000, segment_s=10.0),
        ),
    )
}


def composite_set(
    which: CompositeSet,
    roots: Roots,
    reading: Reading = Reading(),  # noqa: B008 - immutable
) -> TestSet:
    """The files of all its corpora, before segments are drawn.

    Raises
    ------
    TestSetError
        If the folder of a corpus is not known or does not hold it.
    """
    known = {name: corpora()[name] for name in which.parts}
    # Every root first: a missing one is said before an hour of hashing, not after it.
    found = {name: root_of(corpus, roots, alone=False) for name, corpus in known.items()}
    return joined(
        which.name,
        [corpus_set(known[n], found[n], reading=reading) for n in which.parts],
    )
