"""Finding codecs and metrics by name: modules of this package, and entry points of others.

A codec module declares ``MODELS`` (and ``FAMILY``), a metric module ``METRICS``. Another package
adds its own through the entry-point groups ``snacbench.codecs`` and ``snacbench.metrics``, whose
values name such modules.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import Literal

from snacbench.errors import UnknownName, UnknownPoint, did_you_mean
from snacbench.types import CodecFamily, CodecModel, CodecSpec, Metric

RATE_TOLERANCE = 0.05
_POINT_ITEM = re.compile(r"[\d.+-]+(kbps|khz|db|q)?$", re.IGNORECASE)


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


def split_selectors(text: str) -> list[str]:
    """Split ``dac-44khz@2.67,8,opus`` into ``dac-44khz@2.67``, ``dac-44khz@8`` and ``opus``.

    A number after a comma continues the rates of the codec before it.
    """
    selectors: list[str] = []
    head = ""
    for item in filter(None, (part.strip() for part in text.split(","))):
        if "@" in item:
            head = item.partition("@")[0]
            selectors.append(item)
        elif head and _POINT_ITEM.match(item):
            selectors.append(f"{head}@{item}")
        else:
            head = ""
            selectors.append(item)
    return selectors


def select(
    text: str, *, families: Literal["published", "embedded"] = "published"
) -> tuple[tuple[CodecModel, CodecSpec], ...]:
    """Operating points that a list of selectors names, without repeats, in the order asked for.

    A selector is a family (``dac``: its usual points, of published or embedded models), a model
    (``dac-44khz``), a model with a rate or number of codebooks (``dac-44khz@2.67`` or
    ``dac-44khz@3q``), or the beginning of model names (``snac-``). An exact name beats a prefix.

    Raises
    ------
    UnknownName
        If nothing has that name.
    UnknownPoint
        If the model has no operating point within 5 % of the rate.
    """
    chosen: dict[str, tuple[CodecModel, CodecSpec]] = {}
    for selector in split_selectors(text):
        for model, spec in _expand(selector, families):
            chosen.setdefault(spec.name, (model, spec))
    if not chosen:
        raise UnknownName(
            f"no codec named; there are: {', '.join([*codec_families(), *codec_models()])}"
        )
    return tuple(chosen.values())


def family_models(text: str) -> tuple[CodecModel, ...]:
    """Published models that bare family names in a selector list would need weights of."""
    names = {s.partition("@")[0] for s in split_selectors(text)} - codec_models().keys()
    families = (codec_families()[name] for name in sorted(names & codec_families().keys()))
    models = {
        model.name: model
        for family in families
        if family.embedded
        for model, _ in select(family.published)
    }
    return tuple(models.values())


def _expand(
    selector: str, families: Literal["published", "embedded"]
) -> Iterator[tuple[CodecModel, CodecSpec]]:
    name, at, point = selector.partition("@")
    model = codec_models().get(name)
    if model is not None:
        yield from ((model, spec) for spec in _points(model, point if at else None))
        return
    family = codec_families().get(name)
    if family is not None:
        listed = (families == "embedded" and family.embedded) or family.published
        if not at:
            yield from select(listed, families=families)
            return
        # A rate after a family name is asked of the model that the family stands for.
        representative = split_selectors(listed)[0].partition("@")[0]
        yield from _expand(f"{representative}@{point}", families)
        return
    matches = [m for key, m in codec_models().items() if name and key.startswith(name)]
    if not matches:
        known = [*codec_families(), *codec_models()]
        raise UnknownName(f"no codec named {name!r}; {did_you_mean(name, known)}")
    for match in matches:
        yield from ((match, spec) for spec in _points(match, point if at else None))


def _points(model: CodecModel, point: str | None) -> Iterator[CodecSpec]:
    if point is None:
        yield from (spec for spec in model.points if spec.name in model.default)
        return
    exact = [s for s in model.points if s.name.partition("@")[2].lower() == point.lower()]
    if exact:
        yield exact[0]
    else:
        yield model.free_point(point) if model.free_point else _nearest(model, point)


def _nearest(model: CodecModel, point: str) -> CodecSpec:
    """The listed operating point that a rate (``2.67``) or a depth (``3q``) means."""
    meant = re.fullmatch(r"(\d+(?:\.\d+)?)(kbps|q)?", point.lower())
    if meant and meant[2] == "q":
        fitting = [spec for spec in model.points if str(len(spec.streams)) == meant[1]]
    elif meant:
        kbps = float(meant[1])
        fitting = sorted(
            (s for s in model.points if _misses(s, kbps) <= RATE_TOLERANCE * kbps),
            key=lambda spec: _misses(spec, kbps),
        )
    else:
        fitting = []
    if not fitting and len(model.points) == 1:
        raise UnknownPoint(f"{model.name} has one operating point; write {model.name}")
    if not fitting:
        rates = ", ".join(f"{s.nominal_kbps:.3g}" for s in model.points if s.nominal_kbps)
        raise UnknownPoint(
            f"{model.name} has no operating point within 5 % of {point!r}; it works at "
            f"{rates} kbps, or write a number of codebooks as "
            f"{model.name}@{len(model.points[-1].streams)}q"
        )
    return fitting[0]


def _misses(spec: CodecSpec, kbps: float) -> float:
    return abs(spec.nominal_kbps - kbps) if spec.nominal_kbps is not None else float("inf")
