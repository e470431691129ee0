"""``snacbench check-codec``: what a codec promises, checked for its author."""

from __future__ import annotations

import click

from snacbench.cli.downloads import DownloadBar, offline_option, weights_option
from snacbench.cli.terminal import show_rows
from snacbench.runner.contract import check_codec as check
from snacbench.runner.loading import handle_of
from snacbench.runner.plan import Request, check_packages, locate_all, plan_codecs

EXIT_BROKEN = 1


@click.command("check-codec", short_help="Check what a codec promises, for its author.")
@click.argument("name")
@weights_option
@offline_option
def check_codec(name: str, weights: tuple[str, ...], offline: bool) -> int:
    """Check every operating point that NAME selects against what a codec promises.

    Lengths, channels and rates come back, decoding depends on codes and seed alone, in another
    process too, rates are those that are stated, silence is coded: docs/adding-a-codec.md.
    """
    codecs, policy, _ = plan_codecs(name, weights, offline=offline)
    check_packages(codecs)
    with DownloadBar() as bar:
        located = locate_all(codecs, policy, bar)
    request = Request(codecs=name)
    found = [finding for codec in located for finding in check(handle_of(codec, request))]
    show_rows(
        ("codec", "check", "", "why"),
        [(f.codec, f.check, "failed" if f.reason else "ok", f.reason) for f in found],
    )
    broken = sum(bool(finding.reason) for finding in found)
    click.echo(f"\n{broken} of {len(found)} checks failed" if broken else "\nall checks passed")
    return EXIT_BROKEN if broken else 0
