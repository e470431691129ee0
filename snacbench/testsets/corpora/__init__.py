"""Known corpora, one file each: how a local copy is laid out, and what each file is."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

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
    return dict(sorted((corpus.name, corpus) for module in modules for corpus in _of(module)))


def _of(module: ModuleType) -> tuple[Corpus, ...]:
    several: tuple[Corpus, ...] | None = getattr(module, "CORPORA", None)
    return several if several is not None else (module.CORPUS,)
