"""``snacbench check`` and ``check-codec``: what is here and works, and what a codec promises."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

import click

from snacbench.api.signals import check_codec as codec_findings
from snacbench.cli.catalog import show_refused
from snacbench.cli.terminal import ProgressBar, show_line, show_rows
from snacbench.cli.verbs import option, shared
from snacbench.packages import EXTRAS, fault_of, is_installed
from snacbench.plugins import codec_models, metric_models, metrics, refused
from snacbench.runner.versions import package_versions
from snacbench.types import MetricOptions
from snacbench.weights.of_metrics import policy_for
from snacbench.weights.policy import parse_policy, state_of

# What no codec or metric asks for, and some verb needs.
_FOR_ALL = ["soundfile", "soxr", "scipy", "safetensors", "huggingface_hub", "requests"]
_FOR_ALL += ["constriction", "pandas", "tabulate", "matplotlib", "jinja2", "starlette", "uvicorn"]


@click.command
@option("--weights", ("auto",), "As for run.", multiple=True)
def check(weights: tuple[str, ...]) -> int:
    """Report what is installed, and which weights are at hand.

    Packages are imported: one that does not load is named with the reason, and the exit code is 2.
    """
    policy = parse_policy(weights)
    show_rows(("package", "version"), list(package_versions().items()))
    models, specs = codec_models().values(), [metric.spec for metric in metrics().values()]
    click.echo()
    rows = [(model.name, _state(model.requires), state_of(model, policy)) for model in models]
    show_rows(("codec", "packages", "weights"), rows)
    click.echo()
    rows, options = [], MetricOptions(weights=weights)
    for metric in metrics().values():
        runs = [metric_models()[name] for name in metric.models]
        states = "; ".join(state_of(model, policy_for(model, options)) for model in runs)
        rows.append((metric.spec.name, _state(metric.spec.requires), states))
    show_rows(("metric", "packages", "weights"), rows)
    show_refused(refused())
    asked = chain(_FOR_ALL, *(m.requires for m in models), *(s.requires for s in specs))
    wanted = {package: package not in EXTRAS or is_installed(package) for package in asked}
    faults = dict.fromkeys(str(fault_of(p)) for p in wanted if wanted[p] and fault_of(p))
    for sentence in faults:
        click.echo(f"error: {sentence}", err=True)
    return 2 if faults else 0


def _state(packages: Iterable[str]) -> str:
    states = {True: "does not load", False: "missing"}
    return "; ".join(f"{states[is_installed(p)]}: {p}" for p in packages if fault_of(p)) or "ok"


@click.command("check-codec")
@click.argument("name")
@shared("weights", "offline")
def check_codec(name: str, **options: Any) -> int:
    """Check every operating point that NAME selects against what a codec promises.

    Lengths, channels and rates come back, decoding depends on codes and seed alone, in another
    process too, rates are those that are stated, silence is coded: docs/adding-a-codec.md.
    """
    with ProgressBar() as bar:
        found = codec_findings(name, **options, progress=bar)
    rows = [(f.codec, f.check, "failed" if f.reason else "ok", f.reason) for f in found]
    show_rows(("codec", "check", "", "why"), rows)
    broken = sum(bool(finding.reason) for finding in found)
    show_line(f"\n{broken} of {len(found)} checks failed" if broken else "\nall checks passed")
    return 1 if broken else 0
