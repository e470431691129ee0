"""What a paper says of a listening test, in one paragraph: as much as is known, and no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from snacbench.listening.analysis.analyse import Analysis
from snacbench.listening.analysis.cells import Ends
from snacbench.listening.read import Source
from snacbench.listening.screening import Rule, Screening
from snacbench.listening.study import Study
from snacbench.listening.test import ANCHOR35, ANCHOR70, REFERENCE, RESERVED, ListeningTest
from snacbench.listening.words import SIMULATED, count, listed, p_text, percent
from snacbench.tables.run_rows import ALL_DOMAINS
from snacbench.types import DOMAINS

_REASONS: dict[Rule, str] = {
    "unfinished": "did not finish",
    "reference": "rated the hidden reference below 90 on more than 15 % of their items",
    "anchor": "rated the 7 kHz anchor above 90 on more than 15 % of their items",
}


def paragraph(source: Source, analysis: Analysis) -> str:
    """Design, listeners, exclusions, statistics and main results, ready for a paper.

    What a CSV does not tell, such as levels, is not said.
    """
    form = analysis.study.form
    results = {"ab": _preferences, "abx": _identifications}.get(form, _scores)
    sentences = [
        *([SIMULATED] if analysis.study.simulated else []),
        *_design(source, analysis),
        *_listeners(source, analysis),
        *_statistics(analysis),
        *results(analysis),
    ]
    return " ".join(sentence[:1].upper() + sentence[1:] for sentence in sentences)


# ---------------------------------------------------------------------------------- the design


def _design(source: Source, analysis: Analysis) -> Iterator[str]:
    study, test = analysis.study, source.test
    names = ", ".join(map(_rated(study), study.systems))
    systems = f"{count(len(study.systems), 'system')} ({names})"
    items = _items(source)
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
        yield (
            "in a MUSHRA listening test (ITU-R BS.1534-3), listeners rated "
            f"{listed([systems, *_hidden(source)])} against the open reference from 0 (bad) to "
            f"100 (excellent), on {items}."
        )
    if test:
        yield from _test_details(test)


def _rated(study: Study) -> Callable[[str], str]:
    """A system with its actual rate, where that is known."""

    def name(system: str) -> str:
        kbps = study.kbps.get(system)
        return system if kbps is None else f"{system} at {kbps:.3g} kbps"

    return name


def _hidden(source: Source) -> list[str]:
    there = {r.condition for r in source.study.ratings}
    found = ["the hidden reference"] if REFERENCE in there else []
    if ANCHOR35 in there and ANCHOR70 in there:
        return [*found, "two low-pass anchors (3.5 and 7 kHz)"]
    found += ["a 3.5 kHz low-pass anchor"] if ANCHOR35 in there else []
    found += ["a 7 kHz low-pass anchor"] if ANCHOR70 in there else []
    return found


def _items(source: Source) -> str:
    study = source.study
    names = dict.fromkeys([*(r.item for r in study.ratings), *(c.item for c in study.choices)])
    domains = Counter(study.domains.get(name, "unknown") for name in names)
    kinds = [f"{domains[d]} {d}" for d in DOMAINS if domains[d] and d != "unknown"]
    text = count(len(names), "item")
    if len(kinds) > 1:
        text += f" ({', '.join(kinds)})"
    elif kinds:
        text = f"{len(names)} {kinds[0].split()[1]} item{'' if len(names) == 1 else 's'}"
    if source.test:
        longest = max(item.duration_s for item in source.test.items)
        text += f" of at most {longest:.3g} s"
    return text


def _test_details(test: ListeningTest) -> Iterator[str]:
    level = test.level
    loudness = f"{level.loudness_lufs:g} LUFS".replace("-", "−")
    peak = f"{level.true_peak_dbtp:g} dBTP".replace("-", "−")
    if level.match_per_condition:
        yield (
            f"every condition was set to {loudness} on its own, which hides errors of level that "
            "a system makes."
        )
    else:
        yield (
            f"one gain per item, for all its conditions, set the reference to {loudness}, or as "
            f"much lower as kept all true peaks at or below {peak}."
        )
    if test.pages_per_listener:
        noun = "items" if test.form.startswith("mushra") else "trials"
        yield (
            f"each listener was given a balanced random subset of {test.pages_per_listener} {noun}."
        )
    if test.training:
        verb = "does" if len(test.training) == 1 else "do"
        yield f"{count(len(test.training), 'training page')} came first and {verb} not count."


# ------------------------------------------------------------------------------- the listeners


def _listeners(source: Source, analysis: Analysis) -> Iterator[str]:
    screening = analysis.screening
    before, kept = len(screening.before), len(screening.kept)
    who = count(before, f"{'simulated ' if analysis.study.simulated else ''}listener")
    if before == kept:
        yield f"{who} took part; none was excluded."
    else:
        verb = "was" if before - kept == 1 else "were"
        yield (
            f"of {who}, {before - kept} {verb} excluded ({_reasons(screening)}), which leaves "
            f"{kept}."
        )
    if analysis.study.form.startswith("mushra"):
        yield from _rules(source, analysis)
    if screening.options.least_share < 1:
        least = percent(round(screening.options.least_share, 4))
        yield f"who left early counted if they had answered {least} of their pages or more."


def _reasons(screening: Screening) -> str:
    """Why listeners were excluded, and how many for each reason."""
    rules = Counter(e.rule for e in screening.exclusions)
    named = [f"{rules[rule]} {text}" for rule, text in _REASONS.items() if rules[rule]]
    several = sum(rules.values()) - len({e.listener for e in screening.exclusions})
    return listed(named) + (f", {several} of them both" if several else "")


def _rules(source: Source, analysis: Analysis) -> Iterator[str]:
    there = {r.condition for r in source.study.ratings}
    if not analysis.screening.options.rules:
        yield "the post-screening of BS.1534-3 was not applied."
    elif REFERENCE not in there:
        yield "there was no hidden reference to screen listeners by."
    elif ANCHOR70 not in there:
        yield "listeners were screened by the hidden reference alone, there being no anchors."
    if analysis.screening.transparent_items and analysis.screening.options.rules:
        number = len(analysis.screening.transparent_items)
        yield (
            f"on {count(number, 'item')} the 7 kHz anchor was not held against listeners, since "
            "more than 25 % of them rated it above 90."
        )


# ------------------------------------------------------------------------------ the statistics


def _statistics(analysis: Analysis) -> Iterator[str]:
    form, level = analysis.study.form, percent(analysis.level)
    if not analysis.screening.kept:
        return
    if form.startswith("mushra") and analysis.ratings.complete:
        interval = "a t interval on listener means"
    else:
        interval = "by the jackknife over listeners and a t distribution"
    what = {"ab": "preferences, ties counting half,", "abx": "shares of right answers"}
    yield (
        f"{what.get(form, 'scores')} are means in which every item counts the same, with {level} "
        f"confidence intervals over listeners ({interval})."
    )
    if form == "ab":
        yield (
            "pairs were compared by exact sign tests in which each listener counts once, with "
            f"Holm's correction for {count(len(analysis.preferences), 'pair')}."
        )
    elif form == "abx":
        yield (
            "guessing was tested by one-sided exact binomial tests over all trials, with Holm's "
            f"correction for {count(len(analysis.identifications), 'system')}, and for each "
            "listener, with Holm's correction over listeners."
        )
    elif analysis.pairs:
        friedman = analysis.friedman and analysis.friedman.statistic is not None
        first = "Friedman's test over listeners and by " if friedman else ""
        yield (
            f"systems were compared by {first}two-sided Wilcoxon signed-rank tests on each "
            "listener's mean difference, with Holm's correction for "
            f"{count(len(analysis.pairs), 'pair')}."
        )


# --------------------------------------------------------------------------------- the results


def _scores(analysis: Analysis) -> Iterator[str]:
    overall = [m for m in analysis.means if m.domain == ALL_DOMAINS]
    systems = sorted((m for m in overall if m.condition not in RESERVED), key=lambda m: -m.mean)
    if not systems:
        yield "no ratings are left to report."
        return
    named = [f"{m.condition} {m.mean:.1f}{_ends(m.ends)}" for m in systems]
    yield f"mean scores were {listed(named)}."
    aside = {REFERENCE: "the hidden reference", ANCHOR35: "the 3.5 kHz anchor",
             ANCHOR70: "the 7 kHz anchor"}  # fmt: skip
    others = [f"{aside[m.condition]} {m.mean:.1f}" for m in overall if m.condition in aside]
    if others:
        yield f"for comparison, {listed(others)}."
    test = analysis.friedman
    if test and test.p_value is not None and test.statistic is not None and test.w is not None:
        alike = "differed" if test.p_value <= 1 - analysis.level else "did not differ significantly"
        yield (
            f"systems {alike} (Friedman: chi-square({test.systems - 1}) = {test.statistic:.1f}, "
            f"{p_text(test.p_value, named=True)}, Kendall's W = {test.w:.2f})."
        )
    yield from _differences(
        [(p.first, p.second, p.difference, p.p_holm) for p in analysis.pairs],
        "was rated higher than",
        analysis,
    )


def _differences(
    pairs: list[tuple[str, str, float, float | None]], verb: str, analysis: Analysis
) -> Iterator[str]:
    """Which pairs differ after the correction, by who is better."""
    if not pairs:
        return
    better: dict[str, list[str]] = {}
    for first, second, difference, p in pairs:
        if p is not None and p <= 1 - analysis.level and difference:
            winner, loser = (first, second) if difference > 0 else (second, first)
            better.setdefault(winner, []).append(loser)
    found = sum(map(len, better.values()))
    alpha = f"{1 - analysis.level:.2g}"
    if not found:
        yield f"after correction, no pair differed at a family-wise level of {alpha}."
        return
    ranked = sorted(better.items(), key=lambda pair: -len(pair[1]))
    named = [f"{winner} {verb} {listed(losers)}" for winner, losers in ranked]
    rest = f"; the other {count(len(pairs) - found, 'pair')} did not differ significantly"
    yield (
        f"at a family-wise level of {alpha}, {'; '.join(named)}"
        f"{rest if found < len(pairs) else ''}."
    )


def _ends(ends: Ends, scale: float = 1.0, digits: int = 1) -> str:
    if ends.low is None or ends.high is None:
        return ""
    return f" [{scale * ends.low:.{digits}f}, {scale * ends.high:.{digits}f}]"


def _preferences(analysis: Analysis) -> Iterator[str]:
    if not analysis.preferences:
        yield "no answers are left to report."
        return
    named = [
        f"{p.first} over {p.second} {100 * p.share:.0f} %{_ends(p.ends, 100, 0)}"
        for p in analysis.preferences
    ]
    yield f"preferences were {listed(named)}."
    yield from _differences(
        [(p.first, p.second, p.for_first - p.for_second, p.p_holm) for p in analysis.preferences],
        "was preferred to",
        analysis,
    )


def _identifications(analysis: Analysis) -> Iterator[str]:
    if not analysis.identifications:
        yield "no answers are left to report."
        return
    alpha = 1 - analysis.level
    for one in analysis.identifications:
        above = sum(r.p_holm is not None and r.p_holm <= alpha for r in one.by_listener)
        share = f"{100 * one.share:.0f} %{_ends(one.ends, 100, 0)}"
        yield (
            f"listeners told {one.system} from the reference in {one.correct} of {one.trials} "
            f"trials ({share}; {p_text(one.p_holm, named=True)} after correction); {above} of "
            f"{count(one.listeners, 'listener')} {'was' if above == 1 else 'were'} above chance."
        )
    yield (
        "the tests over all trials ask whether anybody hears a difference, not whether most "
        "listeners do."
    )
