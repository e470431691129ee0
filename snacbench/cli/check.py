"""``snacbench check``: what is installed, and which weights and test sets are at hand."""

from __future__ import annotations

import importlib.util
from typing import Any

import click

from snacbench.cli.list import show_refused
from snacbench.cli.terminal import show_rows
from snacbench.errors import TestSetError
from snacbench.plugins import codec_models, metrics, refused
from snacbench.runner import plan as planning
from snacbench.runner.agreement import agreements
from snacbench.runner.precision import PRECISIONS
from snacbench.store.provenance import package_versions
from snacbench.testsets import NAMED_SETS
from snacbench.weights.locate import state_of
from snacbench.weights.policy import parse_policy

_DEMONSTRATION = "snac-mini,dac-mini,encodec-mini"


@click.command(short_help="What is installed, which weights and test sets are at hand.")
@click.option("--weights", multiple=True, default=("auto",), help="As for run.")
@click.option("--agreement", is_flag=True, help="Compare codes with those of the CPU in fp32.")
@click.option("--codecs", default=_DEMONSTRATION, show_default=True, help="Which to compare.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cuda", show_default=True)
@click.option("--precision", type=click.Choice(PRECISIONS), default="fp32", show_default=True)
def check(weights: tuple[str, ...], agreement: bool, **compared: Any) -> None:
    """Report what is installed, and which weights and test sets are at hand.

    With --agreement, report instead how many codes a device and a precision leave as the CPU
    computes them in 32-bit floats, on excerpts of the quick set.
    """
    if agreement:
        _agreement(planning.Request(weights=weights, limit=1, **compared))
    else:
        _report(weights)


def _agreement(request: planning.Request) -> None:
    plan = planning.with_weights(planning.make_plan(request))
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


def _report(weights: tuple[str, ...]) -> None:
    policy = parse_policy(weights)
    show_rows(("package", "version"), list(package_versions().items()))
    click.echo()
    rows = [
        (model.name, _missing(model.requires), state_of(model, policy))
        for model in codec_models().values()
    ]
    show_rows(("codec", "packages", "weights"), rows)
    click.echo()
    show_rows(
        ("metric", "packages"),
        [(m.spec.name, _missing(m.spec.requires)) for m in metrics().values()],
    )
    click.echo()
    show_rows(("set", "state"), [(name, _set_state(name)) for name in NAMED_SETS])
    show_refused(refused())


def _missing(packages: tuple[str, ...]) -> str:
    missing = [p for p in packages if importlib.util.find_spec(p) is None]
    return f"missing: {', '.join(missing)}" if missing else "ok"


def _set_state(name: str) -> str:
    try:
        test_set = NAMED_SETS[name].build()
    except TestSetError as error:
        return str(error)
    return f"{len(test_set.clips)} clips, {test_set.duration_s:.0f} s"
