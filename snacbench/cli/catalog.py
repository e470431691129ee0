"""Verbs for what there is: ``list`` and ``show`` it, ``check`` that it works (``check-codec``)."""

import os
from collections.abc import Iterable, Mapping
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snacbench import plugins
from snacbench.cli.terminal import ProgressBar, show_facts, show_line, show_rows
from snacbench.cli.verbs import option, shared
from snacbench.errors import UserError
from snacbench.models import CodecModel
from snacbench.packages import EXTRAS, fault_of, is_installed
from snacbench.selectors import select
from snacbench.types import CodecSpec, MetricOptions
from snacbench.weights.policy import WeightsPolicy, parse_policy, state_of

if TYPE_CHECKING:
    from snacbench.rows import Cost

Points = tuple[tuple[CodecModel, CodecSpec], ...]

# What no codec or metric asks for, and some verb needs.
_FOR_ALL = ["soundfile", "soxr", "scipy", "safetensors", "huggingface_hub", "requests"]
_FOR_ALL += ["constriction", "pandas", "tabulate", "matplotlib", "jinja2", "starlette", "uvicorn"]


@click.command("list")
@click.argument("what", type=click.Choice(["codecs", "metrics", "sets", "recipes"]))
def list_(what: str) -> None:
    """List the codecs, metrics, test sets or recipes there are."""
    if what == "codecs":
        rows: list[tuple[str, ...]] = []
        for model in plugins.codec_models().values():
            point = model.points[0]
            rate = str(point.rate_hz or "the clip's")
            channels = " or ".join(map(str, point.channels)) or "any"
            licence = point.licence.partition(" (")[0]
            rows.append((model.name, model.family, rate, channels, licence, _points(model)))
        show_rows(("codec", "family", "Hz", "channels", "licence", "points, kbps"), rows)
        click.echo("\nfamily names and what they stand for (published; embedded):")
        for family in plugins.codec_families().values():
            click.echo(f"  {family.name}: {family.published}; {family.embedded or 'the same'}")
        click.echo("\nmodels of your own, as [NAME=]PREFIX:PATH (docs/own-checkpoints.md):")
        click.echo("  FILE.py opens codecs that a Python file declares (docs/outside-codecs.md)")
        for opener in plugins.codec_openers().values():
            click.echo(f"  {opener.prefix}:PATH opens {opener.summary}")
        show_refused(plugins.refused("codecs"))
    elif what == "metrics":
        rows, published = [], WeightsPolicy("published")
        for spec, metric in ((metric.spec, metric) for metric in plugins.metrics().values()):
            domains = "all" if len(spec.domains) > 1 else spec.domains[0]
            told = (spec.unit, f"{spec.better} is better", str(spec.rate_hz), domains)
            models = [plugins.metric_models()[name] for name in metric.models]
            runs = "; ".join(f"{m.name}, {m.licence}, {state_of(m, published)}" for m in models)
            if metric.configure and not models:
                runs = "needs transcripts and a recogniser, which --asr names"
            rows.append((spec.name, *told, "default" if spec.default else "", runs))
        show_rows(("metric", "unit", "direction", "Hz", "domains", "", "runs a model"), rows)
        show_refused(plugins.refused("metrics"))
    elif what == "sets":
        from snacbench.testsets.corpora import corpora
        from snacbench.testsets.opening import COMPOSITE_SETS, NAMED_SETS

        known: dict[str, Any] = {**NAMED_SETS, **COMPOSITE_SETS, **corpora()}
        rows = [(name, one.summary) for name, one in known.items()]
        show_rows(("set", "what it is"), rows)
        click.echo("\n--data also takes a folder of audio files or a manifest (.csv)")
        click.echo("'snacbench sets list' says which corpora are on this disk")
        show_refused(plugins.refused("corpora"))
    else:
        import yaml

        from snacbench.recipes import shipped_recipes

        # By libyaml where it is, and not field by field as where one is run: a fifth of a second.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        read = {n: yaml.load(p.read_bytes(), loader) for n, p in shipped_recipes().items()}
        rows = [(name, of["data"], of["summary"]) for name, of in read.items()]
        show_rows(("recipe", "data", "what it is"), rows)
        click.echo("\nrun one by 'snacbench run NAME', or one of your own by its path (.yaml)")


