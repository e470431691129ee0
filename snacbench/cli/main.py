"""Entry point: the verbs, and what every error becomes.

Exit codes: 0 all rows ok; 1 some rows failed; 2 the user's mistake; 3 our bug; 130 interrupted.
"""

from __future__ import annotations

import errno
import io
import sys
import tempfile
import traceback
from pathlib import Path

import click

from snacbench import __version__
from snacbench.cli.verbs import Verbs
from snacbench.errors import SnacbenchError
from snacbench.packages import missing_package

EXIT_USER, EXIT_BUG, EXIT_INTERRUPTED = 2, 3, 130
# Full, read-only, not ours: no mistake of a program.
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


# What a user does first comes first.
_VERBS = {
    "run": ("run:run", "Code a test set through codecs, score it, print the summary."),
    "table": ("table:table", "Print the tables of runs."),
    "plot": ("plot:plot", "Draw figures from runs."),
    "report": ("report:report", "Write a page to hear and see a run."),
    "compare": ("compare:compare", "Compare two runs clip by clip; exit 1 if the second is worse."),
    "rates": ("rates:rates", "What codecs really need: rates from nominal to entropy-coded."),
    "entropy": ("entropy:entropy", "Bytes that entropy coders make of the codes that a run kept."),
    "merge": ("merge:merge", "Join runs of one test set into a new one."),
    "score": ("score:score", "Score an existing run by more metrics."),
    "speed": ("speed:speed", "Measure the speed of a run's codecs again."),
    "score-files": ("score_files:score_files", "Score decodes made by another program."),
    "encode": ("encode:encode", "Code an audio file with one codec into a .sncb file."),
    "decode": ("decode:decode", "Decode a .sncb file to WAV or FLAC."),
    "info": ("info:info", "Show what a .sncb file holds, and what each part of it costs."),
    "mushra": ("mushra:mushra", "Make, serve and analyse a listening test."),
    "list": ("list:list_", "List codecs, metrics, test sets or recipes."),
    "show": ("show:show", "Show what is known of a codec, or what a recipe runs."),
    "sets": ("sets:sets", "Known corpora: index, list, show, verify, export, fetch."),
    "check": ("check:check", "What is installed, which weights and test sets are at hand."),
    "check-codec": ("check_codec:check_codec", "Check what a codec promises, for its author."),
    "weights": ("weights:weights", "Published weights: list, fetch, verify, path."),
}


@click.group(
    cls=Verbs,
    verbs=_VERBS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="snacbench")
def cli() -> None:
    """Evaluate and benchmark neural audio codecs.

    \b
    snacbench run --codecs snac,dac,encodec,opus      the main job
    snacbench table RUN --format markdown             its numbers again
    """  # noqa: D301 - click must get the control character itself, which a raw string has not


def main() -> None:
    """Run the command line and turn whatever happens into an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not every terminal has a "±"
            stream.reconfigure(errors="backslashreplace")
    try:
        from snacbench.settings import let_libraries_cache  # here, where a broken package is told

        let_libraries_cache()
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_USER)
    except SnacbenchError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_USER)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.exit(0)  # the reader of our output, for example head, has had enough
    except Exception as error:  # noqa: BLE001 - the last resort: say that it is ours
        if missing := missing_package(error):
            click.echo(f"error: {missing}", err=True)
            sys.exit(EXIT_USER)
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            click.echo(f"error: {error.filename or 'output'}: {error.strerror}", err=True)
            sys.exit(EXIT_USER)
        click.echo(_bug_report(error), err=True)
        sys.exit(EXIT_BUG)


def _bug_report(error: Exception) -> str:
    trace = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="snacbench-bug-", suffix=".txt", delete=False, encoding="utf-8"
        ) as report:
            report.write(trace)
        told = str(Path(report.name))
    except OSError:  # nowhere to write
        told = f"this:\n{trace}"
    return (
        f"internal error: {type(error).__name__}: {error}\n"
        f"This is a bug in snacbench; please report it with {told}"
    )
