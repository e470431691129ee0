"""Metrics that run a published model: its weights found and checked, loaded once per process.

A run says where weights are by ``--weights MODEL=DIR`` (or a folder that holds them); else they are
fetched from their host, checked and locked, as those of codecs are.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from snacbench.errors import SnacbenchError, WeightsMismatch
from snacbench.metrics._guards import guarded
from snacbench.models import MetricModel
from snacbench.packages import missing_package
from snacbench.types import NO_OPTIONS, Audio, Embeddings, Metric, MetricOptions, MetricSpec
from snacbench.weights.of_metrics import NETWORKS, digests_of, located

Files = Mapping[str, Path]
Load = Callable[[Files], Any]
Compare = Callable[[Audio], float]


def learned(  # noqa: PLR0913 - keyword-only rules of one metric
    spec: MetricSpec,
    model: MetricModel,
    load: Load,
    prepare: Callable[[Any, Audio], Compare | Embeddings],
    *,
    checked: Callable[..., Metric] = guarded,
    options: MetricOptions = NO_OPTIONS,
    **rules: Any,
) -> Metric:
    """A metric of the network that `load` makes of a model's files, by their published names.

    `prepare` takes the network and an accepted reference and returns what scores one degraded
    signal after another, as in `guarded`; of a set-level metric, which is `checked` by `set_level`,
    it takes any signal and returns embeddings. `rules` are those of `checked`.
    """

    def prepared(reference: Audio) -> Compare | Embeddings:
        return prepare(network(model, load, options), reference)

    again = partial(learned, spec, model, load, prepare, checked=checked, **rules)
    return replace(
        checked(
            spec, prepared, lambda: {model.name: digests_of(located(model, options).info)}, **rules
        ),
        ready=lambda: network(model, load, options),  # before hours of coding
        options=options, configure=lambda options: again(options=options), models=(model.name,),
    )  # fmt: skip


@cache
def tensor_names(of: str) -> list[tuple[str, str]]:
    """How the tensors of a published file are renamed, replacement after replacement."""
    import yaml  # here: lists of metrics read none

    told = yaml.safe_load(Path(__file__).with_name("tensor_names.yaml").read_text("utf-8"))
    return [(theirs, ours) for theirs, ours in told[of]]


def network(model: MetricModel, load: Load, options: MetricOptions) -> Any:
    """What `load` makes of a model's files, kept in this process until they are others.

    Raises `WeightsMismatch` if they are no files of that model, and as `located`.
    """
    found = located(model, options)
    before, made = NETWORKS.get((model.name, load), (None, None))
    if before == found:
        return made
    try:
        made = load(found.files)
    except SnacbenchError:
        raise
    except Exception as error:
        if missing := missing_package(error):
            raise missing from error
        paths, why = ", ".join(map(str, found.files.values())), " ".join(str(error).split())
        raise WeightsMismatch(
            f"{paths} cannot be loaded as {model.name}: expected the published file, found "
            f"{type(error).__name__}: {why:.300}"
        ) from error
    NETWORKS[model.name, load] = found, made
    return made
