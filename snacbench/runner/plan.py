"""From a request to a plan, before the first clip is touched.

Everything that can be decided is decided here, and every mistake that can be found is found.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import soundfile  # noqa: F401 - one that does not load is told before anything is done
import soxr  # noqa: F401

from snacbench import errors
from snacbench.conditions.channel import applies
from snacbench.conditions.condition import Condition, condition_named, conditions_of
from snacbench.conditions.inputs import recordings_of
from snacbench.later import torch
from snacbench.models import CodecModel, LocatedWeights, MetricModel
from snacbench.packages import check_installed, not_installed
from snacbench.plugins import codec_models, metric_models, refused, select_metrics
from snacbench.progress import Progress, Silent
from snacbench.request import Precision, Request
from snacbench.runner.versions import make_ready
from snacbench.selectors import family_models, model_named, select, with_absolute_paths
from snacbench.settings import cache_warning
from snacbench.testsets import Choice, TestSet, open_chosen
from snacbench.testsets.corpora import corpora
from snacbench.testsets.describe import unreadable, warnings_of
from snacbench.testsets.opening import COMPOSITE_SETS
from snacbench.testsets.roots import parse_roots, root_of
from snacbench.testsets.testset import shard_of
from snacbench.types import CodecSpec, Metric
from snacbench.weights.locate import locate
from snacbench.weights.of_metrics import absent_models, policy_for
from snacbench.weights.policy import WeightsPolicy, absent, decide, parse_policy, state_of

TORCH, CPU, CUDA = "torch", "cpu", "cuda"
LOCAL = "-local"
PRECISION_TEXTS: Mapping[Precision, str] = {
    "fp32": "float32, TF32 off",
    "tf32": "float32, matrix products and convolutions in TF32",
    "bf16": "bfloat16 where PyTorch's autocast allows it, else float32",
    "fp16": "float16 where PyTorch's autocast allows it, else float32",
}
_DECODED_BYTES_PER_S = 44_100 * 3  # 24-bit FLAC at worst does not compress


def condition_of(spec: CodecSpec) -> Condition | None:
    """What an operating point runs under; None: nothing."""
    return condition_named(spec.condition) if spec.condition else None


def passes_of(spec: CodecSpec) -> int:
    """How many times an operating point encodes and decodes: in a cascade, more than once."""
    condition = condition_of(spec)
    return int(condition.strength) if condition and condition.kind == "cascade" else 1


@dataclass(frozen=True)
class PlannedCodec:
    """An operating point and how it is computed; small enough to send to a worker with every job.

    `selector` finds its model in another process, `weights` are there once they are on disk, and
    `batch` is how many signals go through at once, None: as many as fit.
    """

    selector: str
    spec: CodecSpec
    weights: LocatedWeights | None = None
    device: str = CPU
    precision: Precision = "fp32"
    batch: int | None = 1

    @property
    def model(self) -> CodecModel:
        """The model that it is a point of."""
        return model_named(self.selector)

    @property
    def base(self) -> "PlannedCodec":
        """The same operating point under no condition, which is in the run, too."""
        return replace(self, spec=self.spec.without_condition) if self.spec.condition else self


@dataclass(frozen=True)
class Plan:
    """What a run will do; `decision` says why weights come from where `policy` has them.

    `test_set` is what it will code: all of the `whole` set, or a shard of it. `lacking` says of
    metrics that were asked for and left out what is not here, `recordings` has the sha256 of
    those that conditions name, by path.
    """

    request: Request
    test_set: TestSet
    codecs: tuple[PlannedCodec, ...]
    metrics: tuple[Metric, ...]
    policy: WeightsPolicy
    decision: str
    whole: TestSet
    lacking: Mapping[str, str] = field(default_factory=dict)
    recordings: Mapping[str, str] = field(default_factory=dict)

    @property
    def bases(self) -> tuple[PlannedCodec, ...]:
        """Its operating points under no condition."""
        return tuple(codec for codec in self.codecs if not codec.spec.condition)

    @property
    def left_out(self) -> str:
        """Which conditions which operating points cannot have, and why; empty if all can."""
        found: dict[tuple[str, str], list[str]] = {}
        for condition in conditions_of(self.request.conditions):
            for codec in self.bases:
                if why := applies(codec.spec, condition):
                    found.setdefault((codec.spec.name, why), []).append(condition.name)
        return "; ".join(f"{', '.join(of)} of {name}: {why}" for (name, why), of in found.items())


def make_plan(request: Request, progress: Progress | None = None) -> Plan:
    """Decide everything that can be decided before a run; nothing is downloaded yet.

    `progress` is shown while the files of a test set are read for the first time.

    Raises UserError if a name, a rate, a folder or the test set is wrong, or a package is missing.
    """
    codecs, policy, decision = plan_codecs(request)
    metrics = chosen_metrics(request)
    lacking: Mapping[str, str] = {}
    if request.allow_missing_metrics:
        metrics, lacking = at_hand(metrics, lambda metric: check_packages((), [metric]))
    check_packages(codecs, metrics)
    choice = Choice(**{of.name: getattr(request, of.name) for of in fields(Choice)})
    check_device(request)
    whole = open_chosen(
        request.data, choice, domain=request.domain, root=request.root, progress=progress
    )
    test_set = shard_of(whole, request.shard)
    signals = ((c.rate_hz, c.channels if request.channels == "stereo" else 1) for c in whole.clips)
    recordings = recordings_of(conditions_of(request.conditions), signals)
    return Plan(request, test_set, codecs, metrics, policy, decision, whole, lacking, recordings)


def at_hand(
    metrics: Sequence[Metric], check: Callable[[Metric], None]
) -> tuple[tuple[Metric, ...], Mapping[str, str]]:
    """Metrics that pass a check, and of the others by name what is not here.

    That is a package or a model that cannot be had. Whatever else a check raises is raised, and so
    is this if no metric is left.
    """
    kept, lacking = list[Metric](), dict[str, errors.UserError]()
    for metric in metrics:
        try:
            check(metric)
            kept.append(metric)
        except (errors.MissingPackage, errors.WeightsUnavailable) as error:
            lacking[metric.spec.name] = error
    if lacking and not kept:
        raise next(iter(lacking.values()))
    return tuple(kept), {name: str(error) for name, error in lacking.items()}


def chosen_metrics(request: Request, names: Sequence[str] = ()) -> tuple[Metric, ...]:
    """The metrics of a request, or others by `names`, by its options."""
    chosen = select_metrics(names or request.metrics)
    return tuple(metric.configured(request.metric_options) for metric in chosen)


def models_of(metrics: Iterable[Metric]) -> list[MetricModel]:
    """The models that metrics run, each once."""
    names = dict.fromkeys(name for metric in metrics for name in metric.models)
    return [metric_models()[name] for name in names]


def check_weight_names(weights: Sequence[str], own: Iterable[str] = ()) -> None:
    """Refuse ``--weights MODEL=DIR`` of a model that no codec and no metric runs.

    `own` are names of models beyond those that are registered.
    """
    known = [*codec_models(), *metric_models(), *own]
    for name in parse_policy(weights).folders:
        if name not in known:
            text = (
                f"--weights {name}=DIR: no model named {name!r}; {errors.did_you_mean(name, known)}"
            )
            raise errors.UnknownName(text)


def plan_codecs(request: Request) -> tuple[tuple[PlannedCodec, ...], WeightsPolicy, str]:
    """The operating points that are meant, where their weights come from, and why from there.

    Only PyTorch's codecs take a device, a precision and batches; on the CPU, where batches gain
    nothing, the default is one clip at a time. All points come first without a condition, then
    under one after another, those left out that cannot have it.
    """
    asked = parse_policy(request.weights, offline=request.offline)
    policy, decision = decide(asked, family_models(request.codecs))
    batch = request.batch if request.device == CUDA else request.batch or 1
    codecs = []
    for model, spec in _selected(request, policy):
        codec = PlannedCodec(model.selector or model.name, spec)
        if TORCH in model.requires:
            codec = replace(codec, device=request.device, precision=request.precision, batch=batch)
        codecs.append(codec)
    check_weight_names(request.weights, [codec.spec.model for codec in codecs])
    codecs += [
        replace(codec, spec=codec.spec.under(condition.name))
        for condition in conditions_of(request.conditions)
        for codec in codecs
        if not applies(codec.spec, condition)
    ]
    names = [codec.spec.name for codec in codecs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise errors.UserError(
            f"two operating points would have the name {twice[0]}: one of a codec's own, and one "
            "that a condition makes; leave the condition out, or give the codec another name"
        )
    return tuple(codecs), policy, decision


def _selected(request: Request, policy: WeightsPolicy) -> tuple[tuple[CodecModel, CodecSpec], ...]:
    return select(request.codecs, families="embedded" if policy.base == "embedded" else "published")


def with_weights(plan: Plan, progress: Progress | None = None) -> Plan:
    """The plan with every model's weights on disk, downloaded if need be, and metrics ready.

    Raises WeightsUnavailable, WeightsMismatch if weights cannot be had, or are not what they should
    be. Raises UserError if a metric lacks what it needs.
    """
    if plan.request.allow_missing_metrics:
        metrics, lacking = at_hand(plan.metrics, lambda metric: make_ready([metric], progress))
        plan = replace(plan, metrics=metrics, lacking={**plan.lacking, **lacking})
    else:
        make_ready(plan.metrics, progress)
    for name, why in plan.lacking.items():
        (progress or Silent()).note(f"{name} is left out: {why}", warning=True)
    return replace(plan, codecs=locate_all(plan.codecs, plan.policy, progress))


def locate_all(
    codecs: Sequence[PlannedCodec], policy: WeightsPolicy, progress: Progress | None = None
) -> tuple[PlannedCodec, ...]:
    """Codecs with their weights on disk, each model's fetched once; raises as `with_weights`.

    A local file that differs from its pinned digest is some other model: its results must not
    appear under the published name, so ``-local`` is added to it.
    """
    selectors = dict.fromkeys(codec.selector for codec in codecs)
    weights = {name: locate(model_named(name), policy, progress) for name in selectors}
    located = []
    for planned in codecs:
        codec = planned.base
        if found := weights[codec.selector]:
            spec = replace(codec.spec, weights=found.info)
            if found.info.source == "folder" and found.info.verified is False:
                model, at, point = spec.name.partition("@")
                name = f"{model}{LOCAL}{at}{point}"
                spec = replace(spec, name=name, model=f"{spec.model}{LOCAL}")
            codec = replace(codec, spec=spec, weights=found)
        if under := planned.spec.condition:
            codec = replace(codec, spec=codec.spec.under(under))
        located.append(codec)
    return tuple(located)


def check_device(request: Request) -> None:
    """Refuse a device that is not here, and a precision that it does not compute in."""
    if request.device == CPU and request.precision in ("tf32", "fp16"):
        raise errors.UserError(
            f"--precision {request.precision} is for GPUs; use --device cuda, or fp32 or bf16 on "
            "the CPU"
        )
    if request.device == CUDA and not torch.cuda.is_available():
        raise errors.UserError("--device cuda: PyTorch finds no CUDA device here; use --device cpu")


def check_packages(codecs: Sequence[PlannedCodec], metrics: Sequence[Metric] = ()) -> None:
    """Refuse what cannot be computed for want of a package."""
    check_installed({codec.model.name: codec.model.requires for codec in codecs})
    check_installed({metric.spec.name: metric.spec.requires for metric in metrics})


def missing(request: Request) -> list[str]:
    """Corpora, weights and packages that are not at hand, all of them, each with where to get it.

    A plan ends at the first thing that is missing; who starts a recipe on a new machine wants the
    whole list.
    """
    policy, found = parse_policy(request.weights, offline=request.offline), list[str]()
    models = {model.name: model for model, _ in _selected(request, policy)}.values()
    composite = COMPOSITE_SETS.get(request.data)
    for name in composite.parts if composite else (request.data,):
        if name in corpora():
            try:
                root_of(corpora()[name], parse_roots(request.root), alone=composite is None)
            except errors.TestSetError as error:
                found.append(f"data: {error}")
    found += [f"weights: {text}" for text in absent(list(models), policy)]
    metrics = () if request.allow_missing_metrics else chosen_metrics(request)
    of_metrics = absent_models(models_of(metrics), request.metric_options)
    found += [f"weights: {text}" for text in of_metrics]
    needs = {model.name: model.requires for model in models}
    needs |= {metric.spec.name: metric.spec.requires for metric in metrics}
    found += [f"package: {text}" for text in not_installed(needs)]
    return found


def summary_of(plan: Plan) -> Mapping[str, str]:
    """The plan in words, label by label, as the terminal shows it before a run."""
    test_set, request = plan.test_set, plan.request
    domains = sorted({clip.domain for clip in test_set.clips})
    models = {codec.model.name: codec.model for codec in plan.bases}
    weights = [f"{name}: {state_of(model, plan.policy)}" for name, model in models.items()]
    of_metrics = [(m, policy_for(m, request.metric_options)) for m in models_of(plan.metrics)]
    weights += [f"{model.name}: {state_of(model, policy)}" for model, policy in of_metrics]
    rates_hz = [codec.spec.rate_hz for codec in plan.bases]
    to_code = (len(test_set.clips) + len(test_set.broken)) * len(plan.codecs)
    truncated = ", ".join(codec.spec.name for codec in plan.bases if codec.spec.truncated)
    reduced = PRECISION_TEXTS[request.precision] if request.precision != "fp32" else ""
    recipe = request.from_recipe
    changed = [f"--{name.replace('_', '-')}" for name in (recipe.overridden if recipe else ())]
    by = f", changed by {', '.join(changed)}" * bool(changed)
    unknown, skipped = sum(clip.domain == "unknown" for clip in test_set.clips), ""
    metrics = [m.spec for m in plan.metrics if "unknown" not in m.spec.domains]
    if unknown and metrics and not request.metrics:  # metrics named are computed anyway
        skipped = (
            f"{', '.join(m.name for m in metrics)} on {unknown} clips of unknown domain, being for "
            f"{' or '.join(metrics[0].domains)}: say what the clips are with --domain "
            f"{metrics[0].domains[0]}"
        )
    lines = {
        "recipe": recipe.name + by if recipe else "",
        "test set": f"{test_set.name}: {len(test_set.clips)} clips, "
        f"{test_set.duration_s / 60:.1f} min ({', '.join(domains)})",
        "shard": f"{request.shard} of {len(plan.whole.clips)} clips" if request.shard else "",
        "codecs": ", ".join(codec.spec.name for codec in plan.bases),
        "conditions": ", ".join(c.name for c in conditions_of(request.conditions)),
        "weights": "; ".join(weights),
        "decision": plan.decision,
        "metrics": ", ".join(metric.spec.name for metric in plan.metrics),
        "to do": f"{to_code} clips to code, "
        f"{test_set.duration_s * len(plan.codecs) / 3600:.2f} h of audio",
        "channels": f"{request.channels}; reference: {request.reference}",
        "seed, device": f"{request.seed}, {request.device}",
        "precision": reduced
        and f"{request.precision}: {reduced}; codes are compared with fp32's first",
        "speed": f"measured last, alone, in {request.speed_budget_s:g} s per operating point"
        if request.speed_budget_s
        else "not measured",
        "left out": "\n".join(filter(None, (*refused(), plan.left_out))),
        "codes": "kept as .sncb files" if request.keep_codes else "",
        "decoded audio": "" if request.keep_decoded else "removed once it is scored",
        "missing": "; ".join(test_set.missing),
        "notes": "; ".join(test_set.notes),
        "warnings": "; ".join(warnings_of(test_set.clips, codec_rates_hz=rates_hz)),
        "skipped": skipped,
        "unreadable": unreadable(test_set),
        "truncated": truncated and f"{truncated}: not known to be trained to be cut to this depth",
    }
    return {label: text for label, text in lines.items() if text}


def warnings_before(plan: Plan, folder: Path) -> Iterator[str]:
    """What to know before a run that will lie in `folder`: too little space, what is left out."""
    existing = next((p for p in (folder, *folder.parents) if p.exists()), Path("/"))
    free_bytes = shutil.disk_usage(existing).free
    needed_bytes = plan.test_set.duration_s * len(plan.codecs) * _DECODED_BYTES_PER_S
    if needed_bytes > free_bytes and plan.request.keep_decoded:
        yield (
            f"decoded audio may take {needed_bytes / 1e9:.2g} GB and only {free_bytes / 1e9:.2g} "
            f"GB are free at {existing}"
        )
    if text := cache_warning():
        yield text
    if text := plan.left_out:
        yield f"left out: {text}"


def recorded(request: Request) -> Request:
    """The request as ``run.json`` keeps it: not bound to a folder or a process."""
    data, roots = Path(request.data).expanduser(), parse_roots(request.root)
    return replace(
        request, codecs=with_absolute_paths(request.codecs),
        conditions=tuple(condition.name for condition in conditions_of(request.conditions)),
        root=tuple(f"{name}={path}" if name else f"{path}" for name, path in roots.items()),
        data=str(data.resolve()) if data.exists() else request.data, out=None, jobs=None,
        offline=False,
    )  # fmt: skip
