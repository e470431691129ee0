"""``snacbench sets``: known corpora and manifests, what is there and whether it is whole."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from snacbench.cli.terminal import ProgressBar, say, show_facts, show_first, show_line, show_rows
from snacbench.cli.verbs import PATH, option, shared
from snacbench.errors import TestSetError, did_you_mean
from snacbench.settings import cache_warning
from snacbench.testsets import Choice, TestSet, open_chosen, open_test_set, set_names
from snacbench.testsets.corpora import corpora
from snacbench.testsets.corpora.corpus import Corpus
from snacbench.testsets.folder import corpus_set, folder_set, verify
from snacbench.testsets.opening import COMPOSITE_SETS, NAMED_SETS
from snacbench.testsets.records import Reading
from snacbench.testsets.roots import fetch as fetch_item
from snacbench.testsets.roots import parse_roots, root_from_settings, root_of
from snacbench.testsets.testset import counted
from snacbench.types import Domain

EXIT_DIFFERENCES = 1


@click.group
def sets() -> None:
    """Known corpora and manifests: what is on this disk, whether it is whole, what to use of it."""


@sets.command("list", short_help="What sets there are, and which are on this disk.")
def list_() -> None:
    """List the named sets and known corpora, and where the configuration file says they lie."""
    rows = [(name, s.summary, "") for name, s in NAMED_SETS.items()]
    rows += [(name, s.summary, f"needs {', '.join(s.parts)}") for name, s in COMPOSITE_SETS.items()]
    for corpus in corpora().values():
        state = "can be fetched" if corpus.downloads else "-"
        try:
            state = str(root_from_settings(corpus.name) or state)
        except TestSetError as error:
            state = str(error)
        rows.append((corpus.name, corpus.summary, state))
    show_rows(("set", "what it is", "on this disk"), rows)


@sets.command(short_help="Read every file once: digests, headers, counts.")
@click.argument("name")
@shared("root")
@option("--fresh", bool, "Read every file again.")
def index(name: str, root: tuple[str, ...], fresh: bool) -> int:
    """Index the corpus NAME, or the audio below the folder NAME: digests, headers, counts.

    Files that were read before and have not changed since are not read again; an indexing that
    was stopped goes on where it was. Exit code 1: files are missing or cannot be read.
    """
    started = time.monotonic()
    corpus, place = _place(name, root)
    with ProgressBar() as bar:
        how = Reading(trust=not fresh, keep=True, progress=bar)
        found = corpus_set(corpus, place, reading=how) if corpus else folder_set(place, reading=how)
    say(cache_warning() or f"indexed in {time.monotonic() - started:.1f} s")
    show_line(f"{found.name}: {len(found.clips)} files, {found.duration_s / 3600:.2f} h")
    show_first((*found.missing, *found.notes, *(clip.reason for clip in found.broken)))
    return EXIT_DIFFERENCES if found.missing or found.broken else 0


def _place(name: str, root: Sequence[str]) -> tuple[Corpus | None, Path]:
    """A corpus and where it lies; or a folder, of no corpus."""
    if (folder := Path(name).expanduser()).is_dir() and name not in set_names():
        return None, folder
    corpus = _corpus(name)
    return corpus, root_of(corpus, parse_roots(root))


def _corpus(name: str) -> Corpus:
    if name in COMPOSITE_SETS:
        parts = ", ".join(COMPOSITE_SETS[name].parts)
        raise TestSetError(f"{name} consists of several corpora; name one of {parts}")
    if name not in (known := corpora()):
        raise TestSetError(f"no known corpus or folder {name!r}; {did_you_mean(name, known)}")
    return known[name]


@sets.command(short_help="Counts, hours, rates, loudness, bandwidth, warnings.")
@click.argument("name")
@shared("root", "choice")
def show(name: str, **options: Any) -> None:
    """Show what the set, corpus, manifest or folder NAME consists of.

    Bandwidth, loudness and clipping are those of segments that are drawn: add --segments 100.
    """
    from snacbench.testsets.describe import facts_by_domain, facts_of

    test_set = _opened(name, **options)
    facts = facts_by_domain(test_set)
    labels = next(iter(facts.values()), {})
    show_rows(("", *facts), [(label, *(f[label] for f in facts.values())) for label in labels])
    show_line("")
    show_facts(facts_of(test_set))


@sets.command("verify", short_help="Hash every file again and say what differs.")
@click.argument("name")
@shared("root")
def verify_(name: str, root: tuple[str, ...]) -> int:
    """Hash every file again and compare with the index of NAME, or with the manifest NAME.

    Exit code 1: files have changed, are missing, or cannot be read.
    """
    with ProgressBar() as bar:
        if name.lower().endswith(".csv"):
            found = open_test_set(name, root=root, reading=Reading(trust=False, progress=bar))
            hashed = len({clip.path for clip in found.entries})
            differences = [f"{clip.id}: {clip.reason}" for clip in found.broken]
        else:
            corpus, place = _place(name, root)
            hashed, differences = verify(place, corpus, progress=bar)
    show_line(f"{counted(hashed, 'file')} hashed, {counted(len(differences), 'difference')}")
    show_first(differences)
    return EXIT_DIFFERENCES if differences else 0


@sets.command(short_help="Write a manifest that gives the same clips elsewhere.")
@click.argument("name")
@option("-o --out target", PATH, required=True)
@shared("root", "choice")
def export(name: str, target: Path, **options: Any) -> int:
    """Write the set NAME as a manifest: --data FILE --root DIR gives the same clips elsewhere.

    Exit code 1: some files could not be read.
    """
    from snacbench.testsets.manifest import write_manifest

    test_set = _opened(name, **options)
    write_manifest(test_set, target)
    show_line(f"{target}: {len(test_set.clips)} clips, set digest {test_set.sha256}")
    problems = [clip.reason for clip in test_set.broken]
    show_first([*test_set.missing, *test_set.notes, *problems])
    return EXIT_DIFFERENCES if problems else 0


@sets.command(short_help="Download a corpus whose terms allow it.")
@click.argument("name")
@option("--root", PATH, "Where to put it.", required=True)
@shared("offline")
def fetch(name: str, root: Path, offline: bool) -> None:
    """Fetch the corpus NAME into a folder, check it and unpack it; go on where a fetch stopped."""
    corpus = _corpus(name)
    if not corpus.downloads:
        text = f"{name} cannot be fetched by a program. Where to get it: {corpus.where}"
        raise TestSetError(text)
    for item in corpus.downloads:
        with ProgressBar() as bar:
            line = fetch_item(item, root, progress=bar, offline=offline)
        show_first([line])
    show_line(f"next: snacbench sets index {name} --root {root}")


def _opened(name: str, root: Sequence[str], domain: Domain, **choice: Any) -> TestSet:
    with ProgressBar() as bar:
        return open_chosen(name, Choice(**choice), domain=domain, root=root, progress=bar)
