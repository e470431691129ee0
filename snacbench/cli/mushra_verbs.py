"""``snacbench mushra``: from a run to a listening test, its answers and their statistics."""

import io
import math
import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import click

from snacbench.api.run import load
from snacbench.cli import terminal
from snacbench.cli.verbs import PATH, option
from snacbench.errors import UserError
from snacbench.files import write_text, writing
from snacbench.forms import FORMS, FormName
from snacbench.listening import responses
from snacbench.listening.design import DEFAULT_EXCERPT_S, make_test
from snacbench.listening.design import design as designed
from snacbench.listening.stimuli import FACTS_FILE, Facts, make_stimuli
from snacbench.listening.study import write_tidy
from snacbench.listening.test import STIMULI_FOLDER, TEST_FILE, ListeningTest, read_test
from snacbench.listening.webmushra import FOLDER as WEBMUSHRA
from snacbench.listening.webmushra import cautions, export_webmushra
from snacbench.selectors import split_selectors

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TEST = click.argument("test", type=PATH)
_EXPORT = option(
    "--export",
    click.Choice(["webmushra"]),
    "Also write what webMUSHRA 1.4 needs, into TEST/webmushra, and again once it is there.",
)


@click.command
@click.argument("run", type=PATH)
@option("-o --out target", PATH, "New folder for the test.", required=True)
@option(
    "--systems", help="Codecs of the run: opus@14,lyra.  [default: all, or 9 by turns of models]"
)
@option("--items num_items", click.IntRange(1), "Items.  [default: 1.5 a system, 6 at least]")
@option("--item items", help="A clip that is to be an item; repeatable.", multiple=True)
@option("--form", click.Choice(get_args(FormName)), "What listeners are asked.", default="mushra")
@option("--pages-per-listener", click.IntRange(1), "A balanced subset for each.  [default: all]")
@option("--training", click.IntRange(0), "Pages to practise on, of other clips.  [default: 2]")
@option("--seed", 0, "Of the choice of clips, and of orders.")
@option("--title", "", "What listeners read at the top of the page.")
@option("--language", "en", "Of the page and its texts.")
@option("--excerpt-s", DEFAULT_EXCERPT_S, "Length of excerpts in seconds, about.")
@_EXPORT
def design(run: Path, target: Path, systems: str | None, export: str | None, **wishes: Any) -> None:
    """Make a listening test from RUN: a test.yaml to read and edit, and its stimuli."""
    with terminal.ProgressBar() as bar:
        selectors = split_selectors(systems or "")
        test = designed(load(run).folder, target, systems=selectors, **wishes, progress=bar)
        facts = make_test(target, test, webmushra=export is not None, progress=bar)
    _show_items(test, facts, export)
    terminal.say(
        f"Edit the texts, above all consent and contact, then: snacbench mushra serve {target}"
    )
    terminal.show_line(str(target / TEST_FILE))


@click.command
@_TEST
@_EXPORT
def stimuli(test: Path, export: str | None) -> None:
    """Make the stimuli of TEST again, as its test.yaml now says."""
    told = read_test(test)
    with terminal.ProgressBar() as bar:
        facts = make_stimuli(test, told, progress=bar)
    if (test / WEBMUSHRA).exists():
        export = "webmushra"
    if export:
        export_webmushra(test, told, facts)
    _show_items(told, facts, export)
    terminal.show_line(f"{test / STIMULI_FOLDER}, {test / FACTS_FILE}")


def _show_items(test: ListeningTest, facts: Facts, export: str | None) -> None:
    rows = [[i.id, i.clip, f"{i.duration_s:.2f}"] for i in (*test.items, *test.training)]
    terminal.show_rows(["item", "clip", "s"], rows)
    for name, known in facts.items.items():
        terminal.show_warnings([f"{name}: {warning}" for warning in known.warnings])
    terminal.show_warnings(cautions(test) if export else [])


