"""What computes a run: the machine, its packages, and those of each codec and metric.

A run that is gone on with, or scored again, is computed by the same throughout.
"""

import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TypeVar

from snacbench.errors import StoreError, UserError
from snacbench.files import sha256_of_file
from snacbench.models import CodecModel
from snacbench.packages import check_installed
from snacbench.plugins import metric_models, origin_of
from snacbench.progress import Progress
from snacbench.rows import Run, Versions
from snacbench.store.agree import ASR_FACT, METRIC_VERSION, first_difference
from snacbench.types import Metric, WeightsInfo
from snacbench.weights.of_metrics import digests_of, located
from snacbench.weights.policy import absolute_weights

Answer = TypeVar("Answer")
_packages = cache(metadata.packages_distributions)  # names of the packages that bring each module


def asked(question: Callable[[], Answer], name: str) -> Answer:
    """What a codec or metric answers before a run; its code may be from anywhere."""
    try:
        return question()
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{name} fails before the run ({type(error).__name__}: {error}); leave it out, or ask "
            "who made it"
        ) from error


def make_ready(metrics: Iterable[Metric], progress: Progress | None = None) -> None:
    """Let every metric look for what it needs, and fetch it; raises as `asked`, and `located`.

    Raises MissingPackage if a metric needs a package that is not here, before anything is fetched.
    """
    for metric in metrics:
        check_installed({metric.spec.name: metric.spec.requires})
        for name in metric.models:
            located(metric_models()[name], metric.options, progress)
        asked(metric.ready, metric.spec.name)


def facts_of(metrics: Iterable[Metric]) -> Mapping[str, str]:
    """What computes the metrics, for the record of a run; raises as `asked`."""
    answers = [asked(metric.versions, metric.spec.name) for metric in metrics]
    return {key: text for answer in answers for key, text in answer.items()}


def versions_of_codecs(models: Mapping[str, CodecModel]) -> Versions:
    """What computes models, by the names that they have in a run; raises as `asked`."""
    return {name: _versions(model, name, model.requires) for name, model in models.items()}


def versions_of_metrics(metrics: Iterable[Metric]) -> Versions:
    """What computes these metrics, by name; raises as `asked`."""
    return {
        m.spec.name: {METRIC_VERSION: m.spec.version, **_versions(m, m.spec.name, m.spec.requires)}
        for m in metrics
    }


def weights_of_metrics(metrics: Iterable[Metric]) -> Mapping[str, WeightsInfo]:
    """Where the files of the models that metrics run came from, by model; raises as `located`."""
    options = {name: metric.options for metric in metrics for name in metric.models}
    models = metric_models()
    return {name: located(models[name], how).info for name, how in options.items()}


def _versions(item: CodecModel | Metric, name: str, modules: Iterable[str]) -> dict[str, str]:
    origin = origin_of(item)
    versions = {origin.package: origin.version}
    if origin.module is not None:
        digest = sha256_of_file(origin.module)[:16]
        versions[origin.module.name] = f"sha256 {digest}"
    for module in modules:
        versions |= {package: metadata.version(package) for package in _packages().get(module, ())}
    return versions | dict(asked(item.versions, name))


def check_versions(run: Run, *, codecs: Versions, metrics: Versions, place: str) -> None:
    """Refuse to go on with a run by other versions than it was begun with."""
    found = first_difference(run.codec_versions, codecs) or first_difference(
        run.metric_versions, metrics
    )
    if found:
        name, package, then, now = found
        raise StoreError(
            f"{place} was made with another version than is here: {name} was computed by {package} "
            f"{then}, and here that is {now}; install what the run was made with, leave {name} "
            "out, or start a new run"
        )


def check_recordings(recorded: Mapping[str, str], *, place: str) -> None:
    """Refuse recordings whose sha256 is not that which a run keeps, by path."""
    for path, then in recorded.items():
        now = sha256_of_file(Path(path))[:12] if Path(path).is_file() else "none: no such file"
        if now != then[:12]:
            raise StoreError(
                f"{place} was made with another recording {path} than is here: its sha256 was "
                f"{then[:12]}, and here that is {now}; put that one back, or start a new run"
            )


