"""The models that metrics run: where a run's options say that their files are, found and checked.

Weights of which it is known that they are not the published ones are refused: a score of theirs
would pass for the published model's.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from snacbench.errors import WeightsMismatch
from snacbench.models import LocatedWeights, MetricModel
from snacbench.progress import Progress
from snacbench.types import NO_OPTIONS, MetricOptions, WeightsInfo
from snacbench.weights.policy import Copy, WeightsPolicy, absent, copies, folder_for, parse_policy

_found: dict[str, tuple[object, LocatedWeights]] = {}
# What a process has made of models' files, by model and loader, until they are others.
NETWORKS: dict[tuple[str, Callable[..., Any]], tuple[LocatedWeights, Any]] = {}


def policy_for(model: MetricModel, options: MetricOptions) -> WeightsPolicy:
    """Where a model is looked for: the folder named for it, or one that holds it, else published.

    A folder for the codecs of a run need not hold the models of its metrics.
    """
    policy = parse_policy(options.weights, offline=options.offline)
    if isinstance(policy.base, Path) and all(_copies(model, policy)):
        return policy
    return WeightsPolicy("published", policy.folders, policy.offline)


def located(
    model: MetricModel, options: MetricOptions, progress: Progress | None = None
) -> LocatedWeights:
    """A model's files, which are read again whenever they are others, or were written since.

    Raises `WeightsUnavailable` if they cannot be had, `WeightsMismatch` if they are not the
    published ones, or not those that the options say the run has recorded.
    """
    from snacbench.weights.locate import locate  # here: who only lists metrics reads no lock file

    policy = policy_for(model, options)
    before, found = _found.get(model.name, (None, None))
    if found is None or before != _state(model, policy):
        found = locate(model, policy, progress)
        assert found is not None, model.name  # metric models have weights
        if found.info.verified is False:
            raise WeightsMismatch(
                f"{found.info.origin} holds other weights than the published {model.name}: "
                f"{digests_of(found.info)}. A score of theirs would pass for its; give the "
                "published files, or leave the metric out"
            )
        _found[model.name] = _state(model, policy), found
    recorded, now = dict(options.recorded).get(model.name), digests_of(found.info)
    if recorded and recorded != now:
        raise WeightsMismatch(
            f"the weights of {model.name} have changed since the run began: it was begun with "
            f"{recorded}, and {found.info.origin} has {now}; put those back, or start a new run"
        )
    return found


def _state(model: MetricModel, policy: WeightsPolicy) -> object:
    """What tells without reading them whether files are still those that were read."""
    from snacbench.weights.lock import known_files

    here = [(copy, copy.path.stat()) for found in _copies(model, policy) for copy in found]
    return [(copy, s.st_size, s.st_mtime_ns) for copy, s in here], known_files(model)


def _copies(model: MetricModel, policy: WeightsPolicy) -> list[list[Copy]]:
    return [copies(model, file, policy) for file in model.source.files]


def digests_of(info: WeightsInfo) -> str:
    """Which files scores come from, wherever they lie: what two runs must have in common."""
    return ", ".join(f"{name} sha256 {d[:16]}" for name, d in info.sha256.items())


def absent_models(
    models: Iterable[MetricModel], options: MetricOptions = NO_OPTIONS
) -> Iterator[str]:
    """What of metrics cannot be had here and now, as `absent` says it of codecs."""
    policies = {model: policy_for(model, options) for model in models}
    published = [model for model, policy in policies.items() if not folder_for(model, policy)]
    yield from absent(published, WeightsPolicy("published", offline=options.offline))
