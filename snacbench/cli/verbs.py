"""The verbs, whose modules are imported when they are called, and options that several share."""

import re
from collections.abc import Callable, Mapping
from functools import reduce
from importlib import import_module
from itertools import filterfalse
from pathlib import Path
from typing import Any, get_args

import click

from snacbench import __version__
from snacbench.errors import UserError
from snacbench.types import DOMAINS, MIN_LUFS

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Verbs(click.Group):
    """A group that waits for the imports of no verb but the one that is called.

    `verbs` has names in the order of the help, and of each ``module:function`` within this package
    and what the help says of it.
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
        command: click.Command = getattr(import_module(f"snacbench.cli.{module}"), function)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs for the help, none of them imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self.verbs.items()])


def _verbs(group: str = "") -> dict[str, tuple[str, str]]:
    lines = Path(__file__).with_suffix(".txt").read_text("utf-8").splitlines()
    told = (re.split(" {2,}", line) for line in lines if not line.startswith("#"))
    words = ((*name.rpartition(" ")[::2], where, summary) for name, where, summary in told)
    return {name: (where, summary) for of, name, where, summary in words if of == group}


@click.group(
    cls=Verbs,
    verbs=_verbs(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="snacbench")
def cli() -> None:
    """Evaluate and benchmark neural audio codecs.

    \b
    snacbench run --codecs snac,dac,encodec,opus      the main job
    snacbench table RUN --format markdown             its numbers again
    """  # noqa: D301 - click must get the control character itself, which a raw string has not


@click.group(cls=Verbs, verbs=_verbs("mushra"))
def mushra() -> None:
    """Make, serve and analyse a listening test (ITU-R BS.1534-3, AB, ABX).

    \b
    snacbench mushra design RUN -o TEST      test.yaml and stimuli from a run
    snacbench mushra serve TEST              the page that listeners open
    snacbench mushra analyse TEST            screening, statistics, figures, text
    """  # noqa: D301


# ------------------------------------------------------------------------ what options may hold
PATH: Any = click.Path(path_type=Path)


def option(names: str, kind: Any = None, help: str | None = None, **how: Any) -> Decorator:
    """An option by its names and, in capitals, that of its value; and what the help says of it.

    `kind` is its type, ``bool`` for a flag, a `Literal` or list of texts of which the first is the
    default, or else its default, which tells the type. The help shows a default that says anything.
    """
    if kind is bool:
        how["is_flag"] = True
    elif choices := kind if isinstance(kind, list) else get_args(kind):
        how |= {"type": click.Choice(choices), "default": choices[0], **how}
    elif isinstance(kind, type | click.ParamType):
        how["type"] = kind
    elif kind is not None:
        how["default"] = kind
    words, default = names.split(), how.get("default")
    if default not in (None, "") and default is not True:  # 1 equals True
        how.setdefault("show_default", True)
    how = {"metavar": next(filter(str.isupper, words), None), **how}
    return click.option(*filterfalse(str.isupper, words), help=help, **how)


def comma_separated(_: click.Context, __: click.Parameter, given: Any) -> list[str]:
    """Names, each once; of an option that may be repeated too."""
    text = given if isinstance(given, str) else ",".join(given)
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def pairs(example: str, kind: Callable[[str], Any] = str) -> dict[str, Any]:
    """How options are read that take NAME=VALUE and may be repeated, for example `example`."""

    def parse(_: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
        found = {}
        for text in given:
            name, value = (part.strip() for part in text.partition("=")[::2])
            try:
                if not (name and value):
                    raise ValueError
                found[name] = kind(value)
            except ValueError as error:
                wanted = ": expected {} with a number" if kind is float else " takes {}"
                raise UserError(
                    f"{option.opts[0]}{wanted.format(option.metavar)}, such as {example}; "
                    f"found {text!r}"
                ) from error
        return found

    return {"multiple": True, "callback": parse}


# --------------------------------------------------------------------------- options of several
def _together(*options: Decorator) -> Decorator:
    return lambda command: reduce(lambda so_far, one: one(so_far), reversed(options), command)


_SHARED: dict[str, Decorator] = {
    "RUN": click.argument("run", type=PATH),
    "RUNS": click.argument("runs", nargs=-1, required=True, type=PATH),
    "weights": option(
        "--weights",
        ("auto",),
        "auto, published, embedded, DIR, or MODEL=DIR; may be repeated.",
        multiple=True,
    ),
    "offline": option(
        "--offline", bool, "Ask nothing of the network; what is missing is an error at once."
    ),
    "weights of metrics": option(
        "--weights",
        help="Where files of metrics' models are: DIR, or MODEL=DIR; may be repeated.",
        multiple=True,
    ),
    "asr": option(
        "--asr NAME",
        help="Speech recogniser under wer and cer: pocketsphinx, faster-whisper:FOLDER, "
        "whisper-large-v3[@cuda], hubert-large[@cuda], wav2vec2[@cuda].",
    ),
    "jobs": option("--jobs", click.IntRange(1), "Worker processes.  [default: one per core]"),
    "cluster": option(
        "--cluster client CLUSTER",
        help="A Dask scheduler (tcp://HOST:PORT), or a YAML file of dask-jobqueue with --jobs "
        "workers.",
    ),
    "label": option(
        "--label labels NAME=TEXT",
        help="Call a codec or a model TEXT; may be repeated.",
        **pairs("snac-24khz=SNAC"),
    ),
    "root": option("--root DIR", help="Where a corpus lies, or CORPUS=DIR.", multiple=True),
    "choice": _together(
        option("--seed", 0, "Seed of everything random."),
        option("--segments", int, "Draw this many segments per domain, by the seed."),
        option("--segment-s", float, "Cut clips longer than this to one segment."),
        option("--min-lufs", MIN_LUFS, "Segments no louder than this are not drawn."),
        option("--limit", int, "At most this many clips per domain, chosen by hash."),
        option("--domain", ["unknown", *DOMAINS], "Of clips that do not tell theirs."),
    ),
}


def shared(*names: str) -> Decorator:
    """Arguments and options that several verbs have, in the order of the help."""
    return _together(*(_SHARED[name] for name in names))
