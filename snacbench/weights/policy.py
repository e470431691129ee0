"""What ``--weights`` asks for, and the one decision that ``auto`` takes before a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from snacbench.download import offline
from snacbench.errors import UserError
from snacbench.models import CodecModel
from snacbench.weights.caches import at_hand
from snacbench.weights.hosts import host_address, reachable

Rule = Literal["auto", "published", "embedded"]
Base = Rule | Path

DECISION_SECONDS = 8.0  # leaves 2 s of the promised 10 for everything else


@dataclass(frozen=True)
class WeightsPolicy:
    """Where weights come from: one rule for all models, and folders for single ones."""

    base: Base = "auto"
    folders: Mapping[str, Path] = field(default_factory=dict)


def parse_policy(values: Sequence[str]) -> WeightsPolicy:
    """Understand ``--weights`` values: ``auto``, ``published``, ``embedded``, DIR or MODEL=DIR.

    Raises
    ------
    UserError
        If a folder does not exist, or more than one rule for all models is given.
    """
    bases: list[Base] = []
    folders: dict[str, Path] = {}
    for value in values:
        model, equals, directory = value.partition("=")
        if value in get_args(Rule):
            bases.append(cast(Rule, value))
        elif equals and "/" not in model:
            folders[model] = _existing_folder(directory)
        else:
            bases.append(_existing_folder(value))
    if len(bases) > 1:
        raise UserError(
            f"--weights takes one of auto, published, embedded or DIR, found {len(bases)}: "
            f"{', '.join(map(str, bases))}; a folder for one model is written MODEL=DIR"
        )
    return WeightsPolicy(bases[0] if bases else "auto", folders)


def _existing_folder(text: str) -> Path:
    folder = Path(text).expanduser()
    if not folder.is_dir():
        raise UserError(
            f"--weights {text}: no such folder; expected auto, published, embedded, a folder of "
            "local copies, or MODEL=DIR"
        )
    return folder


def decide(
    policy: WeightsPolicy, published_models: Sequence[CodecModel]
) -> tuple[WeightsPolicy, str]:
    """Turn ``auto`` into ``published`` or ``embedded``, once for the whole run.

    Published weights are used if those of every model are on this disk, or their hosts answer
    within 8 s (offline, nobody is asked); else all families fall back together, so that no table
    mixes published with demonstration models.

    Returns
    -------
    tuple of (WeightsPolicy, str)
        The decided policy and one sentence that says why; empty if there was nothing to decide.
    """
    if policy.base != "auto" or not published_models:
        return policy, ""
    missing = [
        m for m in published_models if m.source and m.name not in policy.folders and not at_hand(m)
    ]
    if not missing:
        return _with(policy, "published"), "published weights, all in the local caches"
    hosts = sorted({host_address(m.source) for m in missing if m.source})
    answers = reachable(hosts, DECISION_SECONDS)
    silent = [urlsplit(host).netloc for host in hosts if not answers[host]]
    if not silent:
        names = ", ".join(m.name for m in missing)
        return _with(policy, "published"), f"published weights; to be downloaded: {names}"
    why = "offline, nobody is asked" if offline() else f"{', '.join(silent)} cannot be reached"
    return (
        _with(policy, "embedded"),
        f"embedded demonstration models, because published weights are not cached and {why}",
    )


def _with(policy: WeightsPolicy, base: Base) -> WeightsPolicy:
    return WeightsPolicy(base, policy.folders)
