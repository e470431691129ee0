"""What the items do to the scores: some are harder than others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snacbench.listening.analysis.cells import Ends, Ratings, estimate, systems_of
from snacbench.listening.analysis.means import HIGHEST, LOWEST
from snacbench.types import Domain


@dataclass(frozen=True)
class ItemEffect:
    """One item: how its systems were rated, 0 to 100, higher is better.

    Attributes
    ----------
    mean : float
        Over systems and listeners.
    ends : Ends
        Its interval over listeners.
    by_condition : mapping of str to float
        Mean over listeners of each condition.
    listeners : int
    """

    item: str
    domain: Domain
    mean: float
    ends: Ends
    by_condition: Mapping[str, float]
    listeners: int


def item_effects(
    ratings: Ratings, domains: Mapping[str, Domain], *, level: float = 0.95
) -> tuple[ItemEffect, ...]:
    """Every item, hardest first."""
    systems = systems_of(ratings)
    if not systems or not ratings.listeners:
        return ()
    found = [_item(ratings.only(items=[i]), systems, domains, level) for i in ratings.items]
    return tuple(sorted((one for one in found if one), key=lambda one: one.mean))


def _item(
    ratings: Ratings, systems: list[str], domains: Mapping[str, Domain], level: float
) -> ItemEffect | None:
    (item,) = ratings.items
    by_condition = {
        name: float(np.nanmean(column))
        for name in ratings.conditions
        if np.isfinite(column := ratings.column(name)).any()
    }
    present = [name for name in systems if name in by_condition]
    if not present:
        return None
    # One value per listener: the mean of the systems on this item.
    over_systems = ratings.only(conditions=present).scores.mean(axis=2)[:, :, None]
    e = estimate(over_systems)
    return ItemEffect(
        item=item,
        domain=domains.get(item, "unknown"),
        mean=float(e.mean[0]),
        ends=e.within(level, LOWEST, HIGHEST)[0],
        by_condition=by_condition,
        listeners=int(e.listeners[0]),
    )
