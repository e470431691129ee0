"""Finding codecs and metrics by name: modules of this package, and entry points of others.

A codec module declares ``MODELS`` (and ``FAMILY``, ``OPENER``), a metric module ``METRICS``.
Another package adds its own through the entry-point groups ``snacbench.codecs`` and
``snacbench.metrics``, whose values name such modules. `selectors` turns what a user writes into
models and operating points.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import Literal

from snacbench.errors import UnknownName, did_you_mean
from snacbench.models import CodecFamily, CodecModel, CodecOpener
from snacbench.types import Metric


@cache
def codec_models() -> dict[str, CodecModel]:
    """Every discovered codec model by name, in alphabetical order."""
    found = {m.name: m for module in _modules("codecs") for m in getattr(module, "MODELS", ())}
    return dict(sorted(found.items()))


@cache
def codec_families() -> dict[str, CodecFamily]:
    """Families for which a bare name stands for a chosen list of operating points."""
    families = (getattr(module, "FAMILY", None) for module in _modules("codecs"))
    return {family.name: family for family in families if family is not None}


@cache
def codec_openers() -> dict[str, CodecOpener]:
    """Ways to make a codec of a path (``dac:runs/latest``), by prefix."""
    openers = (getattr(module, "OPENER", None) for module in _modules("codecs"))
    return {opener.prefix: opener for opener in openers if opener is not None}


@cache
def metrics() -> dict[str, Metric]:
    """Every discovered metric by name, in alphabetical order."""
    found = {m.spec.name: m for mod in _modules("metrics") for m in getattr(mod, "METRICS", ())}
    return dict(sorted(found.items()))


def _modules(kind: Literal["codecs", "metrics"]) -> Iterator[ModuleType]:
    package = importlib.import_module(f"snacbench.{kind}")
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        if not info.name.startswith("_"):
            yield importlib.import_module(f"{package.__name__}.{info.name}")
    for entry in sorted(entry_points(group=f"snacbench.{kind}"), key=lambda entry: entry.name):
        yield entry.load()


def select_metrics(names: Sequence[str]) -> tuple[Metric, ...]:
    """Metrics by name, in the order asked for; none named: the default set.

    Raises
    ------
    UnknownName
        If there is no metric of that name.
    """
    known = metrics()
    if not names:
        return tuple(metric for metric in known.values() if metric.spec.default)
    for name in names:
        if name not in known:
            raise UnknownName(f"no metric named {name!r}; {did_you_mean(name, known)}")
    return tuple(known[name] for name in dict.fromkeys(names))
