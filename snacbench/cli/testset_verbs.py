"""``snacbench sets``: known corpora and manifests, what is there and whether it is whole."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from snacbench.cli.terminal import ProgressBar, say, show_facts, show_first, show_line, show_rows
from snacbench.cli.verbs import PATH, choice_options, offline_option, option
from snacbench.errors import TestSetError, did_you_mean
from snacbench.testsets import Choice, TestSet, open_chosen, open_test_set, set_names
from snacbench.testsets.corpora import corpora
from snacbench.testsets.corpora.corpus import Corpus
from snacbench.testsets.folder import corpus_set, folder_set
from snacbench.testsets.opening import COMPOSITE_SETS, NAMED_SETS
from snacbench.testsets.records import Reading, indexed_roots
from snacbench.testsets.roots import parse_roots, root_from_settings, root_of
from snacbench.testsets.testset import counted

EXIT_DIFFERENCES = 1


@click.group
def sets() -> None:
    """Known corpora and manifests: what is on this disk, whether it is whole, what to use of it."""


_ROOT = option(
    "--root",
    help="Where the corpus lies; CORPUS=DIR, repeated, for several.",
    multiple=True,
    metavar="DIR",
)


@sets.command("list", short_help="What sets there are, and which are on this disk.")
def list_() -> None:
    """List the named sets and known corpora, and where they lie on this disk."""
    indexed = {name: (root, count) for name, root, count in indexed_roots()}
    rows = [(s.name, s.summary, "") for s in NAMED_SETS.values()]
    rows += [(s.name, s.summary, f"needs {', '.join(s.parts)}") for s in COMPOSITE_SETS.values()]
    for corpus in corpora().values():
        state = "can be fetched" if corpus.downloads else "-"
        folder, count = indexed.get(corpus.name, (None, 0))
        try:
            root = root_from_settings(corpus.name)
        except TestSetError as error:
            state = str(error)
        else:
            if folder and folder.is_dir() and root in (None, folder):
                state = f"{folder} ({count} files indexed)"
            elif root is not None:
                state = f"{root} (not indexed)"
        rows.append((corpus.name, corpus.summary, state))
    show_rows(("set", "what it is", "on this disk"), rows)


@sets.command(short_help="Read every file once: digests, headers, counts.")
@click.argument("name")
@_ROOT
@option("--fresh", bool, "Read every file again.")
def index(name: str, root: tuple[str, ...], fresh: bool) -> int:
    """Index the corpus NAME, or the audio below the folder NAME: digests, headers, counts.

    Files that were read before and have not changed since are not read again; an indexing that
    was stopped goes on where it was. Exit code 1: files are missing or cannot be read.
    """
    started, complete = time.monotonic(), True
    with ProgressBar() as bar:
        reading = Reading(trust=not fresh, keep=True, progress=bar)
        if _is_folder(name):
            found = [folder_set(Path(name).expanduser(), reading=reading)]
        else:
            located = _located(name, root)
            found = [corpus_set(c, r, reading=reading, forget=True) for c, r in located]
    say(f"indexed in {time.monotonic() - started:.1f} s")
    for one in found:
        complete = complete and not (one.missing or one.broken)
        show_line(f"{one.name}: {len(one.clips)} files, {one.duration_s / 3600:.2f} h")
        show_first((*one.missing, *one.notes, *(clip.reason for clip in one.broken)))
    return 0 if complete else EXIT_DIFFERENCES


def _is_folder(name: str) -> bool:
    return Path(name).expanduser().is_dir() and name not in set_names()


def _located(name: str, root: Sequence[str]) -> list[tuple[Corpus, Path]]:
    """The corpora that a name stands for, and where each lies."""
    roots, known = parse_roots(root), _corpora(name)
    return [(corpus, root_of(corpus, roots, alone=len(known) == 1)) for corpus in known]


def _corpora(name: str) -> list[Corpus]:
    """The corpus of a name, or those of a composite set."""
    known = corpora()
    if name in COMPOSITE_SETS:
        return [known[part] for part in COMPOSITE_SETS[name].parts]
    if name not in known:
        names = [*known, *COMPOSITE_SETS]
        raise TestSetError(f"no known corpus or folder {name!r}; {did_you_mean(name, names)}")
    return [known[name]]


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
    show_line("")
    show_facts(facts_of(test_set))


@sets.command(short_help="Hash every file again and say what differs.")
@click.argument("name")
@_ROOT
def verify(name: str, root: tuple[str, ...]) -> int:
    """Hash every file again and compare with the index of NAME, or with the manifest NAME.

    Exit code 1: files have changed, are missing, or cannot be read.
    """
    from snacbench.testsets.folder import verified_manifest, verify_corpus, verify_folder

    with ProgressBar() as bar:
        if name.lower().endswith(".csv"):
            reading = Reading(trust=False, progress=bar)
            results = [verified_manifest(open_test_set(name, root=root, reading=reading))]
        elif _is_folder(name):
            results = [verify_folder(Path(name).expanduser(), progress=bar)]
        else:
            results = [verify_corpus(c, r, progress=bar) for c, r in _located(name, root)]
    differences = [line for result in results for line in result.differences]
    hashed = counted(sum(result.files for result in results), "file")
    show_line(f"{hashed} hashed, {counted(len(differences), 'difference')}")
    show_first(differences)
    return EXIT_DIFFERENCES if differences else 0


@sets.command(short_help="Write a manifest that gives the same clips elsewhere.")
@click.argument("name")
@option("-o --out target", PATH, required=True)
@option("--copy folder", PATH, "Copy the audio here too.")
@choice_options
def export(name: str, target: Path, folder: Path | None, **options: Any) -> int:
    """Write the set NAME as a manifest: --data FILE --root DIR gives the same clips elsewhere.

    With --copy the clips themselves go to a folder, cut to their segments, as FLAC; the manifest
    then lists the copies. Exit code 1: some files could not be read.
    """
    from snacbench.testsets.manifest import copy_clips, write_manifest

    with ProgressBar() as bar:
        test_set = _opened(name, options, bar)
        problems = [clip.reason for clip in test_set.broken]
        if folder:
            copied = copy_clips(test_set, folder.absolute(), progress=bar)
            test_set = copied.test_set
            problems += copied.problems
            show_first([f"{clip} clipped in the copy" for clip in copied.clipped])
    write_manifest(test_set, target)
    show_line(f"{target}: {len(test_set.clips)} clips, set digest {test_set.sha256}")
    show_first([*test_set.missing, *test_set.notes, *problems])
    return EXIT_DIFFERENCES if problems else 0


@sets.command(short_help="Download a corpus whose terms allow it.")
@click.argument("name")
@option("--root", PATH, "Where to put it.", required=True)
@option("--keep-archives", bool, "Keep what was unpacked.")
@offline_option
def fetch(name: str, root: Path, keep_archives: bool, offline: bool) -> int:
    """Fetch the corpus NAME into a folder, check it and unpack it; go on where a fetch stopped.

    Each corpus of a set of several gets a subfolder of its name; exit code 1: some of them have
    to be fetched by hand.
    """
    from snacbench.testsets.fetch import downloads_of, install, where
    from snacbench.testsets.fetch import fetch as fetch_item

    several, by_hand = name in COMPOSITE_SETS, False
    for corpus in _corpora(name):
        if several and not corpus.downloads:
            by_hand = True
            show_line(f"{corpus.name} cannot be fetched by a program. {where(corpus)}")
            continue
        folder = root / corpus.name if several else root
        for item in downloads_of(corpus):
            with ProgressBar() as bar:
                fetched = fetch_item(item, folder, progress=bar, offline=offline)
                line = install(fetched, folder, keep_archive=keep_archives, progress=bar)
            show_first([line])
        show_line(f"next: snacbench sets index {corpus.name} --root {folder}")
    return EXIT_DIFFERENCES if by_hand else 0


def _opened(name: str, options: dict[str, Any], bar: ProgressBar) -> TestSet:
    root, domain = options.pop("root"), options.pop("domain")
    return open_chosen(name, Choice(**options), domain=domain, root=root, progress=bar)
