"""``snacbench check``: what is installed, and which weights and test sets are at hand."""

from __future__ import annotations

import importlib.util

import click

from snacbench.cli.terminal import show_rows
from snacbench.errors import TestSetError
from snacbench.plugins import codec_models, metrics
from snacbench.store.provenance import package_versions
from snacbench.testsets import NAMED_SETS
from snacbench.weights.locate import state_of
from snacbench.weights.policy import parse_policy


@click.command(short_help="What is installed, which weights and test sets are at hand.")
@click.option("--weights", multiple=True, default=("auto",), help="As for run.")
def check(weights: tuple[str, ...]) -> None:
    """Report what is installed, and which weights and test sets are at hand."""
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


def _missing(packages: tuple[str, ...]) -> str:
    missing = [p for p in packages if importlib.util.find_spec(p) is None]
    return f"missing: {', '.join(missing)}" if missing else "ok"


def _set_state(name: str) -> str:
    try:
        test_set = NAMED_SETS[name].build()
    except TestSetError as error:
        return str(error)
    return f"{len(test_set.clips)} clips, {test_set.duration_s:.0f} s"
