"""Verbs that make rows, by themselves (``run``, ``score``...), or in job arrays (``cluster``)."""

import shlex
import sys
from collections.abc import Callable
from math import isnan
from pathlib import Path
from typing import Any

import click
import yaml

from snacbench.api import run as api
from snacbench.cli import terminal
from snacbench.cli.verbs import PATH, comma_separated, option, shared
from snacbench.errors import UserError
from snacbench.progress import Notes
from snacbench.rate.coding.coders import ENTROPY_CODERS
from snacbench.request import DEFAULT_SPEED_BUDGET_S, Channels, Precision, ReferenceRule
from snacbench.runner.estimate import estimate
from snacbench.runner.plan import Plan, summary_of, with_weights
from snacbench.store.run_folder import RunFolder
from snacbench.tables.from_runs import Options, tables_of
from snacbench.types import DOMAINS

_OF_SHARDS = ("--shard", "-o", "--out", "--resume", "--jobs", "--cluster")
_ARRAYS = yaml.safe_load(Path(__file__).with_name("job_arrays.yaml").read_text("utf-8"))


@click.command
@click.argument("recipe", required=False)
@option("--codecs", help="Families, models, rates, own: snac,dac-44khz@2.67,NAME=dac:PATH")
@option("--data", "quick", "Set, corpus, manifest or folder.")
@option(
    "--condition conditions",
    help="Also under it: loss@1%,5%, loss:burst=3@5%, flips@1e-4, level@-20dB, noise@10dB, "
    "reverb@0.5s, cascade@3; may be repeated.",
    multiple=True,
)
@option("--metrics", "", "Names, comma-separated.  [default: the default set]")
@shared("weights")
@option("-o --out", PATH, "New run folder.")
@option("--resume", PATH, "Go on with a run; repeats nothing.")
@option("--retry-failed", bool, "With --resume: try again what failed, and only that.")
@shared("root", "choice")
@option("--shard I/N", "", "The I-th of N parts of the set, by clips; see merge.")
@shared("jobs", "cluster")
@option("--device", ["cpu", "cuda"])
@option("--precision", Precision, "Number format of PyTorch codecs; less changes codes.")
@option(
    "--batch",
    click.IntRange(1),
    "Clips of equal length at once.  [default: as many as the GPU holds, one on the CPU]",
)
@option("--channels", Channels, "Downmix every clip, or keep stereo.")
@option("--reference", ReferenceRule, "What decodes are compared with.")
@option(
    "--allow-missing-metrics",
    bool,
    "Leave out metrics whose model or package is not here; tables say what each lacks.",
)
@option("--discard-decoded", bool, "Remove decoded audio once it is scored; digests stay.")
@option("--keep-codes", bool, "Keep what each clip was coded to, as .sncb files in codes/.")
@option(
    "--speed-budget-s",
    click.FloatRange(min=0),
    "Seconds to measure each operating point's speed, at the end; 0: not measured.",
    default=DEFAULT_SPEED_BUDGET_S,
)
@shared("asr", "offline")
@option("--plan plan_only", bool, "Print the plan and stop.")
@option("--estimate timed", bool, "Time a few clips, print what the run will take, and stop.")
def run(discard_decoded: bool, plan_only: bool, timed: bool, **options: Any) -> int:
    """Code a test set through codecs, score what comes out, and print the summary.

    RECIPE names a run that is written down ('snacbench list recipes', or a .yaml file of your own);
    options change single fields of it, which is recorded.

    Every finished clip is on disk at once: after Ctrl-C, a crash or a full disk, --resume RUN goes
    on. What failed for a reason that has passed is tried again by --resume RUN --retry-failed.
    """
    context, chosen = click.get_current_context(), click.core.ParameterSource.COMMANDLINE
    said = (name for name in options if context.get_parameter_source(name) is chosen)
    given = {name: options[name] for name in said}
    given |= {"keep_decoded": False} if discard_decoded else {}
    made: list[RunFolder] = []

    def make(bar: terminal.ProgressBar) -> api.Run:
        def look(plan: Plan, folder: RunFolder | None) -> None:
            if folder is None or "resume" in given:
                terminal.show_facts(summary_of(plan), to=terminal.err())
                if timed:
                    terminal.show_line(f"estimate    {estimate(with_weights(plan, bar), bar)}")
                if plan_only or timed:
                    context.exit()
            if folder:
                made.append(folder)
                terminal.say(f"run folder  {folder.path}")

        return api.run(**given, progress=bar, look=look)

    try:
        return _shown(make)
    except KeyboardInterrupt:
        if made:
            terminal.say(f"stopped; go on with: snacbench run --resume {made[0].path}")
        raise


def _shown(make: Callable[[terminal.ProgressBar], api.Run]) -> int:
    """Make a run, show its tables as its recipe has them, say what failed; the exit code."""
    with terminal.ProgressBar() as bar:
        made = make(bar)
    terminal.show_tables(api.tables([made], None, Options()))
    terminal.show_warnings(made.warnings)
    terminal.show_failures(made.failed)
    terminal.show_line(f"\n{made.path}")
    return 0 if made.ok else 1


@click.command
@option("--metrics", "", "Names, comma-separated.")
@option("--retry-failed", bool, "Try failed scores again: by these metrics, or all that RUN has.")
@shared("RUN", "asr", "weights of metrics", "jobs", "cluster", "offline")
def score(run: Path, **options: Any) -> int:
    """Score the decoded files of RUN by metrics that it lacks; nothing is coded again.

    Scores that failed for a reason that has passed are tried again with --retry-failed.
    """
    return _shown(lambda bar: api.load(run).score(**options, progress=bar))


