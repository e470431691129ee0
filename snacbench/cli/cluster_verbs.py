"""``snacbench cluster``: scripts for the queue of a computing centre."""

import shlex
import sys
from pathlib import Path

import click
import yaml

from snacbench.cli import terminal
from snacbench.cli.verbs import option
from snacbench.errors import UserError

_OURS = ("--shard", "-o", "--out", "--resume", "--jobs", "--cluster")
_TOLD = yaml.safe_load(Path(__file__).with_name("job_arrays.yaml").read_text("utf-8"))


@click.group
def cluster() -> None:
    """Scripts for the queue of a computing centre; docs/cluster.md has the whole way."""


@cluster.command(context_settings={"ignore_unknown_options": True})
@click.argument("queue", type=click.Choice(list(_TOLD["queues"])))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@option("--shards", click.IntRange(1), "Jobs of the array.", default=16)
@option("--jobs", click.IntRange(1), "Worker processes, and cores, of each.", default=4)
@option("--folder", "shards", "Where the shards' runs go.")
def template(queue: str, arguments: tuple[str, ...], shards: int, jobs: int, folder: str) -> None:
    """Print a job array for QUEUE that runs shards of what ARGUMENTS of 'snacbench run' ask for.

    \b
    snacbench cluster template slurm --shards 16 -- --codecs snac,dac --data daps > shards.sh
    """  # noqa: D301
    if taken := [text for text in arguments if text.partition("=")[0] in _OURS]:
        raise UserError(f"the script says {taken[0]} itself; leave it out after the --")
    if not arguments:
        raise UserError("say what is to be run, after --: for example -- --codecs snac --data daps")
    known, here = _TOLD["queues"][queue], shlex.quote(str(Path.cwd()))
    asked = {"n": shards, "jobs": jobs, "folder": shlex.quote(folder), "here": here}
    asked["programs"] = shlex.quote(str(Path(sys.executable).parent))
    options = known["options"].format(n=shards, jobs=jobs, gb=2 * jobs)
    told = known | asked | {"options": options, "arguments": shlex.join(arguments)}
    terminal.show_line(_TOLD["script"].format(**told))