def show_refused(left_out: list[str]) -> None:
    """Plug-ins that are left out, one line each."""
    if left_out:
        click.echo("\nleft out:")
    for refusal in left_out:
        click.echo(f"  {refusal}")


@click.group
def show() -> None:
    """Show what is known of a codec, or what a recipe runs."""


@show.command(short_help="Streams, rates, latency, parameters, licence; what it costs to run.")
@click.argument("name")
@option("--measure", bool, "Count multiply-accumulates, measure memory and delay (minutes).")
@shared("weights", "offline")
def codec(name: str, measure: bool, **options: Any) -> None:
    """Show the operating points that NAME selects: streams, rates, latency, size, licence.

    NAME may be a path to a checkpoint of your own: dac:runs/latest

    With --measure, each is loaded, and shown with what it takes to run: multiply-accumulates and
    parameters of encoder, quantiser and decoder, peak memory, and how much of the input its output
    really waits for (docs/cost.md).
    """

    def number(value: float | None, unit: str = "") -> str:
        return "-" if value is None else f"{value:.4g} {unit}".strip()

    if not measure and (options["offline"] or options["weights"] != ("auto",)):
        raise UserError("--weights and --offline say what --measure loads; add it, or drop them")
    chosen, costs = _measured(name, options) if measure else (select(name), {})
    for index, (model, spec) in enumerate(chosen):
        if index:
            click.echo()
        streams = []
        for stream, group in groupby(spec.streams):
            count, rate_hz = len(list(group)), float(stream.frame_rate_hz)
            kbps = float(stream.bit_per_s) * count / 1000
            entries = f"{stream.codebook_size} entries ({kbps:.4g} kbps)"
            streams.append(f"{count} x {rate_hz:.4g} Hz x {entries}")
        context_s = 2048 / spec.tokens_per_s if spec.tokens_per_s else None
        latency = "not known, or the whole file, if the model normalises over all of it"
        if spec.latency_s is not None:
            latency = f"{spec.latency_s * 1000:.1f} ms algorithmic"
        weights, source, longest = "none needed", model.source, spec.max_segment_frames
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
            "segments": f"1 to {longest} base frames" if longest > 1 else "",
            "tokens per second": number(spec.tokens_per_s),
            "2,048-token context": f"{context_s:.2f} s of audio" if context_s else "-",
            "latency": latency,
            "parameters": number(spec.params_m, "M"),
            **(_cost_facts(costs[spec.name]) if spec.name in costs else {}),
            "decoder": "stochastic, seeded per clip" if spec.stochastic else "deterministic",
            "weights": weights,
            "found": "; ".join(spec.settings.get("notes", ())),
            "all points": f"{_points(model)} (kbps)",
            "licence": spec.licence,
            "citation": spec.citation,
        }
        show_facts(facts)


def _measured(name: str, options: Mapping[str, Any]) -> "tuple[Points, dict[str, Cost]]":
    """The operating points, and what each costs as processes of their own measure it."""
    from snacbench.request import Request
    from snacbench.rows import Cost
    from snacbench.runner.measured_cost import CostJob, workers_for
    from snacbench.runner.plan import check_packages, locate_all, plan_codecs
    from snacbench.runner.pool import run_all

    planned, policy, _ = plan_codecs(Request(codecs=name, **options))
    check_packages(planned)
    located = locate_all(planned, policy)  # of which some may be -local, by name
    jobs, log = [CostJob(codec) for codec in located], Path(os.devnull)
    found = [row for rows in run_all(jobs, log=log, workers=workers_for(located)) for row in rows]
    points = tuple((codec.model, codec.spec) for codec in located)
    return points, {row.codec: row for row in found if isinstance(row, Cost)}


