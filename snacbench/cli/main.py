"""Entry point: the verbs, and what every error becomes.

Exit codes: 0 all rows ok; 1 some rows failed; 2 the user's mistake; 3 our bug; 130 interrupted.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import traceback
from pathlib import Path

import click

from snacbench import __version__
from snacbench.errors import SnacbenchError

EXIT_USER, EXIT_BUG, EXIT_INTERRUPTED = 2, 3, 130


# In the order in which the help lists them: what a user does first comes first.
_VERBS = (
    "run", "table", "plot", "report", "compare", "rates", "merge", "score", "score-files", "list",
    "show", "sets", "check", "weights",
)  # fmt: skip


class _Verbs(click.Group):
    """Imports the module of a verb when the verb is called: no verb waits for another's imports.

    The verb ``score-files`` is the function `score_files` of the module `score_files`; a name that
    Python has taken, such as ``list``, ends in an underscore in its module.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _VERBS:
            return None
        plain = name.replace("-", "_")
        module = importlib.import_module(f"snacbench.cli.{plain}")
        command: click.Command = getattr(module, plain, None) or getattr(module, f"{plain}_")
        return command


@click.group(
    cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="snacbench")
def cli() -> None:
    r"""Evaluate and benchmark neural audio codecs.

    \b
    snacbench run --codecs snac,dac,encodec,opus      the main job
    snacbench table RUN --format markdown             its numbers again
    """


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
