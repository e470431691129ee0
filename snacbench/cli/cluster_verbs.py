"""``snacbench cluster``: scripts for the queue of a computing centre."""

import shlex
import sys
from pathlib import Path

import click

from snacbench.cli import terminal
from snacbench.cli.verbs import option
from snacbench.errors import UserError

# Of each queue: its options for N jobs, for their outputs, and where a job finds its number.
_QUEUES = {
    "slurm": (
        "#SBATCH --job-name=snacbench\n#SBATCH --array=1-{n}\n#SBATCH --cpus-per-task={jobs}\n"
        "#SBATCH --mem-per-cpu=2G\n#SBATCH --time=04:00:00\n#SBATCH --output=shard-%a.log",
        "sbatch",
        "$SLURM_ARRAY_TASK_ID",
    ),
    "pbs": (
        "#PBS -N snacbench\n#PBS -J 1-{n}\n#PBS -l select=1:ncpus={jobs}:mem={gb}gb\n"
        "#PBS -l walltime=04:00:00\n#PBS -j oe",
        "qsub",
        "$PBS_ARRAY_INDEX",
    ),
    "lsf": (
        '#BSUB -J "snacbench[1-{n}]"\n#BSUB -n {jobs}\n#BSUB -R "span[hosts=1]"\n'
        "#BSUB -M {gb}GB\n#BSUB -W 4:00\n#BSUB -o shard-%I.log",
        "bsub <",
        "$LSB_JOBINDEX",
    ),
}
_OURS = ("--shard", "-o", "--out", "--resume", "--jobs", "--cluster")
_SCRIPT = """\
#!/bin/bash
{options}
# To be read and edited: queue, memory and time are your centre's.
#   {submit} THIS_FILE   begins all shards; again: goes on with those that are not done
#   snacbench merge {folder}/* -o {folder}-merged
cd {here}
export PATH={programs}:$PATH
run={folder}/{number}
if [ -e "$run/run.json" ]; then
    exec snacbench run --resume "$run" --jobs {jobs}
fi
exec snacbench run --speed-budget-s 0 {arguments} \\
    --shard {number}/{n} --jobs {jobs} -o "$run"
"""


@click.group
def cluster() -> None:
    """Scripts for the queue of a computing centre; docs/cluster.md has the whole way."""


@cluster.command(context_settings={"ignore_unknown_options": True})
@click.argument("queue", type=click.Choice(list(_QUEUES)))
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
    options, submit, number = _QUEUES[queue]
    script = _SCRIPT.format(
        options=options.format(n=shards, jobs=jobs, gb=2 * jobs),
        submit=submit,
        folder=shlex.quote(folder),
        here=shlex.quote(str(Path.cwd())),
        programs=shlex.quote(str(Path(sys.executable).parent)),
        number=number,
        arguments=shlex.join(arguments),
        n=shards,
        jobs=jobs,
    )
    terminal.show_line(script.rstrip("\n"))
