"""Weights that a request needs and that cannot be had here and now, without fetching any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from snacbench.download import offline
from snacbench.models import CodecModel
from snacbench.weights.caches import at_hand
from snacbench.weights.hosts import host_address, reachable
from snacbench.weights.locate import folder_for, how_to_name_a_folder
from snacbench.weights.policy import DECISION_SECONDS, WeightsPolicy


def absent(models: Sequence[CodecModel], policy: WeightsPolicy) -> Iterator[str]:
    """What cannot be had, one sentence per folder that nobody named and per silent host.

    The hosts of weights that are not on this disk are asked, for 8 s at most.
    """
    yield from _folders(models, policy)
    yield from _hosts(models, policy)


def _folders(models: Sequence[CodecModel], policy: WeightsPolicy) -> Iterator[str]:
    """Models that only the user has."""
    for model in models:
        source = model.source
        if source and source.host == "folder" and folder_for(model, source, policy) is None:
            yield how_to_name_a_folder(model, source)


def _hosts(models: Sequence[CodecModel], policy: WeightsPolicy) -> Iterator[str]:
    """Published models that are neither on this disk nor to be had now."""
    published = ("hub", "github", "cdn")
    lacking = {
        model.name: host_address(model.source)
        for model in models
        if model.source and model.source.host in published
        if folder_for(model, model.source, policy) is None and not at_hand(model)
    }
    if not lacking:
        return
    hosts = sorted(set(lacking.values()))
    answers = dict.fromkeys(hosts, False) if offline() else reachable(hosts, DECISION_SECONDS)
    for host in hosts:
        if not answers[host]:
            names = [name for name, where in lacking.items() if where == host]
            why = "nobody is asked offline" if offline() else "it cannot be reached"
            yield (
                f"{', '.join(names)}: not on this disk, published at "
                f"{urlsplit(host).netloc}, and {why}. Run snacbench weights fetch "
                f"{' '.join(names)} where there is a network, or name a folder by --weights DIR"
            )
