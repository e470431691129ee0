"""Scores of a run computed again by the runner, where audio, weights and packages are here.

The run begins once more in a temporary folder, with all its rows but those that were drawn: what
the schedule finds missing there is what is to be computed.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from snacbench import rows
from snacbench.errors import MissingPackage, TestSetError, UserError, WeightsUnavailable
from snacbench.files import sha256_of_file
from snacbench.plugins import select_metrics
from snacbench.progress import SILENT, Progress
from snacbench.request import Request
from snacbench.runner import plan, versions
from snacbench.runner.engine import carry_out
from snacbench.runner.schedule import Schedule
from snacbench.selectors import split_selectors
from snacbench.store.agree import first_difference
from snacbench.store.bundle import Bundle
from snacbench.store.consistency import Finding, named
from snacbench.store.ledger import Ledger
from snacbench.store.run_folder import ROW_FILES, RunFolder
from snacbench.testsets import open_test_set
from snacbench.testsets.testset import counted, hash_of
from snacbench.types import Clip, Metric
from snacbench.weights.of_metrics import digests_of
from snacbench.weights.policy import parse_policy

_KINDS = {
    MissingPackage: "package missing", WeightsUnavailable: "no weights", TestSetError: "no audio"
}  # fmt: skip
# On another machine: of bits; of scores by their unit, of others 2 % and 0.01 at least.
_BITS_WITHIN, _WITHIN = 0.05, {"dB": 0.5, "MOS": 0.05, "MOS-LQO": 0.05}
Drawn = Sequence[tuple[int, rows.Score]]  # with the lines that they stand in
_SCORES = (rows.Score, rows.Embedded)
_STAY = (rows.Calibration, rows.Agreement, rows.SpotCheck, rows.ClipMeasures, rows.Coded, *_SCORES)


def recompute(  # noqa: PLR0913 - keyword-only options of one verb
    told: Bundle,
    number: int,
    *,
    data: str | Path = "",
    root: Sequence[str] = (),
    weights: Sequence[str] = (),
    seed: int = 0,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> None:
    """Compute so many scores of a bundle again, drawn by `seed`, with the codings under them.

    `data` and `root` say where clips are, which are found by digest, `weights` where models are; by
    default as the run was asked. Nothing is fetched, and nothing written to the bundle's folder.
    Where machine or packages are others than the run's, scores must be within a tolerance, else the
    same to the last digit.

    Raises UserError if `weights` cannot be understood.
    """
    folder = told.folder
    assert folder is not None  # of a bundle that could be unpacked
    run, every = folder.run, (one for kind in _SCORES for one in _numbered(folder, kind))
    # By a hash of what they are of, in whatever order they lie.
    drawn = heapq.nsmallest(
        number, every, key=lambda one: hash_of(f"{seed}\0{named(vars(one[1]))}")
    )
    base = "embedded" if any(c.weights.source == "embedded" for c in run.codecs) else "published"
    models = tuple(weights) if any("=" not in text for text in weights) else (base, *weights)
    request = replace(run.request, data=str(data or run.request.data), root=tuple(root))
    request = replace(request, weights=models, offline=True, keep_codes=False, keep_decoded=True)
    here, able = _Here(folder, request), list[tuple[int, rows.Score]]()
    for one in drawn:
        if why := here.why_not(one[1]):
            told.left.setdefault(why, []).append(named(vars(one[1])))
        else:
            able.append(one)
    if not drawn:
        told.left["the run has none"] = []
    with TemporaryDirectory(prefix="snacbench-") as temporary:
        again = here.begun_again(Path(temporary) / "run", [row for _, row in able])
        ledger = Ledger(again, again.run.codecs, again.run.metrics)
        schedule = Schedule(ledger, list(again.read(Clip)), request, [*here.codecs.values()])
        carry_out(schedule, again, progress, jobs=jobs, client=None)
        otherwise = here.otherwise()
        told.found += _differences(folder, again, able, told, otherwise)
    told.facts |= {
        "drawn": "\n".join(named(vars(row)) for _, row in drawn),
        "recomputed": f"{len(able)} of {counted(len(drawn), 'score')}; {told.facts['recomputed']}",
        "tolerances": otherwise and f"0.5 dB, 0.05 MOS, else 2 %: {otherwise}",
    }


def _numbered(folder: RunFolder, kind: type[Any]) -> Iterator[tuple[int, Any]]:
    """Rows of a kind with the lines that they stand in, but no scores of earlier versions."""
    current = {spec.name: spec.version for spec in folder.run.metrics}
    for line, row in enumerate(folder.read(kind), start=1):
        if not isinstance(row, rows.Score) or current[row.metric] == row.version:
            yield line, row


class _Here:
    """What of a run is at hand on this machine: clips, codecs and metrics that are asked for."""

    def __init__(self, folder: RunFolder, request: Request) -> None:
        self.folder, self.run, self.request = folder, folder.run, request
        self.clips, self.codecs = dict[str, Clip](), dict[str, plan.PlannedCodec]()
        self.metrics, self._files = dict[str, Metric](), dict[str, Path]()
        self._clips = {clip.id: clip for clip in folder.read(Clip)}
        policy = parse_policy(request.weights, offline=True)  # which families the run took, too
        self._policy = replace(policy, base="published") if policy.base == "embedded" else policy
        self._planned = dict[str, plan.PlannedCodec]()
        selectors = split_selectors(request.codecs) if not request.outside else []
        for selector in (text for text in selectors if "/" not in text):  # nothing from anywhere
            with suppress(UserError):  # a checkpoint of one's own that is not here
                found, *_ = plan.plan_codecs(replace(request, codecs=selector, conditions=()))
                self._planned |= {codec.spec.name: codec for codec in found}
        self._no_files = f"no file of its sha256 in {request.data}"
        try:
            there = open_test_set(request.data, domain=request.domain, root=request.root)
            self._files = {clip.sha256: clip.path for clip in there.clips}
        except UserError as error:
            self._no_files = str(error)

    def why_not(self, row: rows.Score) -> str:
        """Why a score cannot be computed again here; empty if it can."""
        clip, codec, metric = row.clip, row.codec, row.metric
        try:
            if clip not in self.clips:
                digest = self._clips[clip].sha256 if clip in self._clips else ""
                if not (path := self._files.get(digest)) or sha256_of_file(path) != digest:
                    raise TestSetError(self._no_files)
                self.clips[clip] = replace(self._clips[clip], path=path)
            base = (s.without_condition.name for s in self.run.codecs if s.name == codec)
            for name in (*base, codec):  # whose delay and spot check hold under every condition
                self.codecs[name] = self.codecs.get(name) or self._codec(name)
            self.metrics[metric] = self.metrics.get(metric) or self._metric(metric)
        except UserError as error:
            return f"{_KINDS.get(type(error), 'not possible here')}: {error}"
        return ""

    def _codec(self, name: str) -> plan.PlannedCodec:
        then = next(spec for spec in self.run.codecs if spec.name == name)
        base = then.without_condition.name
        planned = self._planned.get(base) or self._planned.get(base.replace(plan.LOCAL, ""))
        if planned is None:
            raise UserError(f"{name} is no codec of this machine")
        if under := plan.condition_of(then):
            planned = replace(planned, spec=planned.spec.under(then.condition))
            file, kept = under.option("file"), self.run.recordings.items()  # without their folders
            by = {path: digest for path, digest in kept if str(Path(path).absolute()) == file}
            versions.check_recordings(by, place="the run")
        plan.check_packages([planned])
        if planned.device == plan.CUDA:
            plan.check_device(self.request)
        (codec,) = plan.locate_all([planned], self._policy)
        both = codec.spec, then
        if len({(s.name, s.streams, *sorted(s.weights.sha256.items())) for s in both}) > 1:
            raise WeightsUnavailable(f"those of {name} that are here are others")
        return codec

    def _metric(self, name: str) -> Metric:
        recorded = tuple((m, digests_of(info)) for m, info in self.run.metric_weights.items())
        options = replace(self.request.metric_options, recorded=recorded)
        metric = select_metrics([name])[0].configured(options)
        versions.make_ready([metric])
        then = next(spec.version for spec in self.run.metrics if spec.name == name)
        if metric.spec.version != then:
            raise UserError(f"{name} has version {metric.spec.version}, in the run {then}")
        return metric

    def begun_again(self, path: Path, drawn: Sequence[rows.Score]) -> RunFolder:
        """The run as it was before these scores, and the codings under them, in a new folder."""
        known: dict[str, Mapping[str, Any]]
        known = {"clip": self.clips, "codec": self.codecs, "metric": self.metrics}
        specs = tuple(spec for spec in self.run.codecs if spec.name in self.codecs)
        metrics = tuple(spec for spec in self.run.metrics if spec.name in self.metrics)
        run = replace(self.run, codecs=specs, metrics=metrics, request=self.request)
        folder = RunFolder.create(path, run, list(self.clips.values()))
        gone: set[tuple[str, ...]] = {(row.clip, row.codec) for row in drawn}
        gone |= {(row.clip, row.codec, row.metric) for row in drawn}

        def stays(row: object) -> bool:
            of = {what: name for what in known if (name := getattr(row, what, ""))}
            return all(of[what] in known[what] for what in of) and tuple(of.values()) not in gone

        for kind in _STAY:
            folder.append(filter(stays, self.folder.read(kind)))
        return folder

    def otherwise(self) -> str:
        """What of machine and packages is other than where the run was made; empty: nothing."""
        then = {**self.run.machine, **self.run.packages}
        now = versions.machine() | versions.package_versions()
        facts = ("processor", "architecture", *self.run.packages)
        said = [f"{f} {now.get(f)}, not {then.get(f)}" for f in facts if now.get(f) != then.get(f)]
        models = {codec.spec.model: codec.model for codec in self.codecs.values()}
        computed = versions.versions_of_codecs(models), self.run.codec_versions
        if found := first_difference(*computed):
            said.append("{1} of {0} {2}, not {3}".format(*found))
        if self.run.device == plan.CUDA or (self.request.batch or 1) > 1:
            said.append("sums in batches and on a GPU are rounded in any order")
        return "; ".join(said)


def _differences(
    folder: RunFolder, again: RunFolder, able: Drawn, told: Bundle, otherwise: str
) -> Iterator[Finding]:
    """Codings and scores that came out otherwise than they must; all scores are entered."""
    units, alike = {spec.name: spec.unit for spec in folder.run.metrics}, list[bool]()
    every: dict[str, Any]
    every = {named(vars(r)): r for kind in (rows.Coded, *_SCORES) for r in again.read(kind)}
    drawn = {named(vars(row)) for _, row in able}
    drawn |= {f"{row.codec} on {row.clip}" for _, row in able}
    for kind in (rows.Coded, *_SCORES):
        for line, row in _numbered(folder, kind):
            if (name := named(vars(row))) not in drawn:
                continue
            now = every[name]
            same = now == replace(row, reason=now.reason)
            if isinstance(row, rows.Coded):
                then, value = (of.bits.total if of.bits else 0 for of in (row, now))
                alike.append(now.decoded_sha256 == row.decoded_sha256)
                same, close = alike[-1] and then == value, _BITS_WITHIN * then
            else:
                then, value = row.value or 0.0, now.value or 0.0
                close = _WITHIN.get(units[row.metric], max(0.01, 0.02 * abs(then)))
                told.scores.append((name, row.value, now.value))
            same = same or (bool(otherwise) and abs(value - then) <= close)
            if now.status != row.status or not same:
                came = f"again {value} ({now.status}){now.reason:.80}"
                within = f"within {close:g}" if otherwise else "the same, audio too"
                said = f"{name}: {then} ({row.status}), {came}; expected {within}"
                yield Finding(ROW_FILES[kind], said, line)
    codings = counted(len(alike), "coding")
    told.facts["recomputed"] = f"{codings}, {sum(alike)} to the same audio bit by bit"
