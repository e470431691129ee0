"""``snacbench show``: everything that is known of a codec or a recipe without running it."""

from __future__ import annotations

from itertools import groupby

import click

from snacbench.cli.list import points_of
from snacbench.cli.terminal import out, show_facts
from snacbench.models import CodecModel
from snacbench.recipes import find_recipe
from snacbench.selectors import select
from snacbench.types import CodecSpec

_CONTEXT_TOKENS = 2048


@click.group
def show() -> None:
    """Show what is known of a codec, or what a recipe runs."""


@show.command(short_help="Streams, rates, latency, parameters, licence.")
@click.argument("name")
def codec(name: str) -> None:
    """Show the operating points that NAME selects: streams, rates, latency, size, licence.

    NAME may be a path to a checkpoint of your own: dac:runs/latest
    """
    for index, (model, spec) in enumerate(select(name)):
        if index:
            out.print()
        show_facts(facts_of(model, spec))


@show.command(short_help="What a recipe runs, and its file.")
@click.argument("name")
def recipe(name: str) -> None:
    """Show the file of a recipe: one of 'snacbench list recipes', or a path ending in .yaml."""
    found = find_recipe(name)
    show_facts({"recipe": found.name, "file": str(found.path), "sha256": found.sha256})
    click.echo("\n" + found.path.read_text("utf-8"), nl=False)


def facts_of(model: CodecModel, spec: CodecSpec) -> dict[str, str]:
    """A codec's specification, label by label."""
    facts = {
        "codec": spec.name + (" (truncated)" if spec.truncated else ""),
        "family": spec.family + (" (demonstration model)" if spec.demonstration else ""),
        "rate": f"{spec.rate_hz} Hz" if spec.rate_hz else "the clip's",
        "channels": " or ".join(map(str, spec.channels)) or "any",
        "nominal rate": _value(spec.nominal_kbps, "kbps"),
        "streams": _streams(spec),
        "tokens per second": _value(spec.tokens_per_s, ""),
        "2,048-token context": (
            f"{_CONTEXT_TOKENS / spec.tokens_per_s:.2f} s of audio" if spec.tokens_per_s else "-"
        ),
        "latency": _latency(spec),
        "parameters": _value(spec.params_m, "M"),
        "decoder": "stochastic, seeded per clip" if spec.stochastic else "deterministic",
        "weights": _weights(model),
        "found": "; ".join(spec.settings.get("notes", ())),
        "all points": points_of(model),
        "licence": spec.licence,
        "citation": spec.citation,
    }
    return {label: text for label, text in facts.items() if text}


def _value(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.4g} {unit}".strip()


def _streams(spec: CodecSpec) -> str:
    if not spec.streams:
        return "-"
    grouped = [(stream, len(list(group))) for stream, group in groupby(spec.streams)]
    return "; ".join(
        f"{count} x {float(s.frame_rate_hz):.4g} Hz x {s.codebook_size} entries "
        f"({float(s.bit_per_s) * count / 1000:.4g} kbps)"
        for s, count in grouped
    )


def _latency(spec: CodecSpec) -> str:
    if spec.latency_s is None:
        return "the whole file: the model normalises over all of it, or does not state one"
    return f"{spec.latency_s * 1000:.1f} ms algorithmic"


def _weights(model: CodecModel) -> str:
    source = model.source
    if source is None:
        return "none needed"
    if source.host == "embedded":
        return "embedded in snacbench"
    if source.host == "own":
        return ", ".join(file.url_path for file in source.files)
    return f"{source.repository} at {source.revision} ({source.host})"
