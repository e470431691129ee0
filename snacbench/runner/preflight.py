"""What a request needs that is not on this machine, all of it at once.

A plan ends at the first thing that is missing. Who starts a recipe on a new machine wants the whole
list: three corpora, weights of two hosts and a package are otherwise six attempts.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

from snacbench.errors import TestSetError
from snacbench.models import CodecModel
from snacbench.runner.plan import Request
from snacbench.selectors import select
from snacbench.testsets.corpora import corpora
from snacbench.testsets.opening import COMPOSITE_SETS
from snacbench.testsets.roots import parse_roots, root_of
from snacbench.weights.policy import absent, parse_policy


def missing(request: Request) -> list[str]:
    """Corpora, weights and packages that are not at hand, each with where to get it."""
    policy = parse_policy(request.weights, offline=request.offline)
    families = "embedded" if policy.base == "embedded" else "published"
    chosen = select(request.codecs, families=families)  # type: ignore[arg-type]
    models = list({model.name: model for model, _ in chosen}.values())
    weights = (f"weights: {text}" for text in absent(models, policy))
    return [*_corpora(request), *weights, *_extras(models)]


def _corpora(request: Request) -> Iterator[str]:
    composite = COMPOSITE_SETS.get(request.data)
    names = composite.parts if composite else (request.data,)
    for name in names:
        if name in corpora():
            try:
                root_of(corpora()[name], parse_roots(request.root), alone=composite is None)
            except TestSetError as error:
                yield f"data: {error}"


def _extras(models: list[CodecModel]) -> Iterator[str]:
    for model in models:
        for package in model.requires:
            if importlib.util.find_spec(package) is None:
                yield (
                    f"package: {model.name} needs {package!r}; run pip install "
                    f"'.[{package}]' in snacbench's checkout"
                )
