"""``snacbench mushra``: from a run to a listening test, its answers and their statistics."""

from __future__ import annotations

import click

from snacbench.cli.verbs import Verbs

# In the order of a study.
_VERBS = {
    "design": ("mushra_design:design", "Make a listening test from a run."),
    "stimuli": ("mushra_design:stimuli", "Make the stimuli again, after test.yaml was edited."),
    "power": ("mushra_power:power", "How many listeners a difference needs."),
    "simulate": ("mushra_simulate:simulate_", "Rehearse a test with simulated listeners."),
    "serve": ("mushra_serve:serve", "Serve the page of a listening test, and keep its answers."),
    "export": ("mushra_export:export", "Write the answers of a listening test as CSV."),
    "analyse": ("mushra_analyse:analyse_", "Screening, statistics, figures and text of a test."),
    "delete": ("mushra_delete:delete", "Delete a listener and all they said."),
}


@click.group(cls=Verbs, verbs=_VERBS)
def mushra() -> None:
    """Make, serve and analyse a listening test (ITU-R BS.1534-3, AB, ABX).

    \b
    snacbench mushra design RUN -o TEST      test.yaml and stimuli from a run
    snacbench mushra serve TEST              the page that listeners open
    snacbench mushra analyse TEST            screening, statistics, figures, text
    """  # noqa: D301 - click must get the control character itself, which a raw string has not
