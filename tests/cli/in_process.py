"""Verbs in the process of the tests, where no fresh interpreter is needed: seconds less each."""

from __future__ import annotations

from click.testing import CliRunner, Result

from snacbench.cli.main import cli


def call(*arguments: object) -> Result:
    """Call a verb; what it refuses is raised."""
    done = CliRunner().invoke(cli, list(map(str, arguments)), standalone_mode=False)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done
