"""From a request to a plan, before the first clip is touched.

Everything that can be decided is decided here, and every mistake that can be found is found.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from snacbench.errors import MissingPackage, UserError
from snacbench.models import CodecModel, LocatedWeights
from snacbench.packages import EXTRAS
from snacbench.plugins import refused, select_metrics
from snacbench.runner.precision import DESCRIPTIONS, Precision, check_precision
from snacbench.runner.ready import make_ready
from snacbench.runner.signals import Channels, ReferenceRule
from snacbench.selectors import family_models, select, with_absolute_paths
from snacbench.testsets import Choice, SetProgress, TestSet, open_chosen
from snacbench.testsets.describe import unreadable, warnings_of
from snacbench.testsets.roots import absolute_roots
from snacbench.types import CodecSpec, Domain, Metric
from snacbench.weights import Progress
from snacbench.weights.locate import locate, state_of
from snacbench.weights.policy import WeightsPolicy, decide, parse_policy

LOCAL = "-local"
_DECODED_BYTES_PER_S = 44_100 * 3  # 24-bit FLAC at worst does not compress


@dataclass(frozen=True)
class Request:
    """What was asked for, as it is kept in ``run.json`` and taken up again by ``--resume``.

    `from_recipe` tells which recipe it began as: ``name``, ``sha256`` of its file, layout of its
    ``table``, and ``overridden``: what the recipe says where the command line said otherwise.
    """

    codecs: str
    data: str = "quick"
    root: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    weights: tuple[str, ...] = ("auto",)
    seed: int = 0
    device: str = "cpu"
    precision: Precision = "fp32"
    batch: int | None = None
    channels: Channels = "mono"
    reference: ReferenceRule = "source"
    segments: int | None = None
    segment_s: float | None = None
    min_lufs: float = Choice.min_lufs
    limit: int | None = None
    domain: Domain = "unknown"
    keep_codes: bool = False
    asr: str | None = None
    offline: bool = False
    speed_budget_s: float = 4.0
    from_recipe: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedCodec:
    """An operating point, the model it belongs to, and its weights once they are on disk."""

    model: CodecModel
    spec: CodecSpec
    weights: LocatedWeights | None = None
    weights_state: str = ""


@dataclass(frozen=True)
class Plan:
    """What a run will do."""

    request: Request
    test_set: TestSet
    codecs: tuple[PlannedCodec, ...]
    metrics: tuple[Metric, ...]
    policy: WeightsPolicy
    decision: str

    @property
    def pairs(self) -> int:
        """Number of clips times operating points."""
        return (len(self.test_set.clips) + len(self.test_set.broken)) * len(self.codecs)


def make_plan(request: Request, progress: SetProgress | None = None) -> Plan:
    """Decide everything that can be decided before a run; nothing is downloaded yet.

    `progress` is shown while the files of a test set are read for the first time.

    Raises
    ------
    UserError
        If a name, a rate, a folder or the test set is wrong, or a package is missing.
    """
    codecs, policy, decision = plan_codecs(request.codecs, request.weights, offline=request.offline)
    metrics = tuple(m.with_asr(request.asr) for m in select_metrics(request.metrics))
    check_packages(codecs, metrics)
    choice = _choice(request)
    _check_device(request.device)
    check_precision(request.precision, request.device)
    test_set = open_chosen(
        request.data, choice, domain=request.domain, root=request.root, progress=progress
    )
    return Plan(request, test_set, codecs, metrics, policy, decision)


def plan_codecs(
    selectors: str, weights: Sequence[str], *, offline: bool = False
) -> tuple[tuple[PlannedCodec, ...], WeightsPolicy, str]:
    """The operating points that are meant, where their weights come from, and why from there.

    Raises
    ------
    UserError
        If a name, a rate or a folder is wrong.
    """
    policy, decision = decide(parse_policy(weights, offline=offline), family_models(selectors))
    families = "embedded" if policy.base == "embedded" else "published"
    chosen = select(selectors, families=families)  # type: ignore[arg-type]
    codecs = tuple(PlannedCodec(m, s, weights_state=state_of(m, policy)) for m, s in chosen)
    return codecs, policy, decision


def with_weights(plan: Plan, progress: Progress | None = None) -> Plan:
    """The plan with every model's weights on disk, downloaded if need be, and metrics ready.

    A local file that differs from its pinned digest is some other model: its results must not
    appear under the published name, so ``-local`` is added to it.

    Raises
    ------
    WeightsUnavailable, WeightsMismatch
        If weights cannot be had, or are not what they should be.
    UserError
        If a metric lacks what it needs.
    """
    make_ready(plan.metrics)
    return replace(plan, codecs=locate_all(plan.codecs, plan.policy, progress))


def locate_all(
    codecs: Sequence[PlannedCodec], policy: WeightsPolicy, progress: Progress | None = None
) -> tuple[PlannedCodec, ...]:
    """Codecs with their weights on disk, each model's fetched once; raises as `with_weights`."""
    models = {codec.model.name: codec.model for codec in codecs}
    located = {name: locate(model, policy, progress) for name, model in models.items()}
    return tuple(_with_weights(codec, located[codec.model.name]) for codec in codecs)


def _with_weights(codec: PlannedCodec, located: LocatedWeights | None) -> PlannedCodec:
    if located is None:
        return codec
    spec = replace(codec.spec, weights=located.info)
    if located.info.source == "folder" and located.info.verified is False:
        model, at, point = spec.name.partition("@")
        spec = replace(spec, name=f"{model}{LOCAL}{at}{point}", model=f"{spec.model}{LOCAL}")
    return replace(codec, spec=spec, weights=located)


