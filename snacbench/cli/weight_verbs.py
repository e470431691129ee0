"""``snacbench weights``: published weights on this disk: what is here, fetch it, check it."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.filesize import decimal

from snacbench.cli.terminal import ProgressBar, say, show_line, show_rows
from snacbench.cli.verbs import offline_option, option
from snacbench.errors import (
    MissingPackage,
    UnknownName,
    UserError,
    WeightsMismatch,
    WeightsUnavailable,
    did_you_mean,
)
from snacbench.models import CodecModel, HasWeights
from snacbench.plugins import (
    codec_families,
    codec_models,
    metric_models,
    metrics,
)
from snacbench.recipes import find_recipe, shipped_recipes
from snacbench.request import Request
from snacbench.selectors import select
from snacbench.types import NO_OPTIONS, CodecSpec, Metric
from snacbench.weights.locate import items, locate
from snacbench.weights.lock import lock_path
from snacbench.weights.policy import WeightsPolicy, is_published, weights_folder

EXIT_WRONG = 1
_MODELS = click.argument("models", nargs=-1, metavar="[MODEL]...")


@click.group
def weights() -> None:
    r"""Published weights: what is on this disk, fetch it, check it, where it lies.

    MODEL is a name as in --codecs: a model, a family (snac: what 'run --codecs snac' needs), or
    the beginning of names (dac-: all of them); or the name of a metric, or of the model that it
    runs (utmos, utmos22-strong).
    """


@weights.command("list", short_help="Which files are where, and by what their digests are known.")
@_MODELS
def list_(models: tuple[str, ...]) -> None:
    """List files of weights: size, place, and by what their digests are known."""
    rows = []
    for item in (item for model in _named(models) for item in items(model, WeightsPolicy())):
        size = "" if item.size_bytes is None else decimal(item.size_bytes)
        rows.append((item.model, item.file, size, item.place, item.digest))
    show_rows(("model", "file", "size", "where", "digest"), rows)
    click.echo(f"\nsnacbench cache: {weights_folder()}\nlock file: {lock_path()}")


@weights.command(short_help="Fetch published weights into snacbench's cache.")
@_MODELS
@option("--all everything", bool, "Every published model.")
@offline_option
def fetch(models: tuple[str, ...], everything: bool, offline: bool) -> int:
    """Fetch what is not on this disk, and check what is.

    MODEL may be a recipe, of which everything is fetched: its codecs and its metrics' models. A
    fetch that was stopped goes on where it was. Exit code 1: some of a recipe or of --all could not
    be had.
    """
    if not models and not everything:
        raise UserError(
            "name models to fetch, for example 'snacbench weights fetch snac', or --all"
        )
    from snacbench.runner.plan import chosen_metrics

    of_recipes = [n for n in models if n in shipped_recipes() or n.endswith((".yaml", ".yml"))]
    recipes, named = list(map(find_recipe, of_recipes)), [n for n in models if n not in of_recipes]
    asked = (Request(**{**recipe.options(), "offline": offline}) for recipe in recipes)
    failed = sum(_is_lacking(metric) for request in asked for metric in chosen_metrics(request))
    named += [codec for recipe in recipes for codec in recipe.recipe.codecs or ()]
    for model in _named(named) if named or everything else ():
        if everything and not is_published(model):
            continue
        if recipes and (model.source is None or model.source.host == "embedded"):
            continue
        try:
            with ProgressBar() as bar:
                located = locate(model, WeightsPolicy("published", offline=offline), bar)
        except (WeightsUnavailable, WeightsMismatch) as error:
            if not everything and not recipes:
                raise
            failed += 1
            say(f"{model.name}: {error}", style="bold red")
            continue
        if located is None:
            click.echo(f"{model.name}: has no weights")
            continue
        for name, path in located.files.items():
            click.echo(f"{model.name}: {path}  sha256 {located.info.sha256[name]}")
    return EXIT_WRONG if failed else 0


def _is_lacking(metric: Metric) -> bool:
    """Let a metric fetch what it needs; whether it could not, which is said."""
    from snacbench.runner.versions import make_ready

    try:
        with ProgressBar() as bar:
            make_ready([metric], bar)
    except (MissingPackage, WeightsUnavailable, WeightsMismatch) as error:
        say(f"{metric.spec.name}: {error}", style="bold red")
        return True
    click.echo(f"{metric.spec.name}: ready")
    return False


@weights.command(short_help="Read weights again and compare their digests.")
@_MODELS
def verify(models: tuple[str, ...]) -> int:
    """Read every file that is here again and compare its digest with what is pinned or recorded.

    Exit code 1: a file is not what it must be; the list names it.
    """
    rows, wrong, policy = [], [], WeightsPolicy()
    for item in (item for model in _named(models) for item in items(model, policy, read=True)):
        if item.path:
            state = "unknown" if item.digest == "unknown" else "ok"
            rows.append((item.model, "wrong" if item.wrong else state, str(item.path), item.digest))
            wrong += [f"wrong: {item.path} {item.wrong}"] * bool(item.wrong)
    show_rows(("model", "state", "file", "digest"), rows)
    show_line(f"\n{len(rows)} files read, {len(wrong)} wrong")
    for line in wrong:
        say(line)
    return EXIT_WRONG if wrong else 0


@weights.command(short_help="Print where the files of a model are.")
@click.argument("model")
def path(model: str) -> None:
    """Print the paths of the files that a run would use, one per line; nothing is fetched."""
    for chosen in _named((model,)):
        if located := locate(chosen, WeightsPolicy(offline=True)):
            click.echo("\n".join(map(str, located.files.values())))


def _named(names: Sequence[str]) -> list[HasWeights]:
    """Models by name, each once; none named: all that have weights, but for the user's own."""
    of_metrics = metric_models()
    if not names:
        of_codecs = [m for m in codec_models().values() if m.source and m.source.host != "own"]
        return [*of_codecs, *of_metrics.values()]
    models = dict[str, HasWeights]()
    for name in names:
        if name in of_metrics:
            models[name] = of_metrics[name]
        elif metric := metrics().get(name):
            if metric.configure:  # by the user's settings
                metric = metric.configure(NO_OPTIONS)
            if not metric.models:
                advice = "there is nothing to fetch"
                if metric.configure:
                    advice = "of the recognisers under it name one, such as hubert-large"
                raise UserError(f"{name} runs no published model: {advice}")
            models |= {model: of_metrics[model] for model in metric.models}
        else:
            models |= {model.name: model for model, _ in _selected(name)}
    return list(models.values())


def _selected(name: str) -> Sequence[tuple[CodecModel, CodecSpec]]:
    """What a selector names; `UnknownName` tells names of metrics, too."""
    try:
        return select(name)
    except UnknownName as error:
        running = [name for name, metric in metrics().items() if metric.models]
        known = [*codec_families(), *codec_models(), *metric_models(), *running]
        raise UnknownName(
            f"no codec, metric or model named {name!r}; {did_you_mean(name, known)}"
        ) from error