def _cost_facts(cost: "Cost") -> dict[str, str]:
    def parts(values: Mapping[str, float], unit: str, factor: float = 1.0) -> str:
        listed = [f"{part} {factor * value:.4g}" for part, value in values.items()]
        return f"{factor * sum(values.values()):.4g} {unit} ({', '.join(listed)})" if values else ""

    delay, block = cost.delay_samples, cost.block_samples
    waits = "the whole file, or more than 4 s" if cost.whole_file else ""
    if delay is not None:
        beyond = "no more" if delay <= (block or 0) else f"{delay - (block or 0):,} more"
        waits = f"{1000 * (cost.delay_s or 0):.1f} ms: {delay:,} samples"
        waits += f", {beyond} than its block of {block:,}" if block else ""
    peak = "" if cost.peak_mb is None else f"{cost.peak_mb:.0f} MB for {cost.duration_s:.3g} s"
    return {
        "not measured": cost.reason,
        "MACs to encode": parts(cost.encode_macs_per_s, "G per second", 1e-9),
        "MACs to decode": parts(cost.decode_macs_per_s, "G per second", 1e-9),
        "of its parts": parts(cost.params_m, "M parameters"),
        "peak memory": peak,
        "measured delay": waits,
    }


@show.command(short_help="What a recipe runs, and its file.")
@click.argument("name")
def recipe(name: str) -> None:
    """Show the file of a recipe: one of 'snacbench list recipes', or a path ending in .yaml."""
    from snacbench.recipes.recipe import find_recipe

    found = find_recipe(name)
    show_facts({"recipe": found.name, "file": str(found.path), "sha256": found.sha256})
    click.echo("\n" + found.path.read_text("utf-8"), nl=False)


def _points(model: CodecModel) -> str:
    named = [
        f"{p.nominal_kbps:.3g}" if p.nominal_kbps else p.name.partition("@")[2] or "-"
        for p in model.points
    ]
    shown = [name + "*" * p.truncated for name, p in zip(named, model.points, strict=True)]
    shown = shown if len(shown) <= 12 else [*shown[:4], "...", shown[-1]]
    stars = "  (* truncated)" if any(p.truncated for p in model.points) else ""
    return ", ".join([*shown, *["or any"] * bool(model.free_point)]) + stars


@click.command
@option("--weights", ("auto",), "As for run.", multiple=True)
def check(weights: tuple[str, ...]) -> int:
    """Report what is installed, and which weights are at hand.

    Packages are imported: one that does not load is named with the reason, and the exit code is 2.
    """
    from snacbench.runner.versions import package_versions
    from snacbench.weights.of_metrics import policy_for

    policy = parse_policy(weights)
    show_rows(("package", "version"), list(package_versions().items()))
    models, specs = (
        plugins.codec_models().values(),
        [metric.spec for metric in plugins.metrics().values()],
    )
    click.echo()
    rows = [(model.name, _state(model.requires), state_of(model, policy)) for model in models]
    show_rows(("codec", "packages", "weights"), rows)
    click.echo()
    rows, options = [], MetricOptions(weights=weights)
    for metric in plugins.metrics().values():
        runs = [plugins.metric_models()[name] for name in metric.models]
        states = "; ".join(state_of(model, policy_for(model, options)) for model in runs)
        rows.append((metric.spec.name, _state(metric.spec.requires), states))
    show_rows(("metric", "packages", "weights"), rows)
    show_refused(plugins.refused())
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
    from snacbench.api.signals import check_codec as codec_findings

    with ProgressBar() as bar:
        found = codec_findings(name, **options, progress=bar)
    rows = [(f.codec, f.check, "failed" if f.reason else "ok", f.reason) for f in found]
    show_rows(("codec", "check", "", "why"), rows)
    broken = sum(bool(finding.reason) for finding in found)
    show_line(f"\n{broken} of {len(found)} checks failed" if broken else "\nall checks passed")
    return 1 if broken else 0
