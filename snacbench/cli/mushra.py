"""``snacbench mushra``: from a run to a listening test, its answers and their statistics."""

from __future__ import annotations

import click

from snacbench.cli.verbs import Verbs

# In the order of a study.
_VERBS = {
    "design": "mushra_design:design",
    "stimuli": "mushra_design:stimuli",
    "power": "mushra_power:power",
    "simulate": "mushra_simulate:simulate_",
    "serve": "mushra_serve:serve",
    "export": "mushra_export:export",
    "analyse": "mushra_analyse:analyse_",
    "delete": "mushra_delete:delete",
}


@click.group(cls=Verbs, verbs=_VERBS, short_help="Make, serve and analyse a listening test.")
def mushra() -> None:
    """Make, serve and analyse a listening test (ITU-R BS.1534-3, AB, ABX).

    \b
    snacbench mushra design RUN -o TEST      test.yaml and stimuli from a run
    snacbench mushra serve TEST              the page that listeners open
    snacbench mushra analyse TEST            screening, statistics, figures, text
    """  # noqa: D301 - click must get the control character itself, which a raw string has not
