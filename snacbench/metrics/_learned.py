"""Metrics that run a published model: its weights found and checked, loaded once per process.

A run says where weights are by ``--weights MODEL=DIR`` (or a folder that holds them); else they are
fetched from their host, checked and locked, as those of codecs are. Weights of which it is known
that they are not the published ones get no score under the published model's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from snacbench.errors import WeightsMismatch
from snacbench.metrics._guards import guarded, versions_of
from snacbench.models import LocatedWeights, MetricModel
from snacbench.types import NO_OPTIONS, Audio, Metric, MetricOptions, MetricSpec
from snacbench.weights.locate import items, locate
from snacbench.weights.policy import WeightsPolicy, parse_policy

_SHOWN_DIGITS = 16

Files = Mapping[str, Path]
Compare = Callable[[Audio], float]


def learned(  # noqa: PLR0913 - keyword-only rules of one metric
    spec: MetricSpec,
    model: MetricModel,
    load: Callable[[Files], Any],
    prepare: Callable[[Any, Audio], Compare],
    *,
    packages: tuple[str, ...] = (),
    min_s: float = 0.0,
    min_degraded_s: float = 0.0,
    options: MetricOptions = NO_OPTIONS,
) -> Metric:
    """A metric of the network that `load` makes of a model's files, by their published names.

    `prepare` takes the network and an accepted reference and returns what scores one degraded
    signal after another, as in `guarded`. `packages` are what computes it, for the record.
    """

    def prepared(reference: Audio) -> Compare:
        return prepare(network(model, load, options), reference)

    def versions() -> Mapping[str, str]:
        return {**versions_of(*packages)(), model.name: described(model, options)}

    metric = guarded(spec, prepared, versions, min_s=min_s, min_degraded_s=min_degraded_s)

    def configure(options: MetricOptions) -> Metric:
        return learned(
            spec,
            model,
            load,
            prepare,
            packages=packages,
            min_s=min_s,
            min_degraded_s=min_degraded_s,
            options=options,
        )

    def ready() -> None:
        located(model, options)

    return replace(metric, ready=ready, options=options, configure=configure)


@cache
def network(model: MetricModel, load: Callable[[Files], Any], options: MetricOptions) -> Any:
    """What `load` makes of a model's files, once per process."""
    return load(located(model, options).files)


@cache
def located(model: MetricModel, options: MetricOptions) -> LocatedWeights:
    """A model's files: in a folder that the options name, else published.

    Raises `WeightsUnavailable` if they cannot be had, `WeightsMismatch` if they are not the
    published ones.
    """
    policy = parse_policy(options.weights, offline=options.offline)
    elsewhere = isinstance(policy.base, Path) and not all(i.path for i in items(model, policy))
    if elsewhere or not isinstance(policy.base, Path):  # a folder for the run's codecs
        policy = WeightsPolicy("published", policy.folders, policy.offline)
    found = locate(model, policy)
    assert found is not None, model.name  # metric models have weights
    if found.info.verified is False:
        raise WeightsMismatch(
            f"{found.info.origin} holds other weights than the published {model.name}; a score of "
            f"theirs would pass for its. Give the published files, or leave the metric out"
        )
    return found


def described(model: MetricModel, options: MetricOptions) -> str:
    """Which files a model's scores come from, for the record of a run."""
    info = located(model, options).info
    digests = ", ".join(f"{name} sha256 {d[:_SHOWN_DIGITS]}" for name, d in info.sha256.items())
    known = "" if info.verified else ", not compared with the published ones"
    where = f"{info.origin} at {info.revision}" if info.source == "published" else info.source
    return f"{where}, {digests}{known}"
