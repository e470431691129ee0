"""What two runs must have in common before their rows may stand side by side."""

import re
from collections.abc import Collection
from itertools import chain

from snacbench.errors import StoreError
from snacbench.rows import Embedded, Score, Versions
from snacbench.store.run_folder import RunFolder

METRIC_VERSION = "metric version"
ASR_FACT = "asr"  # which recogniser heard the words of a run
_BUILD = re.compile(r"\+(cpu|cu\d+|rocm[\d.]+)$")  # of one version, for one kind of device


def metric_versions(folder: RunFolder) -> dict[str, set[str]]:
    """Versions of the metrics that a run was scored by, as its rows tell."""
    found: dict[str, set[str]] = {}
    rows = chain(folder.read(Score), folder.read(Embedded))
    for metric, version in {(row.metric, row.version) for row in rows}:
        found.setdefault(metric, set()).add(version)
    return found


def first_difference(then: Versions, now: Versions) -> tuple[str, str, str, str] | None:
    """The first codec or metric of both that other versions compute, a package, and its versions.

    Of a metric, this package's own version does not count: `METRIC_VERSION` tells of its values.
    """
    for name in (name for name in then if name in now):
        for package in dict.fromkeys((*then[name], *now[name])):
            one, other = (_BUILD.sub("", of[name].get(package, "none")) for of in (then, now))
            if one != other and not (package == "snacbench" and METRIC_VERSION in now[name]):
                return name, package, one, other
    return None


def check_agreement(
    first: RunFolder,
    second: RunFolder,
    *,
    why: str,
    metrics: Collection[str] = (),
    as_parts: bool = False,
) -> None:
    """Refuse two runs that were not made by the same rules.

    `why` says what they are wanted for: ``"cannot be merged"``. Channels, reference, the digests of
    test set and recordings and the versions of their metrics must be the same; of `metrics` those
    count that both were scored by; empty: all of these. Parts of one run must also have the same
    seed and versions of what computes codecs and metrics, and may be shards of one set.

    Raises StoreError that names the first thing in which they differ, and what to do about it.
    """
    one, other = both = first.run, second.run
    found: list[tuple[str, str, str, str]] = []  # what, in the first and the second, and advice
    digests = [(as_parts and run.whole_set_sha256) or run.set_sha256 for run in both]
    if digests[0] != digests[1]:
        runs = zip(both, digests, strict=True)
        then, now = (f"{run.test_set} ({digest[:12]})" for run, digest in runs)
        found.append(("the test set", then, now, "run both on the same clips"))
    for rule in ("channels", "reference"):
        then, now = (str(getattr(run.request, rule)) for run in both)
        found.append((f"--{rule}", then, now, "run one of them again by the other's rule"))
    for path in sorted(one.recordings.keys() & other.recordings.keys()):
        then, now = (run.recordings[path][:12] for run in both)
        found.append((f"the recording {path}", then, now, "run one again with the other's"))
    versions = [metric_versions(folder) for folder in (first, second)]
    for metric in sorted(versions[0].keys() & versions[1].keys()):
        if not metrics or metric in metrics:
            then, now = (", ".join(sorted(of[metric])) for of in versions)
            advice = f"score the older run again: snacbench score RUN --metrics {metric}"
            found.append((f"the version of {metric}", then, now, advice))
    if as_parts:
        advice = "run one again with the other's --seed"
        found.append(("the seed", str(one.seed), str(other.seed), advice))
        weights = ({m: w.sha256 for m, w in run.metric_weights.items()} for run in both)
        for computed in (
            first_difference(one.codec_versions, other.codec_versions),
            first_difference(one.metric_versions, other.metric_versions),
            first_difference(*weights),
        ):
            if computed:
                name, package, then, now = computed
                advice = "run both by one version, or the same files"
                found.append((f"what computes {name}: {package}", then, now, advice))
        heard = [run.facts.get(ASR_FACT) for run in both]
        if heard[0] and heard[1]:
            found.append(("the recogniser", heard[0], heard[1], "score one by the other's --asr"))
    for what, then, now, advice in found:
        if then != now:
            raise StoreError(
                f"{first.path} and {second.path} {why}: {what} is {then} in the first and {now} in "
                f"the second; {advice}"
            )
