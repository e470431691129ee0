"""Verbs for runs that are handed over: ``export``, ``verify``."""

from pathlib import Path
from typing import Any

import click

from snacbench.api.bundles import verify as verify_bundle
from snacbench.api.run import load
from snacbench.cli.terminal import ProgressBar, show_facts, show_first, show_line
from snacbench.cli.verbs import PATH, jobs_option, option
from snacbench.testsets.testset import counted


@click.command
@click.argument("run", type=PATH)
@option("-o --out", PATH, "The file.  [default: RUN.zip]")
@option("--partial", bool, "Also of a run that is not finished, which the file then says.")
def export(run: Path, out: Path | None, partial: bool) -> None:
    """Write RUN as one file to hand over: rows, digests, versions; no audio.

    Print its id beside your table: 'snacbench verify FILE --id ID' then shows that a file is the
    one that the table was made of. Of paths, folders are left out as docs/bundles.md says.
    """
    made = load(run).export(out or Path(f"{run.resolve()}.zip"), partial=partial)
    facts = {"bundle": f"{made.path}, {made.path.stat().st_size / 1e6:.3f} MB", "id": made.id}
    facts["replaced"] = made.replaced and f"the bundle that was there, {made.replaced}"
    if made.missing:
        facts["partial"] = f"it lacks {counted(made.missing, 'row')} of codings and scores"
    hidden = ", ".join(f"{counted(n, 'row')} of {name}" for name, n in made.hidden.items())
    facts["left out"] = hidden and f"folders of paths, in {hidden}"
    show_facts(facts)


@click.command
@click.argument("bundle", type=PATH)
@option("--id", "", "The id that was published with it, or its beginning.", metavar="ID")
@option("--recompute scores", click.IntRange(0), "Compute so many scores again.", default=0)
@option("--seed", 0, "By which they are drawn.")
@option("--data", "", "Where clips are: a folder, manifest or set.  [default: the run's]")
@option("--root", help="Where a corpus lies, or CORPUS=DIR.", multiple=True, metavar="DIR")
@option("--weights", help="Where models are: DIR, or MODEL=DIR.", multiple=True)
@jobs_option
def verify(bundle: Path, **options: Any) -> int:
    """Check BUNDLE: digests, rows, sums; with --recompute, that codecs give these scores.

    Exit code 0: verified; 1: refused, each finding with its file, line and row, or no score could
    be computed again.
    """
    with ProgressBar() as bar:
        told = verify_bundle(bundle, progress=bar, **options)
    show_facts({"id": told.id, **told.facts})
    show_first([str(finding) for finding in told.found])
    came = f"verified{' but for scores that could not be computed again' if told.left else ''}"
    if told.found:
        came = f"refused: {counted(len(told.found), 'finding')}"
    elif not told.ok:
        came = "not verified: no score could be computed again, all else is as it must be"
    show_line(came)
    return 0 if told.ok else 1
