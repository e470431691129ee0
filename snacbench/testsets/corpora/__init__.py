"""Known corpora, one file each: how a local copy is laid out, and what each file is."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from snacbench.testsets.corpora.corpus import Corpus


@cache
def corpora() -> dict[str, Corpus]:
    """Every known corpus by name: what the files here declare as ``CORPUS`` or ``CORPORA``."""
    found: list[Corpus] = []
    for info in pkgutil.iter_modules(__path__):
        if info.name != "corpus":
            module = importlib.import_module(f"{__name__}.{info.name}")
            found += getattr(module, "CORPORA", None) or (module.CORPUS,)
    return {corpus.name: corpus for corpus in sorted(found, key=lambda corpus: corpus.name)}
