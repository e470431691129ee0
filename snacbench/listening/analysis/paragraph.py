"""What a paper says of a listening test, in one paragraph: as much as is known, and no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from snacbench.listening.analysis.analyse import Analysis
from snacbench.listening.read import Source
from snacbench.listening.test import ANCHOR35, ANCHOR70, REFERENCE, RESERVED
from snacbench.listening.words import count, listed
from snacbench.rows import ComparisonSummary, ConditionSummary
from snacbench.tables.listening_tables import p_text
from snacbench.types import DOMAINS

_REASONS = {
    "unfinished": "did not finish",
    "reference": "rated the hidden reference below 90 on more than 15 % of their items",
    "anchor": "rated the 7 kHz anchor above 90 on more than 15 % of their items",
}


@dataclass(frozen=True)
class _Form:
    """What a form asked, what its numbers are, how they were tested, and what a winner did."""

    asked: str
    numbers: str
    tested: str
    won: str = ""


_MUSHRA = _Form(
    "in a MUSHRA listening test (ITU-R BS.1534-3), listeners rated {heard} against the open "
    "reference from 0 (bad) to 100 (excellent), on {items}.",
    "scores",
    "systems were compared by {friedman}two-sided Wilcoxon signed-rank tests on each listener's "
    "mean difference, with Holm's correction for {pairs}.",
    "was rated higher than",
)
_FORMS = {
    "mushra": _MUSHRA,
    "mushra-no-anchors": _MUSHRA,
    "ab": _Form(
        "in an AB preference test, listeners said of pairs of {heard} which of the two they "
        "preferred, on {items}.",
        "preferences, ties counting half,",
        "pairs were compared by exact sign tests in which each listener counts once, with Holm's "
        "correction for {pairs}.",
        "was preferred to",
    ),
    "abx": _Form(
        "in an ABX test, listeners heard the reference, the output of a system, and a third signal "
        "that was one of these two, and said which one it was, for {heard} on {items}.",
        "shares of right answers",
        "guessing was tested by one-sided exact binomial tests over all trials, with Holm's "
        "correction for {pairs}, and for each listener, with Holm's correction over listeners.",
    ),
}


def paragraph(source: Source, analysis: Analysis) -> str:
    """Design, listeners, exclusions, statistics and main results, ready for a paper.

    What a CSV does not tell, such as levels, is not said.
    """
    sentences = [
        *_design(source, analysis),
        *_listeners(analysis),
        *(_statistics(analysis) if analysis.screening.kept else ()),
        *_results(analysis),
    ]
    return " ".join(sentence[:1].upper() + sentence[1:] for sentence in sentences)


def _design(source: Source, analysis: Analysis) -> Iterator[str]:
    asked, test, study = source.study, source.test, analysis.study
    known = {name: study.kbps.get(name) for name in study.systems}
    names = [n if kbps is None else f"{n} at {kbps:.3g} kbps" for n, kbps in known.items()]
    rated = {r.condition for r in asked.ratings}
    hidden = {
        REFERENCE: "the hidden reference",
        ANCHOR35: "a 3.5 kHz low-pass anchor",
        ANCHOR70: "a 7 kHz low-pass anchor",
    }
    systems = f"{count(len(names), 'system')} ({', '.join(names)})"
    heard = listed([systems, *(text for name, text in hidden.items() if name in rated)])
    on = {answer.item for answer in asked.answers}
    domains = Counter(asked.domains.get(item, "unknown") for item in on)
    kinds = [f"{domains[d]} {d}" for d in DOMAINS if domains[d] and d != "unknown"]
    items = count(len(on), "item") + (f" ({', '.join(kinds)})" if kinds else "")
    if test:
        items += f" of at most {max(item.duration_s for item in test.items):.3g} s"
    yield _FORMS[study.form].asked.format(heard=heard, items=items)
    if not test:
        return
    loudness = f"{test.level.loudness_lufs:g} LUFS".replace("-", "−")
    peak = f"{test.level.true_peak_dbtp:g} dBTP".replace("-", "−")
    if test.level.match_per_condition:
        yield (
            f"every condition was set to {loudness} on its own, which hides errors of level that "
            "a system makes."
        )
    else:
        yield (
            f"one gain per item, for all its conditions, set the reference to {loudness}, or as "
            f"much lower as kept all true peaks at or below {peak}."
        )
    if pages := test.pages_per_listener:
        yield f"each listener was given a balanced random subset of {count(pages, 'page')}."
    if test.training:
        yield f"{count(len(test.training), 'training page')} came first, and did not count."


def _listeners(analysis: Analysis) -> Iterator[str]:
    screening = analysis.screening
    before, kept = len(screening.before), len(screening.kept)
    who = count(before, "listener")
    if before == kept:
        yield f"{who} took part; none was excluded."
    else:
        rules = Counter(str(e.rule) for e in screening.exclusions)
        why = listed([f"{rules[rule]} {text}" for rule, text in _REASONS.items() if rules[rule]])
        several = sum(rules.values()) - len({e.listener for e in screening.exclusions})
        why += f", {several} of them both" if several else ""
        verb = "was" if before - kept == 1 else "were"
        yield f"of {who}, {before - kept} {verb} excluded ({why}), which leaves {kept}."
    if analysis.study.form.startswith("mushra"):
        there = {r.condition for r in analysis.whole.ratings}
        if not screening.rules:
            yield "the post-screening of BS.1534-3 was not applied."
        elif REFERENCE not in there:
            yield "there was no hidden reference to screen listeners by."
        elif ANCHOR70 not in there:
            yield "listeners were screened by the hidden reference alone."
    if screening.transparent_items and screening.rules:
        yield (
            f"on {count(len(screening.transparent_items), 'item')} the 7 kHz anchor was not held "
            "against listeners, since more than 25 % of them rated it above 90."
        )


def _statistics(analysis: Analysis) -> Iterator[str]:
    form = _FORMS[analysis.study.form]
    complete = analysis.means and analysis.ratings.complete
    by = "a t interval on listener means" if complete else "jackknife over listeners, t"
    yield (
        f"{form.numbers} are means in which every item counts the same, with "
        f"{100 * analysis.level:g} % confidence intervals over listeners ({by})."
    )
    if analysis.comparisons:
        friedman = "Friedman's test over listeners and by " if analysis.friedman else ""
        noun = "system" if analysis.study.form == "abx" else "pair"
        yield form.tested.format(friedman=friedman, pairs=count(len(analysis.comparisons), noun))


def _results(analysis: Analysis) -> Iterator[str]:
    rows = [one.row for one in analysis.comparisons]
    alpha = 1 - analysis.level
    if not (rows or analysis.overall):
        yield "no answers are left to report."
    if analysis.overall:
        means = sorted(analysis.overall, key=lambda m: (m.condition in RESERVED, -m.mean))
        named = [f"{m.condition} {m.mean:.1f}{_ends(m)}" for m in means]
        yield f"mean scores were {listed(named)}."
    if test := analysis.friedman:
        alike = "differed" if test.p_value <= alpha else "did not differ significantly"
        yield (
            f"systems {alike} (Friedman: chi-square({test.systems - 1}) = {test.statistic:.1f}, "
            f"{_p(test.p_value)}, Kendall's W = {test.w:.2f})."
        )
    if analysis.study.form == "abx":
        for one, pair in zip(rows, analysis.comparisons, strict=True):
            above = sum(result["p_holm"] <= alpha for result in pair.by_listener)
            yield (
                f"listeners told {one.first} from the reference in {one.answers[0]} of "
                f"{sum(one.answers)} trials ({100 * one.value:.0f} %{_ends(one, 100, 0)}; "
                f"{_p(one.p_holm)} after correction); {above} of "
                f"{count(one.listeners, 'listener')} {'was' if above == 1 else 'were'} above "
                "chance."
            )
        return
    if analysis.study.form == "ab" and rows:
        named = [f"{p.first} over {p.second} {100 * p.value:.0f} %{_ends(p, 100, 0)}" for p in rows]
        yield f"preferences were {listed(named)}."
    better: dict[str, list[str]] = {}
    for one, record in ((pair.row, pair.record) for pair in analysis.comparisons):
        # In AB by listeners, who are what the sign test counts.
        difference = record["for_first"] - record["for_second"] if one.answers else one.value
        if one.p_holm is not None and one.p_holm <= alpha and difference:
            ends = (one.first, one.second)
            winner, loser = ends if difference > 0 else ends[::-1]
            better.setdefault(winner, []).append(loser)
    found, won = sum(map(len, better.values())), _FORMS[analysis.study.form].won
    if rows and not found:
        yield f"after correction, no pair differed at a family-wise level of {alpha:.2g}."
    elif rows:
        ranked = sorted(better.items(), key=lambda pair: -len(pair[1]))
        named = [f"{winner} {won} {listed(losers)}" for winner, losers in ranked]
        rest = count(len(rows) - found, "pair")
        other = f"; the other {rest} did not differ significantly" if found < len(rows) else ""
        yield f"at a family-wise level of {alpha:.2g}, {'; '.join(named)}{other}."


def _p(p: float | None) -> str:
    """``p = 0.031``, ``p < 0.001``."""
    text = p_text(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def _ends(of: ConditionSummary | ComparisonSummary, scale: float = 1.0, digits: int = 1) -> str:
    if of.low is None or of.high is None:
        return ""
    return f" [{scale * of.low:.{digits}f}, {scale * of.high:.{digits}f}]"
