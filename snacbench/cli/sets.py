"""``snacbench sets``: known corpora and manifests, what is there and whether it is whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from snacbench.cli.downloads import DownloadBar, offline_option
from snacbench.cli.terminal import ProgressBar, err, out, show_facts, show_rows
from snacbench.errors import TestSetError, did_you_mean
from snacbench.testsets import Choice, TestSet, open_chosen, set_names
from snacbench.testsets.corpora import corpora
from snacbench.testsets.corpora.corpus import Corpus
from snacbench.testsets.folder import corpus_set, folder_set
from snacbench.testsets.opening import COMPOSITE_SETS, NAMED_SETS
from snacbench.testsets.records import Reading, indexed_roots
from snacbench.testsets.roots import parse_roots, root_from_settings, root_of
from snacbench.testsets.segments import MIN_LUFS
from snacbench.testsets.testset import counted
from snacbench.types import DOMAINS

EXIT_DIFFERENCES = 1
_LINES_SHOWN = 20

Options = dict[str, Any]


@click.group
def sets() -> None:
    """Known corpora and manifests: what is on this disk, whether it is whole, what to use of it."""


root_option = click.option(
    "--root",
    multiple=True,
    metavar="DIR",
    help="Where the corpus lies; CORPUS=DIR, repeated, for several.",
)


def choice_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that choose clips, as ``run`` has them."""
    for option in (
        click.option("--domain", type=click.Choice(DOMAINS), default="unknown"),
        click.option("--limit", type=int, help="At most this many clips per domain."),
        click.option("--seed", default=0, show_default=True, help="Seed of the draw."),
        click.option(
            "--min-lufs",
            type=float,
            default=MIN_LUFS,
            show_default=True,
            help="Segments no louder than this are skipped.",
        ),
        click.option("--segment-s", type=float, help="Length of segments."),
        click.option("--segments", type=int, help="Draw this many segments per domain."),
        root_option,
    ):
        command = option(command)
    return command


@sets.command("list", short_help="What sets there are, and which are on this disk.")
def list_() -> None:
    """List the named sets and known corpora, and where they lie on this disk."""
    indexed = {name: (root, count) for name, root, count in indexed_roots()}
    rows = [(s.name, s.summary, "") for s in NAMED_SETS.values()]
    rows += [(s.name, s.summary, f"needs {', '.join(s.parts)}") for s in COMPOSITE_SETS.values()]
    rows += [(c.name, c.summary, _state(c, indexed)) for c in corpora().values()]
    show_rows(("set", "what it is", "on this disk"), rows)


def _state(corpus: Corpus, indexed: dict[str, tuple[Path, int]]) -> str:
    try:
        root = root_from_settings(corpus.name)
    except TestSetError as error:
        return str(error)
    if corpus.name in indexed:
        folder, count = indexed[corpus.name]
        if folder.is_dir() and root in (None, folder):
            return f"{folder} ({count} files indexed)"
    if root is not None:
        return f"{root} (not indexed)"
    return "can be fetched" if corpus.downloads else "-"


@sets.command(short_help="Read every file once: digests, headers, counts.")
@click.argument("name")
@root_option
@click.option("--fresh", is_flag=True, help="Read every file again.")
def index(name: str, root: tuple[str, ...], fresh: bool) -> int:
    """Index the corpus NAME, or the audio below the folder NAME: digests, headers, counts.

    Files that were read before and have not changed since are not read again; an indexing that
    was stopped goes on where it was. Exit code 1: files are missing or cannot be read.
    """
    complete = True
    for indexed in _each(name, root, fresh=fresh):
        complete = complete and not (indexed.missing or indexed.broken)
        out.print(f"{indexed.name}: {len(indexed.clips)} files, {indexed.duration_s / 3600:.2f} h")
        _print_lines((*indexed.missing, *indexed.notes, *(b.reason for b in indexed.broken)))
    return 0 if complete else EXIT_DIFFERENCES


def _each(name: str, root: Sequence[str], *, fresh: bool) -> list[TestSet]:
    """Index each corpus that a name stands for."""
    started = time.monotonic()
    with ProgressBar() as bar:
        reading = Reading(trust=not fresh, keep=True, progress=bar)
        if Path(name).expanduser().is_dir() and name not in set_names():
            found = [folder_set(Path(name).expanduser(), reading=reading)]
        else:
            found = [
                corpus_set(corpus, folder, reading=reading, forget=True)
                for corpus, folder in _located(name, root)
            ]
    err.print(f"indexed in {time.monotonic() - started:.1f} s")
    return found


def _located(name: str, root: Sequence[str]) -> list[tuple[Corpus, Path]]:
    """The corpora that a name stands for, and where each lies."""
    roots, known = parse_roots(root), corpora()
    if name in COMPOSITE_SETS:
        parts = [known[part] for part in COMPOSITE_SETS[name].parts]
        return [(corpus, root_of(corpus, roots, alone=False)) for corpus in parts]
    return [(_corpus(name), root_of(_corpus(name), roots))]


def _corpus(name: str) -> Corpus:
    if name not in corpora():
        names = [*corpora(), *COMPOSITE_SETS]
        raise TestSetError(f"no known corpus or folder {name!r}; {did_you_mean(name, names)}")
    return corpora()[name]