@click.command
@click.argument("test", required=False, type=PATH)
@option("--items", click.IntRange(1), "Items of the test, where there is no TEST.")
@option("--systems", click.IntRange(1), "Systems, where there is no TEST.")
@option("--form", click.Choice(get_args(FormName)), "[default: TEST's, or mushra]")
@option("--pages-per-listener", click.IntRange(1), "[default: TEST's, or all]")
@option(
    "--difference differences",
    click.FloatRange(0, 100, min_open=True),
    "To be found, of two means in points; AB: share of listeners for one of two, ABX: of right "
    "answers, in %; repeatable.  [default: 5, 10, 15 % of the scale; 60, 70, 80 %]",
    multiple=True,
)
@option("--power", click.FloatRange(0.05, 1, max_open=True), "Probability to find it.", default=0.8)
@option("--sd-listener listener_system", click.FloatRange(0), "SD of opinions on one system.")
@option("--sd-item item_system", click.FloatRange(0), "SD of one system over items.")
@option("--sd-residual residual", click.FloatRange(0), "SD of a rating given twice.")
def power(
    test: Path | None,
    items: int | None,
    systems: int | None,
    form: FormName | None,
    pages_per_listener: int | None,
    differences: tuple[float, ...],
    power: float,
    **spread: float | None,
) -> None:
    """Reckon how many listeners it takes to find a difference between two systems.

    \b
    snacbench mushra power TEST
    snacbench mushra power --items 10 --systems 6 --difference 5 --difference 8
    snacbench mushra power --form acr --items 12 --systems 5 --difference 0.3

    Found means: significant in the test that analyse makes, after Holm's correction over all pairs.
    The spread of ratings is what others measured with MUSHRA on neural codecs, and the same share
    of another scale, which is assumed, unless the --sd options say otherwise.
    """  # noqa: D301 - click must get the control character itself, which a raw string has not
    from snacbench.listening.power import LEVEL, STUDIES, Question, Spread, listeners_needed

    if test is not None:
        plan = read_test(test)
        systems, form = systems or len(plan.systems), form or plan.form
        items = items or len(plan.items) * (1 if FORMS[form].rates else plan.repeats)
        if form == plan.form and plan.pages_per_listener and not pages_per_listener:
            trials = items * len(FORMS[form].pairs([str(k) for k in range(systems)]))
            pages_per_listener = min(plan.pages_per_listener, trials)
    form = form or "mushra"
    if items is None or systems is None:
        raise UserError("how large is the test? Name a TEST, or give --items and --systems")
    s = Spread.of(form, **{name: value for name, value in spread.items() if value is not None})
    rates, (low, high) = FORMS[form].rates, FORMS[form].scale
    usual = [(high - low) * k / 20 if rates else 50.0 + 10 * k for k in (1, 2, 3)]
    rows = []
    for difference in differences or usual:
        question = Question(difference, items, systems, s, pages_per_listener, power, form)
        needed, found = listeners_needed(question)
        error = f" +- {100 * math.sqrt(found * (1 - found) / STUDIES):.1f}" if rates else ""
        unit = FORMS[form].unit or "points"
        cells = f"{difference:g} {unit}", needed, needed * question.votes
        rows.append((*map(str, cells), f"{100 * found:.1f}{error} %"))
    terminal.show_rows(["difference", "listeners who count", "votes", "power"], rows)
    click.echo()
    assumed = "" if form.startswith("mushra") else ", as a share of the scale: assumed"
    facts = {
        "design": f"{FORMS[form].label}: {items} items, {systems} systems, {question.pages} pages "
        "per listener; differences are those on these items",
        "analysis": f"{'Wilcoxon over listeners' if rates else 'exact binomial test'}, Holm over "
        f"{question.pairs} pairs, family-wise error {LEVEL:g}; power {power:g}",
    }
    if rates:
        facts["spread (SD)"] = (
            f"listener on a system {s.listener_system:.3g}, system on an item {s.item_system:.3g}, "
            f"residual {s.residual:.3g} points (neural codecs, Stahl et al. 2024{assumed}, "
            f"if not given); {STUDIES} studies a number tried, +- is one standard error"
        )
    facts["to recruit"] = "more than that, some 10 %: who is screened out, or leaves early"
    terminal.show_facts(facts)


@click.command
@_TEST
@option("--host", "127.0.0.1", "Address to listen at; 0.0.0.0 for all of this machine's.")
@option("--port", click.IntRange(0, 65_535), "0 takes any that is free.", default=8000)
@option("--invite", click.IntRange(1, 10_000), "Print so many invitations; then all need one.")
@option("--url", help="How listeners reach it, for the links; no other name is then accepted.")
@option("--proxy", help="Address of a reverse proxy that is believed whom it speaks for.")
@option("--max-listeners", click.IntRange(1), "So many may finish or be under way.  [default: any]")
@option("--new-admin-token", bool, "Make the older one useless.")
def serve(
    test: Path,
    host: str,
    port: int,
    invite: int | None,
    url: str | None,
    proxy: str | None,
    max_listeners: int | None,
    new_admin_token: bool,
) -> None:
    """Serve the page of the listening test in the folder TEST until Ctrl-C.

    Every answer is in TEST/answers.sqlite before the listener's page hears that it was sent. Stop
    and start as you like: listeners go on where they were.

    The admin's address is printed at the first start only; what is kept of it is a digest.
    """
    from snacbench.listening import server

    accepted = accepted_hosts(host, url)
    service = server.open_service(test, max_listeners=max_listeners)
    try:
        listening = server.listen(host, port)
        if url is None:
            name = socket.gethostname() if host in ("0.0.0.0", "::") else host
            name = f"[{name}]" if ":" in name else name
            url = f"http://{name}:{listening.getsockname()[1]}"
        address, answers = url.rstrip("/"), service.responses
        if invite:
            click.echo(f"{invite} invitations, each for one listener, shown only now:")
            for code in responses.make_invitations(answers, invite):
                click.echo(f"  {address}/?invite={code}")
        if new_admin_token or answers.fact(server.ADMIN_FACT) is None:
            click.echo("Your own page, shown only now; --new-admin-token makes another:")
            click.echo(f"  {address}/admin#token={server.new_admin_token(answers)}")
        else:
            click.echo(f"Your own page: {address}/admin with the token of the first start")
        who = "by invitation" if responses.entrance(answers)["invite_required"] else "open to all"
        click.echo(f"{service.test.title} ({who}): {address}/")
        terminal.say("Ctrl-C stops the server; no answer gets lost.")
        page = server.application(service, hosts=accepted, log=terminal.say)
        server.serve(page, listening, proxy=proxy)
    except KeyboardInterrupt:
        terminal.say("stopped; all answers are kept")
    finally:
        service.responses.close()


