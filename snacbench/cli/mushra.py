"""``snacbench mushra``: from a run to a listening test, its answers and their statistics."""

from __future__ import annotations

import click

from snacbench.cli.mushra_analyse import analyse_
from snacbench.cli.mushra_delete import delete
from snacbench.cli.mushra_design import design
from snacbench.cli.mushra_export import export
from snacbench.cli.mushra_power import power
from snacbench.cli.mushra_serve import serve
from snacbench.cli.mushra_simulate import simulate_
from snacbench.cli.mushra_stimuli import stimuli


@click.group(short_help="Make, serve and analyse a listening test.")
def mushra() -> None:
    """Make, serve and analyse a listening test (ITU-R BS.1534-3, AB, ABX).

    \b
    snacbench mushra design RUN -o TEST      test.yaml and stimuli from a run
    snacbench mushra serve TEST              the page that listeners open
    snacbench mushra analyse TEST            screening, statistics, figures, text
    """  # noqa: D301 - click must get the control character itself, which a raw string has not


_VERBS = (
    design,
    stimuli,
    power,
    simulate_,
    serve,
    export,
    analyse_,
    delete,
)
for command in _VERBS:
    mushra.add_command(command)