@click.command
@option(
    "--budget-s",
    click.FloatRange(min=0, min_open=True),
    "Seconds to measure each operating point.",
    default=DEFAULT_SPEED_BUDGET_S,
)
@shared("RUN", "offline")
def speed(run: Path, **options: Any) -> int:
    """Measure how fast the codecs of RUN are on this machine; nothing else of it changes.

    Each operating point by itself, in one process with one numerical thread, several times.
    """
    return _shown(lambda bar: api.load(run).measure_speed(**options, progress=bar))


@click.command
@shared("RUN", "offline")
def cost(run: Path, offline: bool) -> int:
    """Count multiply-accumulates of the codecs of RUN, and measure memory and delay.

    Large models take minutes each. 'snacbench show codec NAME --measure' does so without a run.
    """
    return _shown(lambda bar: api.load(run).measure_cost(offline=offline, progress=bar))


@click.command("score-files")
@option("--reference", PATH, required=True)
@option("--degraded", PATH, required=True)
@option("--metrics", "", "Names, comma-separated.  [default: the default set]")
@option("--name", help="What to call the codec.  [default: name of the degraded file/folder]")
@option("--kbps", float, "Its rate, as its maker states it.")
@option("--domain", ["unknown", *DOMAINS], "If known.")
@option("--align", bool, "First take the delay found away from every file.")
@shared("asr", "weights of metrics")
@option("-o --out", PATH, "New run folder.")
@shared("jobs", "offline")
def score_files(reference: Path, degraded: Path, **options: Any) -> int:
    """Score two files, or two folders matched by name, as the output of an outside codec.

    The result is a run like any other; 'snacbench table' shows it beside runs on these references.
    """
    return _shown(lambda bar: api.score_files(reference, degraded, **options, progress=bar))


@click.command
@shared("RUNS")
@option("-o --out target", PATH, "New run folder.", required=True)
def merge(runs: tuple[Path, ...], target: Path) -> None:
    """Join RUNS of one test set, of codecs or shards of their own, into a new run.

    Test set, seed, channels, reference and metric versions must be the same, and rows that several
    runs have must be equal, timings apart; else nothing is written. Decoded audio is linked where
    the disk allows, else copied. The run.json of every part is kept under parts/.
    """
    notes = Notes()
    made = api.merge([api.load(path) for path in runs], target, progress=notes)
    terminal.show_tables(tables_of([made.rows]))
    click.echo()
    for text in (*notes.texts, str(target)):
        terminal.show_line(text)


@click.command
@click.argument("run", type=PATH)
@option("--coders", ",".join(ENTROPY_CODERS), "Names.", callback=comma_separated)
@option("--codecs PATTERNS", "", "Those of the run to code.  [default: all]")
@option("--shuffled", bool, "Also code permuted tokens: a control where context saves nothing.")
@option("--seed", 0, "Of the permutation.")
@option(
    "--save-tables DIR",
    click.Path(path_type=Path, file_okay=False),
    "Keep the trained tables, two per codec.",
)
def entropy(run: Path, **options: Any) -> None:
    """Write the codes that RUN kept with entropy coders, and weigh the bytes.

    Tables are trained on one half of the speakers and tracks and code the other, and the other way
    round, so that no clip is coded by tables that know it. All bytes are decoded again and
    compared. One row per clip and coder is added to the run, for its tables and plots.
    """
    with terminal.ProgressBar() as bar:
        found = api.load(run).entropy(**options, progress=bar)
    columns = {f"{name}_kbps": ".3f" for name in ("nominal", "actual", "coded", "ideal")}
    columns |= {"saves": "+.2%", "saves_by_context": "+.2%"}
    rows = []
    for row in found.to_dict("records"):
        cells = ("" if isnan(row[key]) else format(row[key], how) for key, how in columns.items())
        coder = f"{row['coder']} (shuffled)" if row["shuffled"] else row["coder"]
        rows.append((row["codec"], coder, *cells, str(row["clips"])))
    headings = (name.removesuffix("_kbps").replace("_", " ") for name in columns)
    terminal.show_rows(("codec", "coder", *headings, "clips"), rows)
    terminal.show_line(
        "\nkbps over the source's duration, side information included; saved against the actual "
        "rate,\nand by context against adaptive. Tables are part of the decoder and not counted."
    )


@click.group
def cluster() -> None:
    """Scripts for the queue of a computing centre; docs/cluster.md has the whole way."""


@cluster.command(context_settings={"ignore_unknown_options": True})
@click.argument("queue", type=click.Choice(list(_ARRAYS["queues"])))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@option("--shards", click.IntRange(1), "Jobs of the array.", default=16)
@option("--jobs", click.IntRange(1), "Worker processes, and cores, of each.", default=4)
@option("--folder", "shards", "Where the shards' runs go.")
def template(queue: str, arguments: tuple[str, ...], shards: int, jobs: int, folder: str) -> None:
    """Print a job array for QUEUE that runs shards of what ARGUMENTS of 'snacbench run' ask for.

    \b
    snacbench cluster template slurm --shards 16 -- --codecs snac,dac --data daps > shards.sh
    """  # noqa: D301
    if taken := [text for text in arguments if text.partition("=")[0] in _OF_SHARDS]:
        raise UserError(f"the script says {taken[0]} itself; leave it out after the --")
    if not arguments:
        raise UserError("say what is to be run, after --: for example -- --codecs snac --data daps")
    known, here = _ARRAYS["queues"][queue], shlex.quote(str(Path.cwd()))
    asked = {"n": shards, "jobs": jobs, "folder": shlex.quote(folder), "here": here}
    asked["programs"] = shlex.quote(str(Path(sys.executable).parent))
    options = known["options"].format(n=shards, jobs=jobs, gb=2 * jobs)
    told = known | asked | {"options": options, "arguments": shlex.join(arguments)}
    terminal.show_line(_ARRAYS["script"].format(**told))
