"""Known corpora, one file each: how a local copy is laid out, and what each file is."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from snacbench.testsets.corpora.corpus import Corpus

_NOT_A_CORPUS = {"corpus"}


@cache
def corpora() -> dict[str, Corpus]:
    """Every known corpus by name, in alphabetical order."""
    names = (info.name for info in pkgutil.iter_modules(__path__))
    modules = (
        importlib.import_module(f"{__name__}.{name}")
        for name in names
        if name not in _NOT_A_CORPUS and not name.startswith("_")
    )
    return dict(sorted((module.CORPUS.name, module.CORPUS) for module in modules))
