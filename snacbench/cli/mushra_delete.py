"""``snacbench mushra delete``: one listener's data, at their wish."""

from __future__ import annotations

from pathlib import Path

import click


@click.command
@click.argument("test", type=click.Path(path_type=Path))
@click.argument("listener")
def delete(test: Path, listener: str) -> None:
    """Delete LISTENER, such as k7m3-p2vd, from the answers in the folder TEST.

    Name, answers, ratings and comments are overwritten in the file, not only marked as deleted.
    CSV files that were exported before still have them. The server may go on running.
    """
    from snacbench.listening.responses.database import open_responses
    from snacbench.listening.responses.sessions import delete_listener
    from snacbench.listening.test import read_test

    responses = open_responses(test, read_test(test), create=False)
    try:
        delete_listener(responses, listener)
    finally:
        responses.close()
    click.echo(f"{listener} is deleted; delete them from earlier exports too")
