"""Entry point: the verbs, and what every error becomes.

Exit codes: 0 all rows ok; 1 some rows failed; 2 the user's mistake; 3 our bug; 130 interrupted.
"""

from __future__ import annotations

import sys
import tempfile
import traceback
from pathlib import Path

import click

from snacbench import __version__
from snacbench.cli.verbs import Verbs
from snacbench.errors import SnacbenchError

EXIT_USER, EXIT_BUG, EXIT_INTERRUPTED = 2, 3, 130


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
    try:
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
        click.echo(_bug_report(error), err=True)
        sys.exit(EXIT_BUG)


def _bug_report(error: Exception) -> str:
    with tempfile.NamedTemporaryFile(
        "w", prefix="snacbench-bug-", suffix=".txt", delete=False, encoding="utf-8"
    ) as report:
        report.write("".join(traceback.format_exception(error)))
    return (
        f"internal error: {type(error).__name__}: {error}\n"
        f"This is a bug in snacbench; please report it with {Path(report.name)}"
    )
