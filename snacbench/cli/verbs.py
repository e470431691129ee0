"""A group of verbs whose modules are imported when they are called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class Verbs(click.Group):
    """No verb waits for another's imports.

    Parameters
    ----------
    verbs : mapping of str to pairs of str
        The name of a verb, in the order of the help, to ``module:function`` within this package
        and to what the help says of it.
    """

    def __init__(self, *args: Any, verbs: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order in which they were given."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The verb, imported now; None if there is none of that name."""
        if name not in self.verbs:
            return None
        module, _, function = self.verbs[name][0].partition(":")
        command: click.Command = getattr(
            importlib.import_module(f"snacbench.cli.{module}"), function
        )
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs for the help, none of them imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self.verbs.items()])
