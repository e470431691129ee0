"""What a paper says of a listening test, in one paragraph: as much as is known, and no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from snacbench.listening.analysis.analyse import Analysis
from snacbench.listening.analysis.study_tables import above_chance
from snacbench.listening.read import Source
from snacbench.listening.test import ANCHOR35, ANCHOR70, REFERENCE, RESERVED
from snacbench.listening.words import SIMULATED, count, listed, p_text, percent
from snacbench.rows import ComparisonSummary, ConditionSummary
from snacbench.types import DOMAINS

_REASONS = {
    "unfinished": "did not finish",
    "reference": "rated the hidden reference below 90 on more than 15 % of their items",
    "anchor": "rated the 7 kHz anchor above 90 on more than 15 % of their items",
}


def paragraph(source: Source, analysis: Analysis) -> str:
    """Design, listeners, exclusions, statistics and main results, ready for a paper.

    What a CSV does not tell, such as levels, is not said.
    """
    sentences = [
        *([SIMULATED] if analysis.study.simulated else []),
        *_design(source, analysis),
        *_listeners(source, analysis),
        *(_statistics(analysis) if analysis.screening.kept else ()),
        *(_of_choices if analysis.study.form in ("ab", "abx") else _of_scores)(analysis),
    ]
    return " ".join(sentence[:1].upper() + sentence[1:] for sentence in sentences)


def _design(source: Source, analysis: Analysis) -> Iterator[str]:
    asked, test, study = source.study, source.test, analysis.study
    known = {name: study.kbps.get(name) for name in study.systems}
    names = [n if kbps is None else f"{n} at {kbps:.3g} kbps" for n, kbps in known.items()]
    systems = f"{count(len(names), 'system')} ({', '.join(names)})"
    heard = dict.fromkeys([*(r.item for r in asked.ratings), *(c.item for c in asked.choices)])
    domains = Counter(asked.domains.get(name, "unknown") for name in heard)
    kinds = [f"{domains[d]} {d}" for d in DOMAINS if domains[d] and d != "unknown"]
    items = count(len(heard), f"{kinds[0].split()[1]} item" if len(kinds) == 1 else "item")
    if len(kinds) > 1:
        items += f" ({', '.join(kinds)})"
    if test:
        items += f" of at most {max(item.duration_s for item in test.items):.3g} s"
    if study.form == "ab":
        neither = "; “no preference” was an answer" if test and test.allow_tie else ""
        yield (
            f"in an AB preference test, listeners said of pairs of {systems} which of the two they "
            f"preferred, on {items}{neither}."
        )
    elif study.form == "abx":
        yield (
            "in an ABX test, listeners heard the reference, the output of a system, and a third "
            f"signal that was one of these two, and said which one it was, for {systems} on "
            f"{items}."
        )
    else:
        there = {r.condition for r in asked.ratings}
        anchors = {ANCHOR35: "a 3.5 kHz low-pass anchor", ANCHOR70: "a 7 kHz low-pass anchor"}
        hidden = [text for name, text in anchors.items() if name in there]
        hidden = ["two low-pass anchors (3.5 and 7 kHz)"] if len(hidden) > 1 else hidden
        hidden = ["the hidden reference", *hidden] if REFERENCE in there else hidden
        yield (
            f"in a MUSHRA listening test (ITU-R BS.1534-3), listeners rated "
            f"{listed([systems, *hidden])} against the open reference from 0 (bad) to 100 "
            f"(excellent), on {items}."
        )
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
        noun = "items" if test.form.startswith("mushra") else "trials"
        yield f"each listener was given a balanced random subset of {pages} {noun}."
    if test.training:
        verb = "does" if len(test.training) == 1 else "do"
        yield f"{count(len(test.training), 'training page')} came first and {verb} not count."


def _listeners(source: Source, analysis: Analysis) -> Iterator[str]:
    screening = analysis.screening
    before, kept = len(screening.before), len(screening.kept)
    who = count(before, f"{'simulated ' if analysis.study.simulated else ''}listener")
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
        there = {r.condition for r in source.study.ratings}
        if not screening.options.rules:
            yield "the post-screening of BS.1534-3 was not applied."
        elif REFERENCE not in there:
            yield "there was no hidden reference to screen listeners by."
        elif ANCHOR70 not in there:
            yield "listeners were screened by the hidden reference alone, there being no anchors."
        if screening.transparent_items and screening.options.rules:
            yield (
                f"on {count(len(screening.transparent_items), 'item')} the 7 kHz anchor was not "
                "held against listeners, since more than 25 % of them rated it above 90."
            )
    if screening.options.least_share < 1:
        least = percent(round(screening.options.least_share, 4))
        yield f"who left early counted if they had answered {least} of their pages or more."


def _statistics(analysis: Analysis) -> Iterator[str]:
    form, compared = analysis.study.form, len(analysis.comparisons)
    interval = "by the jackknife over listeners and a t distribution"
    if form.startswith("mushra") and analysis.ratings.complete:
        interval = "a t interval on listener means"
    what = {"ab": "preferences, ties counting half,", "abx": "shares of right answers"}
    yield (
        f"{what.get(form, 'scores')} are means in which every item counts the same, with "
        f"{percent(analysis.level)} confidence intervals over listeners ({interval})."
    )
    if form == "ab":
        yield (
            "pairs were compared by exact sign tests in which each listener counts once, with "
            f"Holm's correction for {count(compared, 'pair')}."
        )
    elif form == "abx":
        yield (
            "guessing was tested by one-sided exact binomial tests over all trials, with Holm's "
            f"correction for {count(compared, 'system')}, and for each listener, with Holm's "
            "correction over listeners."
        )
    elif compared:
        first = "Friedman's test over listeners and by " if analysis.friedman else ""
        yield (
            f"systems were compared by {first}two-sided Wilcoxon signed-rank tests on each "
            f"listener's mean difference, with Holm's correction for {count(compared, 'pair')}."
        )


def _of_scores(analysis: Analysis) -> Iterator[str]:
    systems = sorted(
        (m for m in analysis.overall if m.condition not in RESERVED), key=lambda m: -m.mean
    )
    if not systems:
        yield "no ratings are left to report."
        return
    yield f"mean scores were {listed([f'{m.condition} {m.mean:.1f}{_ends(m)}' for m in systems])}."
    aside = {REFERENCE: "hidden reference", ANCHOR35: "3.5 kHz anchor", ANCHOR70: "7 kHz anchor"}
    others = [
        f"the {aside[m.condition]} {m.mean:.1f}" for m in analysis.overall if m not in systems
    ]
    if others:
        yield f"for comparison, {listed(others)}."
    if test := analysis.friedman:
        alike = "differed" if test.p_value <= 1 - analysis.level else "did not differ significantly"
        yield (
            f"systems {alike} (Friedman: chi-square({test.systems - 1}) = {test.statistic:.1f}, "
            f"{p_text(test.p_value, named=True)}, Kendall's W = {test.w:.2f})."
        )
    yield from _differences(analysis, "was rated higher than")


def _of_choices(analysis: Analysis) -> Iterator[str]:
    if not analysis.comparisons:
        yield "no answers are left to report."
    elif analysis.study.form == "ab":
        named = [
            f"{p.first} over {p.second} {100 * p.value:.0f} %{_ends(p, 100, 0)}"
            for p in (pair.row for pair in analysis.comparisons)
        ]
        yield f"preferences were {listed(named)}."
        yield from _differences(analysis, "was preferred to")
    else:
        for pair in analysis.comparisons:
            one, above = pair.row, above_chance(pair, analysis.level)
            share = f"{100 * one.value:.0f} %{_ends(one, 100, 0)}"
            yield (
                f"listeners told {one.first} from the reference in {one.answers[0]} of "
                f"{sum(one.answers)} trials ({share}; {p_text(one.p_holm, named=True)} after "
                f"correction); {above} of {count(one.listeners, 'listener')} "
                f"{'was' if above == 1 else 'were'} above chance."
            )
        yield (
            "the tests over all trials ask whether anybody hears a difference, not whether most "
            "listeners do."
        )


def _differences(analysis: Analysis, verb: str) -> Iterator[str]:
    """Which pairs differ after the correction, by who is better."""
    pairs = analysis.comparisons
    better: dict[str, list[str]] = {}
    for one, record in ((pair.row, pair.record) for pair in pairs):
        # In AB by listeners, who are what the sign test counts.
        difference = record["for_first"] - record["for_second"] if one.answers else one.value
        if one.p_holm is not None and one.p_holm <= 1 - analysis.level and difference:
            ends = (one.first, one.second)
            winner, loser = ends if difference > 0 else ends[::-1]
            better.setdefault(winner, []).append(loser)
    found, alpha = sum(map(len, better.values())), f"{1 - analysis.level:.2g}"
    if pairs and not found:
        yield f"after correction, no pair differed at a family-wise level of {alpha}."
    elif pairs:
        ranked = sorted(better.items(), key=lambda pair: -len(pair[1]))
        named = "; ".join(f"{winner} {verb} {listed(losers)}" for winner, losers in ranked)
        rest = count(len(pairs) - found, "pair")
        other = f"; the other {rest} did not differ significantly" if found < len(pairs) else ""
        yield f"at a family-wise level of {alpha}, {named}{other}."


def _ends(of: ConditionSummary | ComparisonSummary, scale: float = 1.0, digits: int = 1) -> str:
    if of.low is None or of.high is None:
        return ""
    return f" [{scale * of.low:.{digits}f}, {scale * of.high:.{digits}f}]"
