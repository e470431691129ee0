"""``snacbench list``: the codecs, metrics, test sets and recipes there are."""

from __future__ import annotations

import click

from snacbench.cli.terminal import show_rows
from snacbench.models import CodecModel
from snacbench.plugins import (
    Refused,
    codec_families,
    codec_models,
    codec_openers,
    metrics,
    refused,
)


@click.command("list")
@click.argument("what", type=click.Choice(["codecs", "metrics", "sets", "recipes"]))
def list_(what: str) -> None:
    """List the codecs, metrics, test sets or recipes there are."""
    {"codecs": _codecs, "metrics": _metrics, "sets": _sets, "recipes": _recipes}[what]()


def _codecs() -> None:
    rows = [
        (m.name, m.family, _rate(m), _channels(m), points_of(m), m.points[0].licence)
        for m in codec_models().values()
    ]
    show_rows(("codec", "family", "Hz", "channels", "operating points", "licence"), rows)
    click.echo("\nfamily names and what they stand for (published; embedded):")
    for family in codec_families().values():
        click.echo(f"  {family.name}: {family.published}; {family.embedded or 'the same'}")
    click.echo("\nmodels of your own, as [NAME=]PREFIX:PATH (docs/own-checkpoints.md):")
    click.echo("  FILE.py opens the codecs that a Python file declares (docs/outside-codecs.md)")
    for opener in codec_openers().values():
        click.echo(f"  {opener.prefix}:PATH opens {opener.summary}")
    show_refused(refused("codecs"))


def _metrics() -> None:
    rows = [
        (
            m.spec.name,
            m.spec.unit,
            f"{m.spec.better} is better",
            str(m.spec.rate_hz),
            "all" if len(m.spec.domains) > 1 else m.spec.domains[0],
            "default" if m.spec.default else "",
        )
        for m in metrics().values()
    ]
    show_rows(("metric", "unit", "direction", "Hz", "domains", ""), rows)
    show_refused(refused("metrics"))


def _sets() -> None:
    from snacbench.testsets.corpora import corpora
    from snacbench.testsets.opening import COMPOSITE_SETS, NAMED_SETS

    rows = [(s.name, s.summary) for s in NAMED_SETS.values()]
    rows += [(s.name, s.summary) for s in COMPOSITE_SETS.values()]
    rows += [(c.name, c.summary) for c in corpora().values()]
    show_rows(("set", "what it is"), rows)
    click.echo("\n--data also takes a folder of audio files or a manifest (.csv)")
    click.echo("'snacbench sets list' says which corpora are on this disk")


def _recipes() -> None:
    from snacbench.recipes import find_recipe, shipped_recipes

    found = [find_recipe(name) for name in shipped_recipes()]
    show_rows(
        ("recipe", "data", "what it is"),
        [(r.name, r.recipe.data, r.recipe.summary) for r in found],
    )
    click.echo("\nrun one by 'snacbench run NAME', or one of your own by its path (.yaml)")


def show_refused(left_out: list[Refused]) -> None:
    """Plug-ins that are left out, one line each."""
    if left_out:
        click.echo("\nleft out:")
    for refusal in left_out:
        click.echo(f"  {refusal}")


def _rate(model: CodecModel) -> str:
    return str(model.points[0].rate_hz or "the clip's")


def _channels(model: CodecModel) -> str:
    return " or ".join(map(str, model.points[0].channels)) or "any"


def points_of(model: CodecModel) -> str:
    """The operating points of a model, in a few words."""
    if all(point.nominal_kbps is None for point in model.points):
        return ", ".join(point.name.partition("@")[2] or "-" for point in model.points)
    rates = [f"{p.nominal_kbps:.3g}{'*' if p.truncated else ''}" for p in model.points]
    shown = rates if len(rates) <= 12 else [*rates[:4], "...", rates[-1]]
    more = "; any rate" if model.free_point else ""
    stars = "  (* truncated)" if any(p.truncated for p in model.points) else ""
    return f"{', '.join(shown)} kbps{more}{stars}"
