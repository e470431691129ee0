"""Known corpora, one file each: how a local copy is laid out, and what each file is."""

from snacbench.plugins import declared
from snacbench.testsets.corpora.corpus import Corpus


def corpora() -> dict[str, Corpus]:
    """Every known corpus by name, in alphabetical order."""
    return dict(sorted(declared("corpora", Corpus).items()))
