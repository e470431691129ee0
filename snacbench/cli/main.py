"""Entry point: what every error becomes. It loads without any package of others.

Exit codes: 0 all rows ok; 1 some rows failed; 2 the user's mistake; 3 our bug; 130 interrupted.
"""

import errno
import io
import sys
import traceback

from snacbench.errors import SnacbenchError

EXIT_USER, EXIT_BUG, EXIT_INTERRUPTED = 2, 3, 130
# Full, read-only, not ours: no mistake of a program.
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


def main() -> None:
    """Run the command line and turn whatever happens into an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not every terminal has a "±"
            stream.reconfigure(errors="backslashreplace")
    try:
        from snacbench.settings import let_libraries_cache

        let_libraries_cache()
        import click

        from snacbench.cli.verbs import cli

        try:
            code = cli.main(standalone_mode=False)
        except click.exceptions.Exit as stop:
            code = stop.exit_code
        except click.ClickException as error:
            error.show()
            code = EXIT_USER
        except click.Abort as error:
            raise KeyboardInterrupt from error
        sys.exit(code if isinstance(code, int) else 0)
    except SnacbenchError as error:
        _end(f"error: {error}", EXIT_USER)
    except KeyboardInterrupt:
        _end("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.exit(0)  # the reader of our output, for example head, has had enough
    except Exception as error:  # noqa: BLE001 - the last resort: say whose it is
        from snacbench.packages import missing_package

        if missing := missing_package(error):
            _end(f"error: {missing}", EXIT_USER)
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            _end(f"error: {error.filename or 'output'}: {error.strerror}", EXIT_USER)
        sys.stderr.write("".join(traceback.format_exception(error)))
        text = f"internal error: {type(error).__name__}: {error}\n"
        _end(f"{text}This is a bug in snacbench; please report it with the lines above", EXIT_BUG)


def _end(text: str, code: int) -> None:
    sys.stderr.write(f"{text}\n")
    sys.exit(code)