def check_packages(codecs: Sequence[PlannedCodec], metrics: Sequence[Metric] = ()) -> None:
    """Refuse what cannot be computed for want of a package.

    Raises
    ------
    MissingPackage
        Names the first one.
    """
    needs: dict[str, str] = {}
    for codec in codecs:
        needs.update(dict.fromkeys(codec.model.requires, codec.model.name))
    for metric in metrics:
        needs.update(dict.fromkeys(metric.spec.requires, metric.spec.name))
    for package, name in needs.items():
        if importlib.util.find_spec(package) is None:
            extra = ""
            if package in EXTRAS:
                extra = f"run pip install '.[{EXTRAS[package]}]' in snacbench's checkout; "
            raise MissingPackage(
                f"{name} needs the Python package {package!r}, which is not installed; {extra}"
                "'snacbench check' lists what is missing"
            )


def _choice(request: Request) -> Choice:
    choice = Choice(
        segments=request.segments,
        segment_s=request.segment_s,
        seed=request.seed,
        min_lufs=request.min_lufs,
        limit=request.limit,
    )
    choice.check()
    return choice


def _check_device(device: str) -> None:
    if device != "cuda":
        return
    import torch

    if not torch.cuda.is_available():
        raise UserError("--device cuda: PyTorch finds no CUDA device here; use --device cpu")


def summary_of(plan: Plan) -> Mapping[str, str]:
    """The plan in words, label by label, as the terminal shows it before a run."""
    test_set, request = plan.test_set, plan.request
    domains = sorted({clip.domain for clip in test_set.clips})
    weights = {c.model.name: c.weights_state for c in plan.codecs}
    lines = {
        "recipe": _recipe_in_words(request.from_recipe),
        "test set": f"{test_set.name}: {len(test_set.clips)} clips, "
        f"{test_set.duration_s / 60:.1f} min ({', '.join(domains)})",
        "codecs": ", ".join(c.spec.name for c in plan.codecs),
        "weights": "; ".join(f"{name}: {state}" for name, state in weights.items()),
        "decision": plan.decision,
        "metrics": ", ".join(m.spec.name for m in plan.metrics),
        "to do": f"{plan.pairs} clips to code, "
        f"{test_set.duration_s * len(plan.codecs) / 3600:.2f} h of audio",
        "channels": f"{request.channels}; reference: {request.reference}",
        "seed, device": f"{request.seed}, {request.device}",
        "precision": _reduced(request.precision),
    }
    lines["speed"] = (
        f"measured last, alone, in {request.speed_budget_s:g} s per operating point"
        if request.speed_budget_s
        else "not measured"
    )
    lines["left out"] = "\n".join(map(str, refused()))
    lines["codes"] = "kept as .sncb files" if request.keep_codes else ""
    lines["missing"] = "; ".join(test_set.missing)
    lines["notes"] = "; ".join(test_set.notes)
    rates_hz = [c.spec.rate_hz for c in plan.codecs]
    lines["warnings"] = "; ".join(warnings_of(test_set.clips, codec_rates_hz=rates_hz))
    lines["skipped"] = _skipped(plan)
    lines["unreadable"] = unreadable(test_set)
    if truncated := [c.spec.name for c in plan.codecs if c.spec.truncated]:
        names = ", ".join(truncated)
        lines["truncated"] = f"{names}: not known to be trained to be cut to this depth"
    return {label: text for label, text in lines.items() if text}


def _skipped(plan: Plan) -> str:
    """Metrics that will not see clips of unknown domain, and what to do; empty without any."""
    unknown = sum(clip.domain == "unknown" for clip in plan.test_set.clips)
    metrics = [m.spec for m in plan.metrics if "unknown" not in m.spec.domains]
    if not unknown or not metrics or plan.request.metrics:  # metrics named are computed anyway
        return ""
    names, domains = ", ".join(m.name for m in metrics), " or ".join(metrics[0].domains)
    return (
        f"{names} on {unknown} clips of unknown domain, being for {domains}: say what the clips "
        f"are with --domain {metrics[0].domains[0]}"
    )


def _recipe_in_words(record: Mapping[str, Any]) -> str:
    if not record:
        return ""
    changed = ", ".join(f"--{name.replace('_', '-')}" for name in record["overridden"])
    return f"{record['name']}" + (f", changed by {changed}" if changed else "")


def _reduced(precision: Precision) -> str:
    if precision == "fp32":
        return ""
    return f"{precision}: {DESCRIPTIONS[precision]}; codes are compared with fp32's first"


def free_space_warning(plan: Plan, folder: Path) -> str:
    """A warning if the decoded audio may not fit on the disk; empty if it will."""
    existing = next((p for p in (folder, *folder.parents) if p.exists()), Path("/"))
    free_bytes = shutil.disk_usage(existing).free
    needed_bytes = plan.test_set.duration_s * len(plan.codecs) * _DECODED_BYTES_PER_S
    if needed_bytes <= free_bytes:
        return ""
    return (
        f"decoded audio may take {needed_bytes / 1e9:.2g} GB and only {free_bytes / 1e9:.2g} GB "
        f"are free at {existing}"
    )


def recipe_of(request: Request) -> dict[str, Any]:
    """The request as plain values for ``run.json``."""
    from dataclasses import asdict

    recipe = asdict(request)
    del recipe["offline"]  # how this process asks for files is nothing that a run is
    recipe["codecs"] = with_absolute_paths(request.codecs)
    recipe["root"] = absolute_roots(request.root)
    data = Path(request.data).expanduser()
    if data.exists():
        recipe["data"] = str(data.resolve())
    return recipe