@sets.command(short_help="Counts, hours, rates, loudness, bandwidth, warnings.")
@click.argument("name")
@choice_options
def show(name: str, **options: Any) -> None:
    """Show what the set, corpus, manifest or folder NAME consists of.

    Bandwidth, loudness and clipping are those of the drawn segments, or of a sample of 100 clips
    per domain.
    """
    from snacbench.testsets.describe import facts_by_domain, facts_of, with_sample_measured

    with ProgressBar() as bar:
        test_set = with_sample_measured(_opened(name, options, bar), progress=bar)
    facts = facts_by_domain(test_set)
    labels = next(iter(facts.values()), {})
    show_rows(("", *facts), [(label, *(f[label] for f in facts.values())) for label in labels])
    out.print()
    show_facts(facts_of(test_set))


@sets.command(short_help="Hash every file again and say what differs.")
@click.argument("name")
@root_option
def verify(name: str, root: tuple[str, ...]) -> int:
    """Hash every file again and compare with the index of NAME, or with the manifest NAME.

    Exit code 1: files have changed, are missing, or cannot be read.
    """
    from snacbench.testsets.folder import verified_manifest, verify_corpus, verify_folder

    path = Path(name).expanduser()
    with ProgressBar() as bar:
        if path.suffix.lower() == ".csv":
            results = [verified_manifest(_untrusted(name, root, bar))]
        elif path.is_dir() and name not in set_names():
            results = [verify_folder(path, progress=bar)]
        else:
            results = [verify_corpus(c, r, progress=bar) for c, r in _located(name, root)]
    differences = [line for result in results for line in result.differences]
    hashed = counted(sum(result.files for result in results), "file")
    out.print(f"{hashed} hashed, {counted(len(differences), 'difference')}")
    _print_lines(differences)
    return EXIT_DIFFERENCES if differences else 0


def _untrusted(name: str, root: Sequence[str], bar: ProgressBar) -> TestSet:
    from snacbench.testsets import open_test_set

    return open_test_set(name, root=root, reading=Reading(trust=False, progress=bar))


@sets.command(short_help="Write a manifest that gives the same clips elsewhere.")
@click.argument("name")
@click.option("-o", "--out", "target", required=True, type=click.Path(path_type=Path))
@click.option("--copy", "folder", type=click.Path(path_type=Path), help="Copy the audio here too.")
@choice_options
def export(name: str, target: Path, folder: Path | None, **options: Any) -> int:
    """Write the set NAME as a manifest: --data FILE --root DIR gives the same clips elsewhere.

    With --copy the clips themselves go to a folder, cut to their segments, as FLAC; the manifest
    then lists the copies. Exit code 1: some files could not be read.
    """
    from snacbench.testsets.manifest import copy_clips, write_manifest

    problems: list[str] = []
    with ProgressBar() as bar:
        test_set = _opened(name, options, bar)
        problems += (clip.reason for clip in test_set.broken)
        if folder:
            copied = copy_clips(test_set, folder.absolute(), progress=bar)
            test_set = copied.test_set
            problems += copied.problems
            _print_lines([f"{clip} clipped in the copy" for clip in copied.clipped])
    write_manifest(test_set, target)
    out.print(f"{target}: {len(test_set.clips)} clips, set digest {test_set.sha256}")
    _print_lines([*test_set.missing, *test_set.notes, *problems])
    return EXIT_DIFFERENCES if problems else 0


@sets.command(short_help="Download a corpus whose terms allow it.")
@click.argument("name")
@click.option("--root", required=True, type=click.Path(path_type=Path), help="Where to put it.")
@click.option("--keep-archives", is_flag=True, help="Keep what was unpacked.")
@offline_option
def fetch(name: str, root: Path, keep_archives: bool, offline: bool) -> int:
    """Fetch the corpus NAME into a folder, check it and unpack it; go on where a fetch stopped.

    Each corpus of a set of several gets a subfolder of its name; exit code 1: some of them have
    to be fetched by hand.
    """
    from snacbench.testsets.fetch import downloads_of, install, where
    from snacbench.testsets.fetch import fetch as fetch_item

    several = name in COMPOSITE_SETS
    wanted = [corpora()[n] for n in COMPOSITE_SETS[name].parts] if several else [_corpus(name)]
    by_hand = [corpus for corpus in wanted if several and not corpus.downloads]
    for corpus in wanted:
        if corpus in by_hand:
            out.print(f"{corpus.name} cannot be fetched by a program. {where(corpus)}")
            continue
        folder = root / corpus.name if several else root
        for item in downloads_of(corpus):
            with DownloadBar() as bar:
                fetched = fetch_item(item, folder, progress=bar, offline=offline)
            with ProgressBar() as unpacking:
                line = install(fetched, folder, keep_archive=keep_archives, progress=unpacking)
            _print_lines([line])
        out.print(f"next: snacbench sets index {corpus.name} --root {folder}", soft_wrap=True)
    return EXIT_DIFFERENCES if by_hand else 0


def _opened(name: str, options: Options, bar: ProgressBar) -> TestSet:
    root, domain = options.pop("root"), options.pop("domain")
    return open_chosen(name, Choice(**options), domain=domain, root=root, progress=bar)


def _print_lines(lines: Sequence[str]) -> None:
    """The first lines, and how many more there are."""
    for line in lines[:_LINES_SHOWN]:
        out.print(f"  {line}", soft_wrap=True, markup=False)
    if len(lines) > _LINES_SHOWN:
        out.print(f"  ... and {len(lines) - _LINES_SHOWN} more")
