"""``snacbench check``: what is installed, and which weights and test sets are at hand."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from snacbench.cli.list import show_refused
from snacbench.cli.terminal import show_rows
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

EXIT_BROKEN = 2

_DEMONSTRATION = "snac-mini,dac-mini,encodec-mini"
_FOR_ALL = {
    "audio files, resampling": ("soundfile", "soxr", "scipy"),
    "weights": ("safetensors", "huggingface_hub", "requests"),
    "entropy coding": ("constriction",),
    "tables, plots, reports": ("pandas", "tabulate", "matplotlib", "jinja2"),
    "listening tests": ("starlette", "uvicorn"),
}


@click.command
@click.option("--weights", multiple=True, default=("auto",), help="As for run.")
@click.option("--agreement", is_flag=True, help="Compare codes with those of the CPU in fp32.")
@click.option("--codecs", default=_DEMONSTRATION, show_default=True, help="Which to compare.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cuda", show_default=True)
@click.option("--precision", type=click.Choice(PRECISIONS), default="fp32", show_default=True)
def check(weights: tuple[str, ...], agreement: bool, **compared: Any) -> int:
    """Report what is installed, and which weights and test sets are at hand.

    Packages are imported: one that does not load is named with the reason, and the exit code is 2.

    With --agreement, report instead how many codes a device and a precision leave as the CPU
    computes them in 32-bit floats, on excerpts of the quick set.
    """
    if agreement:
        _agreement(Request(weights=weights, limit=1, **compared))
        return 0
    return _report(weights)


def _agreement(request: Request) -> None:
    plan = with_weights(make_plan(request))
    rows = [
        (
            row.codec,
            row.computed,
            row.baseline,
            f"{row.equal} of {row.tokens}",
            "-" if row.share is None else f"{row.share:.3%}",
            "equal" if row.snr_db is None else f"{row.snr_db:.1f} dB",
        )
        for row in agreements(plan)
    ]
    show_rows(("codec", "computed on", "compared with", "codes equal", "share", "audio SNR"), rows)


def _report(weights: tuple[str, ...]) -> int:
    policy = parse_policy(weights)
    show_rows(("package", "version"), list(package_versions().items()))
    click.echo()
    models, specs = codec_models().values(), [metric.spec for metric in metrics().values()]
    rows = [(model.name, _state(model.requires), state_of(model, policy)) for model in models]
    show_rows(("codec", "packages", "weights"), rows)
    click.echo()
    show_rows(("metric", "packages"), [(spec.name, _state(spec.requires)) for spec in specs])
    click.echo()
    show_rows(("for", "packages"), [(use, _state(names)) for use, names in _FOR_ALL.items()])
    click.echo()
    show_rows(("set", "state"), [(name, _set_state(name)) for name in NAMED_SETS])
    click.echo()
    rows = [(use, str(folder), _place(folder)) for use, folder in _folders().items()]
    show_rows(("folder", "path", "state"), rows)
    show_refused(refused())
    needs = [*_FOR_ALL.values(), *(m.requires for m in models), *(s.requires for s in specs)]
    return _show_faults(dict.fromkeys(package for packages in needs for package in packages))


def _folders() -> dict[str, Path]:
    """Folders that are written beside those that the user names, by what they are for."""
    kept = {"cache": cache_folder(), "records of weights": state_folder()}
    variables = {"numba's cache": NUMBA_VARIABLE, "matplotlib's files": MATPLOTLIB_VARIABLE}
    set_ = {use: Path(os.environ[name]) for use, name in variables.items() if name in os.environ}
    return {**kept, **set_, "temporary files": Path(tempfile.gettempdir())}


def _place(folder: Path) -> str:
    return "writable" if is_writable(folder) else "may not be written"


def _state(packages: Iterable[str]) -> str:
    faulty = [package for package in packages if fault_of(package)]
    missing = [package for package in faulty if not is_installed(package)]
    broken = [package for package in faulty if package not in missing]
    states = {"missing": missing, "does not load": broken}
    told = (f"{state}: {', '.join(names)}" for state, names in states.items() if names)
    return "; ".join(told) or "ok"


def _show_faults(packages: Iterable[str]) -> int:
    """Say what is wrong with packages that should load; extras may be missing."""
    wanted = (package for package in packages if package not in EXTRAS or is_installed(package))
    sentences = dict.fromkeys(str(fault) for package in wanted if (fault := fault_of(package)))
    for sentence in sentences:
        click.echo(f"error: {sentence}", err=True)
    return EXIT_BROKEN if sentences else 0


def _set_state(name: str) -> str:
    try:
        test_set = NAMED_SETS[name].build()
    except TestSetError as error:
        return str(error)
    return f"{len(test_set.clips)} clips, {test_set.duration_s:.0f} s"
