"""``snacbench check`` and ``check-codec``: what is here and works, and what a codec promises."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from snacbench.api.signals import check_codec as codec_findings
from snacbench.cli.catalog import show_refused
from snacbench.cli.terminal import ProgressBar, show_line, show_rows
from snacbench.cli.verbs import offline_option, option, weights_option
from snacbench.errors import TestSetError
from snacbench.packages import EXTRAS, fault_of, is_installed
from snacbench.plugins import codec_models, metrics, refused
from snacbench.request import PRECISIONS, Request
from snacbench.runner.calibrate import agreements
from snacbench.runner.plan import make_plan, with_weights
from snacbench.runner.versions import package_versions
from snacbench.settings import (
    MATPLOTLIB_VARIABLE,
    NUMBA_VARIABLE,
    cache_folder,
    is_writable,
    state_folder,
)
from snacbench.testsets import NAMED_SETS
from snacbench.weights.locate import state_of
from snacbench.weights.policy import parse_policy

EXIT_BROKEN_PACKAGE, EXIT_BROKEN_PROMISE = 2, 1

_DEMONSTRATION = "snac-mini,dac-mini,encodec-mini"
_FOR_ALL = {
    "audio files, resampling": ("soundfile", "soxr", "scipy"),
    "weights": ("safetensors", "huggingface_hub", "requests"),
    "entropy coding": ("constriction",),
    "tables, plots, reports": ("pandas", "tabulate", "matplotlib", "jinja2"),
    "listening tests": ("starlette", "uvicorn"),
}


@click.command
@option("--weights", ("auto",), "As for run.", multiple=True)
@option("--agreement", bool, "Compare codes with those of the CPU in fp32.")
@option("--codecs", _DEMONSTRATION, "Which to compare.")
@option("--device", click.Choice(["cpu", "cuda"]), default="cuda")
@option("--precision", click.Choice(PRECISIONS), default="fp32")
def check(weights: tuple[str, ...], agreement: bool, **compared: Any) -> int:
    """Report what is installed, and which weights and test sets are at hand.

    Packages are imported: one that does not load is named with the reason, and the exit code is 2.

    With --agreement, report instead how many codes a device and a precision leave as the CPU
    computes them in 32-bit floats, on excerpts of the quick set.
    """
    if agreement:
        plan, found = make_plan(Request(weights=weights, limit=1, **compared)), []
        for row in agreements(with_weights(plan)):
            share = "-" if row.share is None else f"{row.share:.3%}"
            snr = "equal" if row.snr_db is None else f"{row.snr_db:.1f} dB"
            equal = f"{row.equal} of {row.tokens}"
            found.append((row.codec, row.computed, row.baseline, equal, share, snr))
        headings = ("codec", "computed on", "compared with", "codes equal", "share", "audio SNR")
        show_rows(headings, found)
        return 0
    policy = parse_policy(weights)
    show_rows(("package", "version"), list(package_versions().items()))
    models, specs = codec_models().values(), [metric.spec for metric in metrics().values()]
    click.echo()
    rows = [(model.name, _state(model.requires), state_of(model, policy)) for model in models]
    show_rows(("codec", "packages", "weights"), rows)
    click.echo()
    show_rows(("metric", "packages"), [(spec.name, _state(spec.requires)) for spec in specs])
    click.echo()
    show_rows(("for", "packages"), [(use, _state(names)) for use, names in _FOR_ALL.items()])
    click.echo()
    states = []
    for name, named in NAMED_SETS.items():
        try:
            test_set = named.build()
            state = f"{len(test_set.clips)} clips, {test_set.duration_s:.0f} s"
        except TestSetError as error:
            state = str(error)
        states.append((name, state))
    show_rows(("set", "state"), states)
    click.echo()
    # Folders that are written beside those that the user names.
    folders = {"cache": cache_folder(), "records of weights": state_folder()}
    variables = {"numba's cache": NUMBA_VARIABLE, "matplotlib's files": MATPLOTLIB_VARIABLE}
    set_ = {use: Path(os.environ[name]) for use, name in variables.items() if name in os.environ}
    folders |= {**set_, "temporary files": Path(tempfile.gettempdir())}
    rows = [
        (use, str(folder), "writable" if is_writable(folder) else "may not be written")
        for use, folder in folders.items()
    ]
    show_rows(("folder", "path", "state"), rows)
    show_refused(refused())
    needs = (*_FOR_ALL.values(), *(m.requires for m in models), *(s.requires for s in specs))
    packages = dict.fromkeys(package for packages in needs for package in packages)
    wanted = (package for package in packages if package not in EXTRAS or is_installed(package))
    faults = dict.fromkeys(str(fault) for package in wanted if (fault := fault_of(package)))
    for sentence in faults:
        click.echo(f"error: {sentence}", err=True)
    return EXIT_BROKEN_PACKAGE if faults else 0


def _state(packages: Iterable[str]) -> str:
    faulty = [package for package in packages if fault_of(package)]
    missing = [package for package in faulty if not is_installed(package)]
    broken = [package for package in faulty if package not in missing]
    states = {"missing": missing, "does not load": broken}
    told = (f"{state}: {', '.join(names)}" for state, names in states.items() if names)
    return "; ".join(told) or "ok"


@click.command("check-codec")
@click.argument("name")
@weights_option
@offline_option
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
    return EXIT_BROKEN_PROMISE if broken else 0