def scored_too(run: Run, added: Sequence[Metric], *, place: str) -> Run:
    """The provenance of a run whose decodes get more scores, once those may stand beside its own.

    Raises StoreError if words in the run were heard by another recogniser than is to hear them now,
    or a metric of the same version is computed by another package, or a model by other files.
    """
    facts, versions = facts_of(added), versions_of_metrics(added)
    before, now = run.facts.get(ASR_FACT), facts.get(ASR_FACT)
    if before and now and before != now:
        raise StoreError(
            f"{place} was scored by the recogniser {before}, and this would be {now}; one run "
            "holds one recogniser's error rates: name that one with --asr, or score a copy of "
            "the run made before"
        )
    # A metric whose own version has changed scores everything anew, and mixes nothing.
    then = {name: of.get(METRIC_VERSION) for name, of in run.metric_versions.items()}
    same = {name: of for name, of in versions.items() if then.get(name) == of[METRIC_VERSION]}
    weights = weights_of_metrics(added)
    now_by = {model: digests_of(info) for model, info in weights.items()}
    kept = tuple(spec for spec in run.metrics if spec.name not in versions)
    for name in (spec.name for spec in kept):  # which may run the same models
        of = run.metric_versions.get(name, {})
        same[name] = {**of, **{model: now_by[model] for model in of if model in now_by}}
    check_versions(run, codecs={}, metrics=same, place=place)
    # Whoever goes on is to find the recogniser and the folders of what was added.
    request = run.request
    folders = {name: info.origin for name, info in weights.items() if info.source == "folder"}
    named = absolute_weights([f"{name}={folder}" for name, folder in folders.items()])
    others = (text for text in request.weights if text.partition("=")[0] not in weights)
    hearing = (metric.options.asr for metric in added if metric.spec.needs_transcript)
    asr, recipe = next(filter(None, hearing), request.asr), request.from_recipe
    if recipe and asr != request.asr:  # it is no longer that recipe
        recipe = replace(recipe, overridden={"asr": request.asr, **recipe.overridden})
    return replace(
        run, request=replace(request, asr=asr, weights=(*others, *named), from_recipe=recipe),
        metrics=(*kept, *(metric.spec for metric in added)), facts={**run.facts, **facts},
        metric_versions={**run.metric_versions, **versions},
        lacking={name: why for name, why in run.lacking.items() if name not in versions},
        metric_weights={**run.metric_weights, **weights},
    )  # fmt: skip


# ------------------------------------------------------------------- the machine, for the record
PACKAGES = (
    "snacbench", "torch", "torchaudio", "snac", "descript-audio-codec", "encodec",
    "visqol-python", "pesq", "jiwer", "librosa", "av", "ai-edge-litert", "soundfile", "soxr",
    "numpy", "scipy",
)  # fmt: skip


def package_versions() -> dict[str, str]:
    """Installed versions of the packages that can change a number."""
    versions = {"python": platform.python_version(), **dict.fromkeys(PACKAGES, "not installed")}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def machine() -> dict[str, str]:
    """The machine: processor, cores, memory, operating system."""
    lines, memory_bytes = list[str](), 0
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    with suppress(OSError, ValueError):
        memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "processor": next(names, platform.processor() or "unknown"),
        "cores": str(os.cpu_count()),
        "memory_gib": f"{memory_bytes / 2**30:.1f}",
    }


def gpu() -> str:
    """The GPUs and their driver, as ``nvidia-smi`` names them.

    PyTorch would take hundreds of megabytes of a GPU's memory to tell.
    """
    fields = "--query-gpu=name,driver_version,memory.total"
    command = ["nvidia-smi", fields, "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown: nvidia-smi does not tell"
    return "; ".join(done.stdout.split("\n")).strip("; ")
