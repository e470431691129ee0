"""``snacbench mushra power``: how many listeners a study needs."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import click

from snacbench.cli.terminal import out, show_facts, show_rows
from snacbench.errors import UserError
from snacbench.listening.power import STUDIES, Question, Spread, listeners_needed
from snacbench.listening.test import read_test

_HEADINGS = ("difference", "listeners who count", "to recruit", "power")


@click.command
@click.argument("test", required=False, type=click.Path(path_type=Path))
@click.option("--items", type=click.IntRange(1), help="Items of the test, where there is no TEST.")
@click.option("--systems", type=click.IntRange(2), help="Systems, where there is no TEST.")
@click.option("--pages-per-listener", type=click.IntRange(1), help="[default: TEST's, or all]")
@click.option(
    "--difference",
    "differences",
    type=float,
    multiple=True,
    default=(5.0, 10.0, 15.0),
    show_default="5, 10, 15",
    help="Difference of two systems' means to be found, in points; may be repeated.",
)
@click.option("--power", type=float, default=0.8, show_default=True, help="Probability to find it.")
@click.option("--level", type=float, default=0.05, show_default=True, help="Family-wise error.")
@click.option(
    "--excluded",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.1,
    show_default=True,
    help="Share of listeners whom the screening will take out.",
)
@click.option("--sd-listener", type=click.FloatRange(0), help="SD of opinions on one system.")
@click.option("--sd-item", type=click.FloatRange(0), help="SD of one system over items.")
@click.option("--sd-residual", type=click.FloatRange(0), help="SD of a rating given twice.")
@click.option("--studies", type=click.IntRange(100, 1_000_000), default=STUDIES, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def power(
    test: Path | None,
    items: int | None,
    systems: int | None,
    pages_per_listener: int | None,
    differences: tuple[float, ...],
    power: float,
    level: float,
    excluded: float,
    sd_listener: float | None,
    sd_item: float | None,
    sd_residual: float | None,
    studies: int,
    seed: int,
) -> None:
    """Simulate how many listeners it takes to find a difference between two systems.

    \b
    snacbench mushra power TEST
    snacbench mushra power --items 10 --systems 6 --difference 5 --difference 8

    Found means: significant in a paired Wilcoxon test on the listeners' means, after Holm's
    correction over all pairs of systems. The spread of ratings is what others measured on neural
    codecs, unless the --sd options say otherwise.
    """  # noqa: D301 - click must get the control character itself, which a raw string has not
    if test is not None:
        plan = read_test(test)
        if not plan.form.startswith("mushra"):
            raise UserError(
                f"{test}: power is counted in points of the MUSHRA scale; a test of form "
                f"{plan.form} has none"
            )
        items, systems = items or len(plan.items), systems or len(plan.systems)
        pages_per_listener = pages_per_listener or min(plan.pages_per_listener or items, items)
    if items is None or systems is None:
        raise UserError("how large is the test? Name a TEST, or give --items and --systems")
    given = {"listener_system": sd_listener, "item_system": sd_item, "residual": sd_residual}
    s = dataclasses.replace(Spread(), **{k: v for k, v in given.items() if v is not None})
    rows = []
    for difference in differences:
        question = Question(difference, items, systems, s, pages_per_listener, power, level)
        need = listeners_needed(question, studies=studies, seed=seed)
        recruited = math.ceil(need.listeners / (1 - excluded))
        found = f"{100 * need.power:.1f} +- {100 * need.power_error:.1f} %"
        rows.append((f"{difference:g} points", str(need.listeners), str(recruited), found))
    show_rows(_HEADINGS, rows)
    out.print()
    facts = {
        "design": f"{items} items, {systems} systems, {question.pages} pages per listener; "
        "differences are those on these items",
        "analysis": f"Wilcoxon on listener means, Holm over {question.pairs} pairs, family-wise "
        f"error {level:g}; power {power:g}",
        "spread (SD)": f"listener on a system {s.listener_system:.3g}, system on an item "
        f"{s.item_system:.3g}, residual {s.residual:.3g} points (neural codecs on speech, Stahl et "
        "al. 2024, if not given)",
        "to recruit": f"if the screening takes out {100 * excluded:g} %",
        "simulated": f"{studies} studies per number tried: +- is one standard error of the power",
    }
    show_facts(facts)