def accepted_hosts(host: str, url: str | None) -> tuple[str, ...]:
    """Names that the Host header may have, by the address listened at and that of the listeners."""
    hosts: tuple[str, ...] = ()
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"--url {url}: expected an address such as https://listen.example.org")
        hosts = (parts.hostname,)
    return (*_LOOPBACK, *hosts) if host in _LOOPBACK else hosts or ("*",)


@click.command
@_TEST
@option("-o --out", PATH, "File; else standard output.")
def export(test: Path, out: Path | None) -> None:
    """Write the answers that the folder TEST has so far, as CSV: one line per answer.

    The server may go on running. Training pages are left out.
    """
    study, stream = responses.read_study(read_test(test), test), io.StringIO(newline="")
    write_tidy(study, stream)
    told = f"{len(study.answers)} answers of {len(study.listeners)} listeners"
    if out in (None, Path("-")):
        sys.stdout.write(stream.getvalue())
    else:
        with writing(f"the answers to {out}"):
            write_text(out, stream.getvalue())
        told = f"wrote {out}: {told}"
    terminal.say(told)


@click.command
@click.argument("source", metavar="TEST|CSV", type=PATH)
@option("-o --out target", PATH, "Folder.  [default: TEST/analysis, or beside the CSV]")
@option("--test test_folder", PATH, "Test whose answers a CSV holds.  [default: the one beside it]")
@option("--run", PATH, "Run that gets the results, for its report.  [default: the test's own]")
@option("--no-screening", bool, "Do not apply the rules of BS.1534-3.")
@option("--mixed-model mixed", bool, "Also fit one: crossed random effects of listeners and items.")
@option("--exclude", help="By a rule, such as headphones or fast:10; repeatable.", multiple=True)
@option("--level", click.FloatRange(0.5, 0.999), "Of intervals; tests: 1 minus this.", default=0.95)
def analyse(
    source: Path, target: Path | None, test_folder: Path | None, run: Path | None, **how: Any
) -> None:
    """Analyse the answers to a listening test.

    \b
    snacbench mushra analyse TEST                     our own server's answers
    snacbench mushra analyse mushra.csv --test TEST   webMUSHRA's
    snacbench mushra analyse answers.csv              ours exported, or pymushra's

    In MUSHRA listeners are screened by BS.1534-3, each exclusion with its reason. Tables, figures
    and a paragraph for the paper are written, and the results go into the run, whose report shows
    them beside the objective metrics. docs/listening-tests.md says how everything is computed.
    """  # noqa: D301
    from snacbench.listening.analysis import analyse as analysed
    from snacbench.listening.publish import published, run_of, write_all, write_rows
    from snacbench.listening.read import read_source
    from snacbench.tables.listening_tables import listening_tables

    answers = read_source(source, test_folder=test_folder)
    if not answers.study.answers:
        raise UserError(f"{source}: nobody has answered a page yet")
    found = analysed(answers.study, rules=not how.pop("no_screening"), **how)
    summary, scores = published(answers, found)
    beside = source / "analysis" if source.is_dir() else source.with_name(f"{source.stem}-analysis")
    folder, goes_to = target or beside, run_of(answers, run)
    paths = write_all(found, summary, scores, folder)
    if goes_to:
        write_rows(summary, scores, goes_to)
    for exclusion in found.screening.exclusions:
        terminal.say(f"excluded {exclusion.listener}: {exclusion.reason}")
    terminal.show_tables(listening_tables(summary))
    for note in summary.notes:
        terminal.say(f"note: {note}")
    terminal.show_line(summary.text)
    terminal.say(f"wrote {len(paths)} files to {folder}")
    where = "the results went into no run; give it with --run to see them in its report"
    if goes_to:
        where = f"results are in {goes_to.path}; see snacbench report {goes_to.path}"
    terminal.say(where)


@click.command
@_TEST
@click.argument("listener")
def delete(test: Path, listener: str) -> None:
    """Delete LISTENER, such as k7m3-p2vd, from the answers in the folder TEST.

    Name, answers, ratings and comments are overwritten in the file, not only marked as deleted.
    CSV files that were exported before still have them. The server may go on running.
    """
    answers = responses.open_responses(test, read_test(test), create=False)
    with closing(answers):
        responses.delete_listener(answers, listener)
    click.echo(f"{listener} is deleted; delete them from earlier exports too")
