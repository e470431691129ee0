"""``snacbench check-codec``: what a codec promises, checked for its author."""

from __future__ import annotations

import click

from snacbench.cli.downloads import offline_option, weights_option
from snacbench.cli.terminal import ProgressBar, show_rows
from snacbench.request import Request
from snacbench.runner.contract import check_codec as check
from snacbench.runner.plan import check_packages, locate_all, plan_codecs

EXIT_BROKEN = 1


@click.command("check-codec")
@click.argument("name")
@weights_option
@offline_option
def check_codec(name: str, weights: tuple[str, ...], offline: bool) -> int:
    """Check every operating point that NAME selects against what a codec promises.

    Lengths, channels and rates come back, decoding depends on codes and seed alone, in another
    process too, rates are those that are stated, silence is coded: docs/adding-a-codec.md.
    """
    codecs, policy, _ = plan_codecs(Request(codecs=name, weights=weights, offline=offline))
    check_packages(codecs)
    with ProgressBar() as bar:
        located = locate_all(codecs, policy, bar)
    found = [finding for codec in located for finding in check(codec)]
    show_rows(
        ("codec", "check", "", "why"),
        [(f.codec, f.check, "failed" if f.reason else "ok", f.reason) for f in found],
    )
    broken = sum(bool(finding.reason) for finding in found)
    click.echo(f"\n{broken} of {len(found)} checks failed" if broken else "\nall checks passed")
    return EXIT_BROKEN if broken else 0
