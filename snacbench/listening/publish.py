"""What an analysis comes to: a paragraph for the paper, files, and rows of the run.

Tables and reports find the rows beside the objective metrics.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import jinja2

from snacbench.errors import UserError
from snacbench.files import writing
from snacbench.forms import ANCHOR35, ANCHOR70, FORMS, REFERENCE, RESERVED
from snacbench.later import pd
from snacbench.listening.analysis import Analysis, Estimate
from snacbench.listening.design import practice_of
from snacbench.listening.read import Source
from snacbench.listening.screening import count
from snacbench.listening.study import Record, duplicates, safe_cell
from snacbench.plots._ratings import figures_of
from snacbench.plots.style import paper_style, write_figure
from snacbench.rows import ConditionSummary, ListenerScore, ListeningSummary
from snacbench.store.run_folder import RUN_FILE, RunFolder
from snacbench.tables.listening_tables import listening_tables, p_text
from snacbench.tables.writers import escaped, to_latex, to_markdown
from snacbench.types import DOMAINS

FIGURE_FORMATS = ("svg", "pdf", "png")
_FIGURES = ("scores", "distribution", "rate", "answers")
_REASONS = {
    "unfinished": "did not finish",
    "reference": "rated the hidden reference below 90 on more than 15 % of their items",
    "anchor": "rated the 7 kHz anchor above 90 on more than 15 % of their items",
}


def paragraph(source: Source, analysis: Analysis) -> str:
    """Design, listeners, exclusions, statistics and main results, ready for a paper.

    What a CSV does not tell, such as levels, is not said.
    """
    test, study, screening = source.test, analysis.study, analysis.screening
    form = FORMS[study.form]
    known = {name: study.kbps.get(name) for name in study.systems}
    names = [n if kbps is None else f"{n} at {kbps:.3g} kbps" for n, kbps in known.items()]
    rated = {r.condition for r in source.study.ratings}
    again = form.kind == "single" and form.open_reference
    hidden = {
        REFERENCE: "the reference itself" if again else "the hidden reference",
        ANCHOR35: "a 3.5 kHz low-pass anchor",
        ANCHOR70: "a 7 kHz low-pass anchor",
    }
    systems = f"{count(len(names), 'system')} ({', '.join(names)})"
    on = {answer.item for answer in source.study.answers}
    domains = Counter(source.study.domains.get(item, "unknown") for item in on)
    kinds = [f"{domains[d]} {d}" for d in DOMAINS if domains[d] and d != "unknown"]
    items = count(len(on), "item") + (f" ({', '.join(kinds)})" if kinds else "")
    told: Record = {"count": count, "listed": listed, "p_text": p_text, "level": analysis.level}
    if test:
        items += f" of at most {max(item.duration_s for item in test.items):.3g} s"
        told["loudness"] = f"{test.level.loudness_lufs:g} LUFS".replace("-", "−")
        told["peak"] = f"{test.level.true_peak_dbtp:g} dBTP".replace("-", "−")
        told["practised"] = len(practice_of(test))
    rules = Counter(e.rule for e in screening.exclusions)
    reasons = _REASONS | {rule: whom for rule, (whom, _) in screening.asked.items()}
    why = [f"{rules[rule]} {text}" for rule, text in reasons.items() if rules[rule]]
    several = sum(n > 1 for n in Counter(e.listener for e in screening.exclusions).values())
    more = f", {several} of them more than one of these" if several else ""
    complete = analysis.means and analysis.ratings.complete
    told |= _of_results(analysis) | {
        "form": form,
        "abx": form.kind == "abx",
        "heard": [systems, *(hidden[n] for n in hidden if n in rated)],
        "items": items,
        "test": test,
        "screening": screening,
        "before": len(screening.before),
        "kept": len(screening.kept),
        "why": listed(why) + more if why else "",
        "there": {r.condition for r in analysis.whole.ratings},
        "asked": [f"{reasons[rule]} ({rules[rule]} did)" for rule in screening.asked],
        "by": "a t interval on listener means" if complete else "jackknife over listeners, t",
    }
    text = Path(__file__).with_name("paragraph.txt.j2").read_text("utf-8")
    lines = jinja2.Template(text, trim_blocks=True, undefined=jinja2.StrictUndefined).render(told)
    return " ".join(line[:1].upper() + line[1:] for line in lines.splitlines() if line)


def _of_results(analysis: Analysis) -> Record:
    compared, alpha, form = analysis.comparisons, 1 - analysis.level, FORMS[analysis.study.form]
    means = sorted(analysis.overall, key=lambda m: (m.condition in RESERVED, -m.mean))
    shares = [(c, f"{100 * c.estimate.mean:.0f} %{_ends(c.estimate, 100, 0)}") for c in compared]
    better: dict[str, list[str]] = {}
    for one in compared:
        # In AB by listeners, who are what the sign test counts.
        sides = [one.told[s] for s in ("for_first", "for_second") if one.answers and s in one.told]
        difference = sides[0] - sides[1] if sides else one.estimate.mean
        if one.p_holm is not None and one.p_holm <= alpha and difference:
            winner, loser = one.pair if difference > 0 else one.pair[::-1]
            better.setdefault(winner, []).append(loser)
    ranked, modelled = sorted(better.items(), key=lambda pair: -len(pair[1])), analysis.mixed[1]
    digits, friedman = form.digits, analysis.friedman
    return {
        "alpha": alpha,
        "friedman": friedman,
        "by_friedman": "Friedman's test over listeners and by " if friedman else "",
        "compared": shares,
        "means": [f"{m.condition} {_number(m.mean, digits)}{_ends(m, 1, digits)}" for m in means],
        "preferred": [f"{' over '.join(one.pair)} {share}" for one, share in shares],
        "better": [f"{winner} {form.won} {listed(losers)}" for winner, losers in ranked],
        "found": sum(map(len, better.values())),
        "modelled": modelled,
        "differ": [f"{p['first']} and {p['second']}" for p in modelled if p["p_holm"] <= alpha],
    }


def _ends(of: ConditionSummary | Estimate, scale: float = 1.0, digits: int = 1) -> str:
    if of.low is None or of.high is None:
        return ""
    return f" [{_number(scale * of.low, digits)}, {_number(scale * of.high, digits)}]"


def _number(value: float, digits: int) -> str:
    return f"{value:z.{digits}f}".replace("-", "−")


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last


# ------------------------------------------------------------------------------ files
def write_all(
    analysis: Analysis, summary: ListeningSummary, scores: Sequence[ListenerScore], folder: Path
) -> list[Path]:
    """Write everything into a folder, in place of what an earlier analysis left there."""
    tables, numbers = listening_tables(summary), records_of(analysis)
    out = [f"Excluded {one.listener}: {one.reason}" for one in analysis.screening.exclusions]
    notes = "\n".join(f"- {escaped(note)}" for note in (*summary.notes, *out))
    parts = [
        f"# {escaped(summary.title)}",
        escaped(summary.text),
        to_markdown(tables).rstrip(),
        f"### Notes\n\n{notes}" if notes else "",
    ]
    texts = {
        "summary.md": "\n\n".join(filter(None, parts)) + "\n",
        "paragraph.txt": summary.text + "\n",
        "tables.tex": to_latex(tables),
        **{f"{name}.csv": csv_text(records) for name, records in numbers.items() if records},
    }
    # What this study does not give must not stay from one that did.
    figures = [f"{name}.{form}" for name in _FIGURES for form in FIGURE_FORMATS]
    with writing(f"the analysis to {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*figures, *(f"{name}.csv" for name in numbers)):
            (folder / name).unlink(missing_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8")
    paths = [folder / name for name in texts]
    with paper_style():
        for name, figure in figures_of(summary, scores).items():
            paths += write_figure(figure, folder / name, FIGURE_FORMATS)
    return paths


def csv_text(records: Sequence[Record]) -> str:
    """Records as CSV: numbers in full, what is not known empty, no cell a formula."""
    safe = [{key: safe_cell(value) for key, value in record.items()} for record in records]
    return str(pd.DataFrame(safe, dtype=object).to_csv(index=False, lineterminator="\n"))


def records_of(analysis: Analysis) -> Mapping[str, Sequence[Record]]:
    """Every table of numbers by the name of its file, those that the form has not empty."""
    out = dict[str, str]()
    for left in analysis.screening.exclusions:
        out[left.listener] = "; ".join(filter(None, (out.get(left.listener), left.reason)))
    means = {"after": analysis.means, "before": analysis.means_before}
    compared = {FORMS[analysis.study.form].file: [one.record for one in analysis.comparisons]}
    return {
        "scores": [{"screening": when, **vars(m)} for when, of in means.items() for m in of],
        **{form.file: compared.get(form.file, []) for form in FORMS.values()},
        "abx-listeners": [result for c in analysis.comparisons for result in c.by_listener],
        "items": analysis.items,
        "mixed-model": analysis.mixed[1],
        "mixed-model-deviations": [analysis.mixed[0]] if analysis.mixed[0] else [],
        "listeners": [
            check
            | {"kept": "no" if check["listener"] in out else "yes"}
            | {"excluded": out.get(check["listener"], "")}
            for check in analysis.screening.checks
        ],
    }


# ------------------------------------------------------------------------------ rows of the run
def published(source: Source, analysis: Analysis) -> tuple[ListeningSummary, list[ListenerScore]]:
    """The rows that an analysis comes to; comments and questionnaires stay out of them."""
    study, answered, kept = source.study, analysis.study, set(analysis.screening.kept)
    summary = ListeningSummary(
        test=study.name, title=source.test.title if source.test else study.name, form=study.form,
        simulated=False, listeners_before=len(analysis.screening.before), listeners=len(kept),
        items=len({answer.item for answer in answered.answers}), level=analysis.level,
        conditions=analysis.means, comparisons=tuple(one.row for one in analysis.comparisons),
        text=paragraph(source, analysis), notes=tuple(_notes(source, analysis)),
    )  # fmt: skip
    return summary, study.rows(kept)


def _notes(source: Source, analysis: Analysis) -> Iterator[str]:
    screening, form = analysis.screening, analysis.study.form
    for note in source.notes:
        yield f"{note[:1].upper()}{note[1:]}."
    if broken := screening.broken_pages:
        (listener, item), missing = next(iter(broken.items()))
        yield (
            f"{len(broken)} pages lacked a condition that others rated there and were left out, "
            f"such as {item} of {listener}, without {', '.join(sorted(missing))}."
        )
    if silent := len(analysis.whole.listeners) - len(screening.before):
        yield f"{silent} listeners began and answered no page."
    for rule, number in ((rule, n) for rule, (_, n) in screening.asked.items() if n):
        yield f"{count(number, 'listener')} could not be judged by the rule {rule}, and counted."
    yield from duplicates(analysis.whole.listeners)
    if FORMS[form].rates and not analysis.ratings.complete:
        yield (
            "Not every listener rated every item: means are means of item means, and tests take "
            "of each listener what they contribute to the difference of two means."
        )
    if 0 < len(screening.kept) < 15:
        usual = "BS.1534-3 takes 20 for a usual test of experienced ones"
        why = usual if FORMS[form].by_bs1534 else "look at the width of the intervals"
        yield f"{len(screening.kept)} listeners are few: {why}."
    if form == "abx":
        yield (
            "p over all trials tests that nobody hears any difference (every answer a coin flip); "
            "a small one says that somebody does, not that most listeners do: see the listeners "
            "one by one."
        )


def write_rows(
    summary: ListeningSummary, scores: Sequence[ListenerScore], folder: RunFolder
) -> None:
    """Put the rows into a run, in place of those of an earlier analysis of the same test.

    `StoreError` if another process is writing to the run, or it cannot be written.
    """
    with folder.locked():
        folder.replace(ListenerScore, scores, of=lambda row: row.test == summary.test)
        folder.replace(ListeningSummary, [summary], of=lambda row: row.test == summary.test)


def run_of(source: Source, chosen: Path | None) -> RunFolder | None:
    """The run to write to: the one that was chosen, or the test's own if it is still there.

    `UserError` if the chosen run is of other clips than the test, or has none of its codecs.
    """
    test, systems = source.test, source.study.systems
    if chosen is None:
        if test is None or source.folder is None:
            return None
        path = (source.folder / test.run).resolve()
        own = RunFolder.open(path) if (path / RUN_FILE).is_file() else None
        return own if own and own.run.id == test.run_id else None
    folder = RunFolder.open(chosen)
    if test and test.set_sha256 != folder.run.set_sha256:
        raise UserError(
            f"--run {folder.path}: the run is of another test set ({folder.run.test_set}) than the "
            "listening test; give the run that the test was designed from"
        )
    if not {spec.name for spec in folder.run.codecs} & set(systems):
        raise UserError(
            f"--run {folder.path}: the run has none of the systems that were listened to "
            f"({', '.join(systems)})"
        )
    return folder
