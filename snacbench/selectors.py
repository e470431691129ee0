"""From what a user writes after ``--codecs`` to models and operating points."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Literal

from snacbench.errors import UnknownName, UnknownPoint, UserError, did_you_mean
from snacbench.models import CodecModel
from snacbench.plugins import (
    codec_families,
    codec_models,
    codec_openers,
    left_out,
    models_in_file,
    wrong_point,
)
from snacbench.types import CodecSpec

_POINT_ITEM = re.compile(r"([\d.+-]+(e-?\d+)?[a-z%]*|full)$", re.IGNORECASE)
_RATE_ITEM = re.compile(r"\d+(?:\.\d+)?(?:kbps)?", re.IGNORECASE)
_OWN = re.compile(  # NAME=PREFIX:PATH or NAME=FILE.py
    r"(?:(?P<name>[^=:/@]+)=)?(?:(?P<prefix>[A-Za-z][\w-]*):(?P<path>.+)|(?P<file>[^:=]+\.py))"
)
_NAME = re.compile(r"[\w.+-]+")


def split_selectors(text: str) -> list[str]:
    """Split ``dac-44khz@2.67,8,opus`` into ``dac-44khz@2.67``, ``dac-44khz@8`` and ``opus``.

    A number after a comma, or ``full``, continues the rates of the codec before it.
    """
    selectors: list[str] = []
    head = ""
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, point = _split_point(item)
        if point is None and head and _POINT_ITEM.match(item):
            selectors.append(f"{head}@{item}")
        else:
            head = name if point is not None else ""
            selectors.append(item)
    return selectors


def _split_point(selector: str) -> tuple[str, str | None]:
    """``opus@14`` as (``opus``, ``14``); without a point, None. A path may hold an @ of its own."""
    name, at, point = selector.rpartition("@")
    if not at or (_OWN.fullmatch(selector) and not _POINT_ITEM.match(point)):
        return selector, None
    return name, point


def with_absolute_paths(text: str) -> str:
    """The same selectors, their paths absolute: a run is resumed from any folder."""
    selectors = []
    for selector in split_selectors(text):
        own = _split_point(selector)[0]
        found = _OWN.fullmatch(own)
        path = (found["path"] or found["file"]) if found else ""
        absolute = f"{Path(path).expanduser().absolute()}" if found else ""
        selectors.append(f"{own.removesuffix(path)}{absolute}{selector.removeprefix(own)}")
    return ",".join(selectors)


def model_named(selector: str) -> CodecModel:
    """The model that `CodecModel.selector` or a registered name stands for."""
    return codec_models().get(selector) or _opened(selector)[0]


@cache
def _opened(selector: str) -> tuple[CodecModel, ...]:
    """What lies at the path of ``[NAME=]PREFIX:PATH``, or is declared in ``[NAME=]FILE.py``."""
    # Raises `UnknownName` if nothing opens such a path; `UserError` if there is nothing at the
    # path, or the name is taken or not a name.
    found = _OWN.fullmatch(selector)
    assert found, selector
    name, prefix = found["name"] or "", found["prefix"]
    if prefix and prefix not in codec_openers():
        opened = "; ".join(f"{o.prefix}:PATH opens {o.summary}" for o in codec_openers().values())
        raise UnknownName(f"{selector}: nothing opens {prefix}:PATH; {opened}{left_out('codecs')}")
    path = Path(found["path"] or found["file"]).expanduser().absolute()
    if not path.exists():
        raise UserError(f"{selector}: there is no file or folder {path}")
    if name and not _NAME.fullmatch(name):
        raise UserError(f"{selector}: {name!r} is no name; use letters, digits and . _ + -")
    if prefix:
        model = codec_openers()[prefix].open(path, name)
        # A worker opens the file that was found here, whatever a training run adds to its folder.
        own = model.source is not None and model.source.host == "own"
        place = f"{prefix}:{model.source.repository if own and model.source else path}"
        models = [model]
    else:
        place, models = str(path), list(models_in_file(path))
        if name:
            names = ", ".join(model.name for model in models)
            models = [model for model in models if model.name == name]
            if not models:
                raise UserError(f"{selector}: {path} declares no codec {name}; there are: {names}")
    for model in models:
        if model.name in codec_models() or model.name in codec_families():
            raise UserError(
                f"{selector}: {model.name} is the name of a codec that snacbench knows; give yours "
                f"another one: {f'NAME={prefix}:' if prefix else 'name= in '}{path}"
            )
    return tuple(replace(model, selector=f"{model.name}={place}") for model in models)


def select(
    text: str, *, families: Literal["published", "embedded"] = "published"
) -> tuple[tuple[CodecModel, CodecSpec], ...]:
    """Operating points that a list of selectors names, without repeats, in the order asked for.

    A selector is a family (``dac``: its usual points, of published or embedded models), a model
    (``dac-44khz``), a model with a rate or number of codebooks (``dac-44khz@2.67``,
    ``dac-44khz@3q``, ``dac-44khz@full``), the beginning of model names (``snac-``), or a model of
    one's own (``NAME=dac:PATH``, ``my_codec.py``), with points as for any model. An exact name
    beats a prefix. Raises `UnknownName` if nothing has that name; `UnknownPoint` if the model has
    no operating point within 5 % of the rate; `UserError` if two models have the same name, a point
    has another model's, or a path leads nowhere.
    """
    chosen: dict[str, tuple[CodecModel, CodecSpec]] = {}
    named: dict[str, CodecModel] = {}
    for selector in split_selectors(text):
        for model, spec in _expand(selector, families):
            if wrong := wrong_point(model, spec):
                raise UserError(f"{selector} cannot be used: {wrong}; ask who made {model.name}")
            chosen.setdefault(spec.name, (model, spec))
            other = named.setdefault(model.name, model)
            if other.selector != model.selector:
                raise UserError(
                    f"{other.selector} and {model.selector} have the same name; give one of them "
                    "another: NAME=PREFIX:PATH"
                )
    if not chosen:
        why = f"no codec named; there are: {', '.join([*codec_families(), *codec_models()])}"
        raise UnknownName(why)
    return tuple(chosen.values())


def among(specs: Sequence[CodecSpec], text: str) -> list[CodecSpec]:
    """Those of some operating points, such as a run's, that a list of selectors names.

    A selector is a name, a model, a family, a pattern (``*-mini@*``), the beginning of names, or a
    model or family with a rate or a number of codebooks: ``opus@14``. Points under a condition are
    those of selectors that end in it: ``opus+loss@5%``, ``*+loss@*``. Raises `UnknownName` if one
    of them names none.
    """
    chosen: dict[str, CodecSpec] = {}
    for selector in split_selectors(text):
        named = [spec for spec in specs if spec.name == selector] or [
            spec for spec in specs if _is_named(spec, selector)
        ]
        if not named:
            names = [spec.name for spec in specs]
            raise UnknownName(f"no codec named {selector!r}; {did_you_mean(selector, names)}")
        chosen.update({spec.name: spec for spec in named})
    return list(chosen.values())


def _is_named(spec: CodecSpec, selector: str) -> bool:
    if spec.condition:
        base = spec.without_condition
        ends = [found.start() for found in re.finditer(r"\+", selector)]
        return any(
            fnmatch(spec.condition, selector[end + 1 :]) and _is_named(base, selector[:end])
            for end in ends
        )
    name, point = _split_point(selector)
    of_its_model = name in (spec.model, spec.family)
    if point is None or "*" in point:
        return of_its_model or fnmatch(spec.name, selector) or spec.name.startswith(selector)
    label = spec.name.partition("@")[2].lower()
    labels = (label, re.sub("[a-z]+$", "", label))
    return of_its_model and (point.lower() in labels or bool(_near([spec], point)))


def family_models(text: str) -> tuple[CodecModel, ...]:
    """Published models that bare family names in a selector list would need weights of."""
    names = {_split_point(s)[0] for s in split_selectors(text)} - codec_models().keys()
    families = (codec_families()[name] for name in sorted(names & codec_families().keys()))
    selected = [select(family.published) for family in families if family.embedded]
    return tuple({model.name: model for points in selected for model, _ in points}.values())


def _expand(
    selector: str, families: Literal["published", "embedded"]
) -> Iterator[tuple[CodecModel, CodecSpec]]:
    name, point = _split_point(selector)
    models: Sequence[CodecModel]
    if _OWN.fullmatch(name):
        models = _opened(name)
    elif known := codec_models().get(name):
        models = [known]
    elif family := codec_families().get(name):
        listed = (families == "embedded" and family.embedded) or family.published
        if point is None:
            yield from select(listed, families=families)
        else:  # a rate after a family name is asked of the model that the family stands for
            representative, _ = _split_point(split_selectors(listed)[0])
            yield from _expand(f"{representative}@{point}", families)
        return
    else:
        models = [m for key, m in codec_models().items() if name and key.startswith(name)]
        if not models:
            names = [*codec_families(), *codec_models()]
            text = f"no codec named {name!r}; {did_you_mean(name, names)}{left_out('codecs')}"
            raise UnknownName(text)
    for model in models:
        yield from ((model, spec) for spec in _points(model, point))


def _points(model: CodecModel, point: str | None) -> list[CodecSpec]:
    if point is None:
        return [spec for spec in model.points if spec.name in model.default]
    if point.lower() == "full" and model.points and model.points[-1].streams:
        return [model.points[-1]]
    exact = [s for s in model.points if s.name.partition("@")[2].lower() == point.lower()]
    if not exact and model.free_point:
        return [model.free_point(point)]
    if found := exact or _near(model.points, point):
        return found[:1]
    if len(model.points) == 1:
        raise UnknownPoint(f"{model.name} has one operating point; write {model.name}")
    rates = ", ".join(f"{s.nominal_kbps:.3g}" for s in model.points if s.nominal_kbps)
    raise UnknownPoint(
        f"{model.name} has no operating point within 5 % of {point!r}; it works at {rates} kbps, "
        f"or write a number of codebooks as {model.name}@{len(model.points[-1].streams)}q"
    )


def _near(specs: Sequence[CodecSpec], point: str) -> list[CodecSpec]:
    """Those of some points that a depth (``3q``) or a rate (``2.67``) means, the nearest first."""
    if depth := re.fullmatch(r"(\d+)q", point.lower()):
        return [spec for spec in specs if str(len(spec.streams)) == depth[1]]
    if not _RATE_ITEM.fullmatch(point):
        return []
    kbps = float(point.lower().removesuffix("kbps"))
    misses = [(abs(s.nominal_kbps - kbps), s) for s in specs if s.nominal_kbps is not None]
    misses.sort(key=lambda pair: pair[0])
    return [spec for miss, spec in misses if miss <= 0.05 * kbps]
