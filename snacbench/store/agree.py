"""What two runs must have in common before their rows may stand side by side."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import chain

from snacbench.errors import StoreError
from snacbench.rows import Score, Versions
from snacbench.store.folder import RunFolder

METRIC_VERSION = "metric version"
_SHOWN_DIGEST = 12
_NONE = "none"
_BUILD = re.compile(r"\+(cpu|cu\d+|rocm[\d.]+)$")  # of one version, for one kind of device


def metric_versions(folder: RunFolder) -> dict[str, set[str]]:
    """Versions of the metrics that a run was scored by, as its rows tell."""
    found: dict[str, set[str]] = {}
    for block in folder.read_blocks(Score):
        for metric, version in {(row.metric, row.version) for row in block.rows}:
            found.setdefault(metric, set()).add(version)
    return found


def first_difference(then: Versions, now: Versions) -> tuple[str, str, str, str] | None:
    """The first codec or metric of both that other versions compute, a package, and its versions.

    Of a metric, this package's own version does not count: `METRIC_VERSION` tells of its values.
    """
    for name in (name for name in then if name in now):
        for package in dict.fromkeys((*then[name], *now[name])):
            one, other = (_BUILD.sub("", of[name].get(package, _NONE)) for of in (then, now))
            if one != other and not (package == "snacbench" and METRIC_VERSION in now[name]):
                return name, package, one, other
    return None


def check_agreement(  # noqa: PLR0913 - keyword-only options of one question
    first: RunFolder,
    second: RunFolder,
    *,
    why: str,
    metrics: Collection[str] = (),
    same_set: bool = True,
    same_seed: bool = False,
    same_versions: bool = False,
) -> None:
    """Refuse two runs that were not made by the same rules.

    Parameters
    ----------
    first, second : RunFolder
    why : str
        What they are wanted for, to begin the message with: ``"cannot be merged"``.
    metrics : collection of str
        Those that count; empty: all that both were scored by.
    same_set, same_seed, same_versions : bool
        Whether the test set's digest, the seed, and the versions of what computes the codecs and
        metrics of both must be the same.

    Raises
    ------
    StoreError
        Names the first thing in which they differ, and what to do about it.
    """
    differing = [_differences(first, second, set(metrics), same_set, same_seed)]
    differing += [_other_versions(first, second)] if same_versions else []
    if found := next(chain(*differing), None):
        what, one, other, advice = found
        raise StoreError(
            f"{first.path} and {second.path} {why}: {what} is {one} in the first and {other} in "
            f"the second; {advice}"
        )


def _differences(
    first: RunFolder, second: RunFolder, metrics: set[str], same_set: bool, same_seed: bool
) -> Iterator[tuple[str, str, str, str]]:
    one, other = first.run, second.run
    if same_set and one.set_sha256 != other.set_sha256:
        then, now = (f"{r.test_set} ({r.set_sha256[:_SHOWN_DIGEST]})" for r in (one, other))
        yield ("the test set", then, now, "run both on the same clips")
    for rule in ("channels", "reference"):
        then, now = (str(getattr(run.request, rule)) for run in (one, other))
        if then != now:
            yield (f"--{rule}", then, now, "run one of them again by the other's rule")
    if same_seed and one.seed != other.seed:
        yield ("the seed", str(one.seed), str(other.seed), "run one again with the other's --seed")
    versions = [metric_versions(folder) for folder in (first, second)]
    for metric in sorted(versions[0].keys() & versions[1].keys()):
        then, now = (", ".join(sorted(found[metric])) for found in versions)
        if then != now and (not metrics or metric in metrics):
            yield (
                f"the version of {metric}",
                then,
                now,
                f"score the older run again: snacbench score RUN --metrics {metric}",
            )


def _other_versions(first: RunFolder, second: RunFolder) -> Iterator[tuple[str, str, str, str]]:
    one, other = first.run, second.run
    for then, now in (
        (one.codec_versions, other.codec_versions),
        (one.metric_versions, other.metric_versions),
    ):
        if found := first_difference(then, now):
            name, package, before, after = found
            yield f"what computes {name}: {package}", before, after, "run both by one version"
