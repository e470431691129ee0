"""What two runs must have in common before their rows may stand side by side."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from snacbench.errors import StoreError
from snacbench.rows import Score
from snacbench.store.folder import RunFolder

_SHOWN_DIGEST = 12
_RULES = {"channels": "mono", "reference": "source"}  # and what runs did before they wrote it down


def metric_versions(folder: RunFolder) -> dict[str, set[str]]:
    """Versions of the metrics that a run was scored by, as its rows tell."""
    found: dict[str, set[str]] = {}
    for block in folder.read_blocks(Score):
        for metric, version in {(row.metric, row.version) for row in block.rows}:
            found.setdefault(metric, set()).add(version)
    return found


def check_agreement(  # noqa: PLR0913 - keyword-only options of one question
    first: RunFolder,
    second: RunFolder,
    *,
    why: str,
    metrics: Collection[str] = (),
    same_set: bool = True,
    same_seed: bool = False,
) -> None:
    """Refuse two runs that were not made by the same rules.

    Parameters
    ----------
    first, second : RunFolder
    why : str
        What they are wanted for, to begin the message with: ``"cannot be merged"``.
    metrics : collection of str
        Those that count; empty: all that both were scored by.
    same_set, same_seed : bool
        Whether the test set's digest and the seed must be the same.

    Raises
    ------
    StoreError
        Names the first thing in which they differ, and what to do about it.
    """
    differing = _differences(first, second, set(metrics), same_set, same_seed)
    if found := next(differing, None):
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
    for rule, default in _RULES.items():
        then, now = (str(run.recipe.get(rule, default)) for run in (one, other))
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
