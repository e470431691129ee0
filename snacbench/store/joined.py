"""The provenance of a merged run: what the parts share once, what differs by part."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from snacbench.errors import StoreError
from snacbench.rows import Run
from snacbench.types import CodecSpec, MetricSpec, WeightsInfo

Spec = TypeVar("Spec", CodecSpec, MetricSpec)


def joined_run(runs: Sequence[Run], names: Sequence[str]) -> Run:
    """How a run of several parts was made.

    Raises
    ------
    StoreError
        If a codec or metric of one name is not the same one in all parts; `names` tell the parts.
    """
    codecs = _union([run.codecs for run in runs], names)
    recipe: dict[str, Any] = dict(runs[0].recipe)
    recipe["codecs"] = ",".join(dict.fromkeys(str(run.recipe.get("codecs", "")) for run in runs))
    recipe["merged"] = [run.id for run in runs]
    return replace(
        runs[0],
        id=uuid.uuid4().hex[:12],
        started_utc=min(run.started_utc for run in runs),
        snacbench_version=_once([run.snacbench_version for run in runs]),
        recipe=recipe,
        device=_once([run.device for run in runs]),
        codecs=codecs,
        metrics=_union([run.metrics for run in runs], names),
        codec_versions={k: v for run in runs for k, v in run.codec_versions.items()},
        metric_versions={k: v for run in runs for k, v in run.metric_versions.items()},
        packages=_by_part([run.packages for run in runs]),
        facts=_by_part([run.facts for run in runs]),
        machine=_by_part([run.machine for run in runs]),
    )


def _union(parts: Sequence[tuple[Spec, ...]], names: Sequence[str]) -> tuple[Spec, ...]:
    """Every spec once, in the order of the parts."""
    found: dict[str, tuple[Spec, str]] = {}
    for part, name in zip(parts, names, strict=True):
        for spec in part:
            known, where = found.setdefault(spec.name, (spec, name))
            if _essence(known) != _essence(spec):
                raise StoreError(
                    f"{where} and {name} cannot be merged: {spec.name} is not the same in both "
                    f"({_first_difference(known, spec)})"
                )
    return tuple(spec for spec, _ in found.values())


def _essence(spec: Spec) -> dict[str, Any]:
    """What of a spec must agree: its weights' content, not where they lay."""
    if isinstance(spec, CodecSpec):
        return {**vars(spec), "weights": WeightsInfo(sha256=spec.weights.sha256)}
    return dict(vars(spec))


def _first_difference(one: Spec, other: Spec) -> str:
    first, second = _essence(one), _essence(other)
    field = next(name for name in first if first[name] != second[name])
    return f"{field}: {first[field]!s:.80} and {second[field]!s:.80}"


def _once(texts: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(texts))


def _by_part(parts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What all parts share as it is, what differs with the number of its part."""
    joined: dict[str, str] = {}
    for key in dict.fromkeys(key for part in parts for key in part):
        values = [part.get(key) for part in parts]
        if len(set(values)) == 1:
            joined[key] = str(values[0])
        else:
            joined[key] = "; ".join(
                f"{value} (part {number})"
                for number, value in enumerate(values, start=1)
                if value is not None
            )
    return joined
