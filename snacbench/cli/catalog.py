"""``snacbench list`` and ``show``: what there is, and what is known of it without running it."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import click

from snacbench.cli.terminal import out, show_facts, show_rows
from snacbench.models import CodecModel
from snacbench.plugins import (
    Refused,
    codec_families,
    codec_models,
    codec_openers,
    metric_models,
    metrics,
    refused,
)
from snacbench.selectors import select
from snacbench.weights.of_metrics import at_hand

_CONTEXT_TOKENS = 2048


@click.command("list")
@click.argument("what", type=click.Choice(["codecs", "metrics", "sets", "recipes"]))
def list_(what: str) -> None:
    """List the codecs, metrics, test sets or recipes there are."""
    if what == "codecs":
        rows: list[tuple[str, ...]] = []
        for model in codec_models().values():
            point = model.points[0]
            rate = str(point.rate_hz or "the clip's")
            channels = " or ".join(map(str, point.channels)) or "any"
            rows.append((model.name, model.family, rate, channels, _points(model), point.licence))
        show_rows(("codec", "family", "Hz", "channels", "points, kbps", "licence"), rows)
        click.echo("\nfamily names and what they stand for (published; embedded):")
        for family in codec_families().values():
            click.echo(f"  {family.name}: {family.published}; {family.embedded or 'the same'}")
        click.echo("\nmodels of your own, as [NAME=]PREFIX:PATH (docs/own-checkpoints.md):")
        click.echo(
            "  FILE.py opens the codecs that a Python file declares (docs/outside-codecs.md)"
        )
        for opener in codec_openers().values():
            click.echo(f"  {opener.prefix}:PATH opens {opener.summary}")
        show_refused(refused("codecs"))
    elif what == "metrics":
        rows = []
        for spec in (metric.spec for metric in metrics().values()):
            domains = "all" if len(spec.domains) > 1 else spec.domains[0]
            told = (spec.unit, f"{spec.better} is better", str(spec.rate_hz), domains)
            models = (metric_models()[name] for name in metrics()[spec.name].models)
            runs = "; ".join(f"{m.name}, {m.licence}, {at_hand(m)}" for m in models)
            rows.append((spec.name, *told, "default" if spec.default else "", runs))
        show_rows(("metric", "unit", "direction", "Hz", "domains", "", "runs a model"), rows)
        show_refused(refused("metrics"))
    elif what == "sets":
        from snacbench.testsets.corpora import corpora
        from snacbench.testsets.opening import COMPOSITE_SETS, NAMED_SETS

        known: dict[str, Any] = {**NAMED_SETS, **COMPOSITE_SETS, **corpora()}
        rows = [(name, one.summary) for name, one in known.items()]
        show_rows(("set", "what it is"), rows)
        click.echo("\n--data also takes a folder of audio files or a manifest (.csv)")
        click.echo("'snacbench sets list' says which corpora are on this disk")
        show_refused(refused("corpora"))
    else:
        from snacbench.recipes import find_recipe, shipped_recipes

        found = [find_recipe(name) for name in shipped_recipes()]
        rows = [(r.name, r.recipe.data, r.recipe.summary) for r in found]
        show_rows(("recipe", "data", "what it is"), rows)
        click.echo("\nrun one by 'snacbench run NAME', or one of your own by its path (.yaml)")


def show_refused(left_out: list[Refused]) -> None:
    """Plug-ins that are left out, one line each."""
    if left_out:
        click.echo("\nleft out:")
    for refusal in left_out:
        click.echo(f"  {refusal}")


@click.group
def show() -> None:
    """Show what is known of a codec, or what a recipe runs."""


@show.command(short_help="Streams, rates, latency, parameters, licence.")
@click.argument("name")
def codec(name: str) -> None:
    """Show the operating points that NAME selects: streams, rates, latency, size, licence.

    NAME may be a path to a checkpoint of your own: dac:runs/latest
    """

    def number(value: float | None, unit: str = "") -> str:
        return "-" if value is None else f"{value:.4g} {unit}".strip()

    for index, (model, spec) in enumerate(select(name)):
        if index:
            out.print()
        streams = []
        for stream, group in groupby(spec.streams):
            count, rate_hz = len(list(group)), float(stream.frame_rate_hz)
            kbps = float(stream.bit_per_s) * count / 1000
            entries = f"{stream.codebook_size} entries ({kbps:.4g} kbps)"
            streams.append(f"{count} x {rate_hz:.4g} Hz x {entries}")
        context_s = _CONTEXT_TOKENS / spec.tokens_per_s if spec.tokens_per_s else None
        latency = "not known, or the whole file, if the model normalises over all of it"
        if spec.latency_s is not None:
            latency = f"{spec.latency_s * 1000:.1f} ms algorithmic"
        weights, source = "none needed", model.source
        if source is not None:
            own = ", ".join(file.url_path for file in source.files)
            known = {"embedded": "embedded in snacbench", "own": own}
            published = f"{source.repository} at {source.revision} ({source.host})"
            weights = known.get(source.host, published)
        facts = {
            "codec": spec.name + (" (truncated)" if spec.truncated else ""),
            "family": spec.family + (" (demonstration model)" if spec.demonstration else ""),
            "rate": f"{spec.rate_hz} Hz" if spec.rate_hz else "the clip's",
            "channels": " or ".join(map(str, spec.channels)) or "any",
            "nominal rate": number(spec.nominal_kbps, "kbps"),
            "streams": "; ".join(streams) or "-",
            "tokens per second": number(spec.tokens_per_s),
            "2,048-token context": f"{context_s:.2f} s of audio" if context_s else "-",
            "latency": latency,
            "parameters": number(spec.params_m, "M"),
            "decoder": "stochastic, seeded per clip" if spec.stochastic else "deterministic",
            "weights": weights,
            "found": "; ".join(spec.settings.get("notes", ())),
            "all points": f"{_points(model)} (kbps)",
            "licence": spec.licence,
            "citation": spec.citation,
        }
        show_facts(facts)


@show.command(short_help="What a recipe runs, and its file.")
@click.argument("name")
def recipe(name: str) -> None:
    """Show the file of a recipe: one of 'snacbench list recipes', or a path ending in .yaml."""
    from snacbench.recipes import find_recipe

    found = find_recipe(name)
    show_facts({"recipe": found.name, "file": str(found.path), "sha256": found.sha256})
    click.echo("\n" + found.path.read_text("utf-8"), nl=False)


def _points(model: CodecModel) -> str:
    """The operating points of a model, in a few words."""
    named = [
        f"{p.nominal_kbps:.3g}" if p.nominal_kbps else p.name.partition("@")[2] or "-"
        for p in model.points
    ]
    shown = [name + "*" * p.truncated for name, p in zip(named, model.points, strict=True)]
    shown = shown if len(shown) <= 12 else [*shown[:4], "...", shown[-1]]
    stars = "  (* truncated)" if any(p.truncated for p in model.points) else ""
    return ", ".join([*shown, *["or any"] * bool(model.free_point)]) + stars
