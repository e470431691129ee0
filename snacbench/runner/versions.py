"""What computes each codec and each metric of a run: packages, versions, digests of plug-ins.

A run that is gone on with, or scored again, is computed by the same throughout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import packages_distributions, version

from snacbench.errors import StoreError
from snacbench.files import sha256_of_file
from snacbench.models import CodecModel
from snacbench.plugins import origin_of
from snacbench.rows import Run, Versions
from snacbench.runner.plan import PlannedCodec
from snacbench.runner.ready import asked
from snacbench.store.agree import METRIC_VERSION, first_difference
from snacbench.types import Metric

_SHOWN_DIGITS = 16


def versions_of_codecs(codecs: Iterable[PlannedCodec]) -> dict[str, dict[str, str]]:
    """What computes the models of these operating points, by model.

    Raises
    ------
    UserError
        If a codec cannot tell.
    """
    models = {codec.spec.model: codec.model for codec in codecs}
    return {name: _versions(model, name, model.requires) for name, model in models.items()}


def versions_of_metrics(metrics: Iterable[Metric]) -> dict[str, dict[str, str]]:
    """What computes these metrics, by name.

    Raises
    ------
    UserError
        If a metric cannot tell.
    """
    return {
        m.spec.name: {METRIC_VERSION: m.spec.version, **_versions(m, m.spec.name, m.spec.requires)}
        for m in metrics
    }


def check_versions(run: Run, *, codecs: Versions, metrics: Versions, place: str) -> None:
    """Refuse to go on with a run by other versions than it was begun with.

    Raises
    ------
    StoreError
        Names the codec or metric, both versions, and what to do.
    """
    found = first_difference(run.codec_versions, codecs) or first_difference(
        run.metric_versions, metrics
    )
    if found:
        name, package, then, now = found
        raise StoreError(
            f"{place} was made with another version than is here: {name} was computed by {package} "
            f"{then}, and here that is {now}; install what the run was made with, leave {name} "
            "out, or start a new run"
        )


def _versions(item: CodecModel | Metric, name: str, modules: Iterable[str]) -> dict[str, str]:
    origin = origin_of(item)
    versions = {origin.package: origin.version}
    if origin.module is not None:
        digest = sha256_of_file(origin.module)[:_SHOWN_DIGITS]
        versions[origin.module.name] = f"sha256 {digest}"
    for module in modules:
        versions |= {package: version(package) for package in _packages().get(module, ())}
    return versions | dict(asked(item.versions, name))


@cache
def _packages() -> Mapping[str, list[str]]:
    """Names of the packages that bring each module."""
    return packages_distributions()
