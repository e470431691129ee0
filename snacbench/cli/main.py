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
    "run": "run:run",
    "table": "table:table",
    "plot": "plot:plot",
    "report": "report:report",
    "compare": "compare:compare",
    "rates": "rates:rates",
    "entropy": "entropy:entropy",
    "merge": "merge:merge",
    "score": "score:score",
    "speed": "speed:speed",
    "score-files": "score_files:score_files",
    "encode": "encode:encode",
    "decode": "decode:decode",
    "info": "info:info",
    "mushra": "mushra:mushra",
    "list": "list:list_",
    "show": "show:show",
    "sets": "sets:sets",
    "check": "check:check",
    "check-codec": "check_codec:check_codec",
    "weights": "weights:weights",
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
