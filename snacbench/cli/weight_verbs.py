"""``snacbench weights``: published weights on this disk: what is here, fetch it, check it."""

from collections.abc import Iterator, Sequence

import click
from rich.filesize import decimal

from snacbench import errors
from snacbench.cli.terminal import ProgressBar, say, show_line, show_rows
from snacbench.cli.verbs import shared
from snacbench.files import sha256_of_file
from snacbench.models import HasWeights
from snacbench.plugins import codec_families, codec_models, metric_models, metrics
from snacbench.recipes import shipped_recipes
from snacbench.recipes.recipe import find_recipe
from snacbench.request import Request
from snacbench.selectors import select
from snacbench.settings import ASR_VARIABLE
from snacbench.types import NO_OPTIONS
from snacbench.weights.locate import locate, what_is_wrong
from snacbench.weights.lock import Known, known_files, lock_path
from snacbench.weights.policy import Copy, WeightsPolicy, copies, is_published, weights_folder

EXIT_WRONG = 1
_NOT_HAD = (errors.WeightsUnavailable, errors.WeightsMismatch)
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
    for model, known, copy in _copies(models):
        size = decimal(known.entry.size_bytes) if known.entry else ""
        if copy:
            size = decimal(copy.path.stat().st_size)
        place = copy.place if copy else "not here"
        rows.append((model.name, known.file.name, size, place, _known_by(model, known)))
    show_rows(("model", "file", "size", "where", "digest"), rows)
    click.echo(f"\nsnacbench cache: {weights_folder()}\nlock file: {lock_path()}")


@weights.command(short_help="Fetch published weights into snacbench's cache.")
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@shared("offline")
def fetch(models: tuple[str, ...], offline: bool) -> int:
    """Fetch what is not on this disk, and check what is.

    MODEL may be a recipe, of which everything is fetched: its codecs and its metrics' models. A
    fetch that was stopped goes on where it was. Exit code 1: some of a recipe could not be had.
    """
    from snacbench.runner.plan import chosen_metrics, plan_codecs
    from snacbench.runner.versions import make_ready

    recipes = [n for n in models if n in shipped_recipes() or n.endswith((".yaml", ".yml"))]
    wanted = dict[str, tuple[HasWeights, WeightsPolicy]]()
    if named := [name for name in models if name not in recipes]:
        policy = WeightsPolicy("published", offline=offline)
        wanted |= {model.name: (model, policy) for model in _named(named)}
    failed = 0
    for recipe in map(find_recipe, recipes):
        request = Request(**{**recipe.options(), "offline": offline})
        if request.codecs:
            planned, policy, _ = plan_codecs(request)
            of_recipe = [codec.model for codec in planned if is_published(codec.model)]
            wanted |= {model.name: (model, policy) for model in of_recipe}
        for metric in chosen_metrics(request):
            try:
                with ProgressBar() as bar:
                    make_ready([metric], bar)
            except (*_NOT_HAD, errors.MissingPackage) as error:
                failed += 1
                say(f"{metric.spec.name}: {error}", style="bold red")
            else:
                click.echo(f"{metric.spec.name}: ready")
    for model, policy in wanted.values():
        try:
            with ProgressBar() as bar:
                located = locate(model, policy, bar)
        except _NOT_HAD as error:
            if not recipes:
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


@weights.command(short_help="Read weights again and compare their digests.")
@_MODELS
def verify(models: tuple[str, ...]) -> int:
    """Read every file that is here again and compare its digest with what is pinned or recorded.

    Exit code 1: a file is not what it must be; the list names it.
    """
    rows, wrong = [], []
    for model, known, copy in _copies(models):
        if copy is None:
            continue
        digest = _known_by(model, known)
        fault = what_is_wrong(copy, sha256_of_file(copy.path), known)
        state = "wrong" if fault else "unknown" if digest == "unknown" else "ok"
        rows.append((model.name, state, str(copy.path), digest))
        wrong += [f"wrong: {copy.path} {fault}"] * bool(fault)
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


def _copies(names: Sequence[str]) -> Iterator[tuple[HasWeights, Known, Copy | None]]:
    """What is known of every file of some models, with each copy, or None where there is none."""
    for model in _named(names):
        for known in known_files(model):
            found = copies(model, known.file, WeightsPolicy())
            yield from ((model, known, copy) for copy in found)
            if not found:
                yield model, known, None


def _known_by(model: HasWeights, known: Known) -> str:
    by = {"package": "pinned", "lock": "locked", None: "unknown"}
    return by[known.by] if is_published(model) else ""


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
                    advice = f"it hears by the recogniser that {ASR_VARIABLE} names; set it to one "
                    advice += "that is published, or fetch one by its name, such as hubert-large"
                raise errors.UserError(f"{name} runs no published model: {advice}")
            models |= {model: of_metrics[model] for model in metric.models}
        else:
            try:
                models |= {model.name: model for model, _ in select(name)}
            except errors.UnknownName as error:
                running = [name for name, metric in metrics().items() if metric.models]
                known = [*codec_families(), *codec_models(), *of_metrics, *running]
                near = errors.did_you_mean(name, known)
                text = f"no codec, metric or model named {name!r}; {near}"
                raise errors.UnknownName(text) from error
    return list(models.values())
