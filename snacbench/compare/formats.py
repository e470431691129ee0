"""Comparisons as Markdown, as rows for the terminal, and as JSON for a machine to read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from snacbench.compare.pairs import KBPS, Answer, Comparison, LostClips, RateComparison
from snacbench.compare.rates import Saving
from snacbench.stats.intervals import Interval

NOTHING = "–"
_ARROWS = {"higher": "↑", "lower": "↓"}
_SHOWN_CLIPS = 5
HEADINGS = (
    "domain", "metric", "codec", "n", "baseline", "candidate", "difference", "p (Holm)", "verdict",
)  # fmt: skip
RATE_HEADINGS = ("domain", "codec", "n", "baseline kbps", "candidate kbps", "change", "verdict")


def comparison_rows(answer: Answer) -> list[tuple[str, ...]]:
    """One row per metric, domain and pair, under `HEADINGS`."""
    return [
        (
            found.domain,
            f"{found.metric} {_ARROWS[found.better]}",
            _pair(found),
            str(found.paired.difference.n if found.paired.difference else 0),
            _number(found.baseline_mean),
            _number(found.candidate_mean),
            _with_interval(found.paired.difference),
            NOTHING if found.p_corrected is None else f"{found.p_corrected:.2g}",
            found.verdict
            + (", clips lost" if found.paired.lost_by_first else "")
            + (", fails" if found.fails else ""),
        )
        for found in answer.comparisons
    ]


def rate_rows(answer: Answer) -> list[tuple[str, ...]]:
    """One row per domain and pair, under `RATE_HEADINGS`."""
    return [
        (
            found.domain,
            _pair(found),
            str(found.n),
            f"{found.baseline_kbps:.3f}",
            f"{found.candidate_kbps:.3f}",
            f"{found.change_percent:+.2f} %",
            "more than the tolerance, fails" if found.fails else NOTHING,
        )
        for found in answer.rates
    ]


def remarks(answer: Answer) -> Iterator[str]:
    """What a reader of the comparison must know, one sentence each."""
    for lost in answer.lost:
        yield from _lost_codings(lost)
    for found in answer.comparisons:
        for clips, who in (
            (found.paired.lost_by_first, f"candidate {found.candidate}"),
            (found.paired.lost_by_second, f"baseline {found.baseline}"),
        ):
            if clips:
                outcome = ": fails" if clips is found.paired.lost_by_first else ""
                yield (
                    f"{found.metric}, {found.domain}: {who} has no score for {_named(clips)}; "
                    f"left out of both sides{outcome}."
                )
    yield from _about_intervals(answer)
    undecided = [c for c in answer.comparisons if c.verdict == "undecided" and c.tolerance]
    if undecided:
        yield (
            "undecided: the interval reaches beyond the tolerance and back; only more clips, or "
            "more speakers and tracks, can tell."
        )


def _about_intervals(answer: Answer) -> Iterator[str]:
    intervals = [c.paired.difference for c in answer.comparisons if c.paired.difference]
    if any(i.these_clusters_only for i in intervals):
        yield (
            "Fewer than 5 speakers or tracks in some domain: its intervals speak of these only, "
            "and say nothing about others."
        )
    if any(i.independence_assumed for i in intervals):
        yield "Speaker or track of some clips is not known: they were taken as independent."
    methods = ", ".join(dict.fromkeys(i.method for i in intervals))
    if methods:
        yield (
            f"Differences are candidate minus baseline on shared clips, with {answer.level:.0%} "
            f"intervals ({methods}); p after Holm over {_family(answer)} comparisons: rows that "
            "are identical clip by clip, and rows of all that repeat a domain, are not counted."
        )


def _family(answer: Answer) -> int:
    return sum(c.p_corrected is not None and not c.repeats for c in answer.comparisons)


def failures(answer: Answer) -> list[str]:
    """Which rows fail the gate and by how much, a line each; rows that repeat others left out."""
    lines = [_failure(c) for c in answer.comparisons if c.fails and not c.repeats]
    for rate in answer.rates:
        if rate.fails:
            more = rate.candidate_kbps - rate.baseline_kbps
            lines.append(
                f"{rate.domain}, {_pair(rate)}: {more:.3f} kbps more "
                f"({rate.change_percent:+.2f} %), tolerance {rate.tolerance:g} (n = {rate.n})"
            )
    for lost in answer.lost:
        if lost.by_candidate:
            lines.append(f"{lost.candidate}: not coded: {_named(lost.by_candidate)}")
    return lines


def _failure(found: Comparison) -> str:
    """A failed row in words."""
    difference = found.paired.difference
    parts = []
    if difference is not None:
        gate = "" if found.tolerance is None else f", tolerance {found.tolerance:g}"
        unit = "" if found.unit == "1" else f" {found.unit}"
        parts.append(
            f"{found.verdict}, {_with_interval(difference)}{unit} ({found.better} is better{gate}; "
            f"n = {difference.n})"
        )
    if lost := found.paired.lost_by_first:
        parts.append(f"no score for {_named(lost)}")
    return f"{found.domain}, {found.metric}, {_pair(found)}: {'; '.join(parts) or found.verdict}"


def _lost_codings(lost: LostClips) -> Iterator[str]:
    if lost.by_candidate:
        yield (
            f"candidate {lost.candidate} failed on {_named(lost.by_candidate)} that the baseline "
            "coded: fails."
        )
    if lost.by_baseline:
        yield f"baseline {lost.baseline} failed on {_named(lost.by_baseline)}."


def _named(clips: Sequence[str]) -> str:
    shown = ", ".join(clips[:_SHOWN_CLIPS])
    more = f" and {len(clips) - _SHOWN_CLIPS} more" if len(clips) > _SHOWN_CLIPS else ""
    return f"{len(clips)} clip{'' if len(clips) == 1 else 's'} ({shown}{more})"


def comparison_markdown(answer: Answer) -> str:
    """The comparison as Markdown tables with their remarks."""
    parts = [_table(HEADINGS, comparison_rows(answer))]
    if answer.rates:
        parts.append(_table(RATE_HEADINGS, rate_rows(answer)))
    parts.append("\n".join(f"- {text}" for text in remarks(answer)))
    parts.append("**passed**" if answer.passed else "**failed**")
    parts.append("\n".join(f"- {line}" for line in failures(answer)))
    return "\n\n".join(part for part in parts if part) + "\n"


def comparison_json(answer: Answer) -> str:
    """The comparison for a machine: everything that is known, and ``passed``."""
    described: dict[str, Any] = {
        "passed": answer.passed,
        "failures": failures(answer),
        **asdict(answer),
    }
    for row, found in zip(described["rates"], answer.rates, strict=True):
        row["change_percent"] = found.change_percent
    described["tolerance_of_rates"] = KBPS
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


def savings_text(found: Sequence[Saving], *, markdown: bool) -> str:
    """Every sentence on a line of its own."""
    lines = [text for saving in found for text in saving.sentences()]
    return "".join(f"- {line}.\n" if markdown else f"{line}.\n" for line in lines)


def savings_json(found: Sequence[Saving]) -> str:
    """Figures and sentences for a machine; an infinite end of an interval is beyond the curve."""
    described = [{**asdict(s), "sentences": list(s.sentences())} for s in found]
    return json.dumps(_finite(described), indent=1, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    """Infinite ends as ``"inf"`` and ``"-inf"``, which JSON has no numbers for."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return str(value) if value in (float("inf"), float("-inf")) else value


def _pair(found: Comparison | RateComparison) -> str:
    if found.baseline == found.candidate:
        return found.baseline
    return f"{found.baseline} → {found.candidate}"


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _with_interval(difference: Interval | None) -> str:
    if difference is None:
        return NOTHING
    if difference.low is None or difference.high is None:
        return f"{difference.mean:+.3f}"
    return f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    from tabulate import tabulate

    text = {"domain", "metric", "codec", "verdict"}
    align = ["left" if heading in text else "right" for heading in headings]
    return tabulate(rows, headings, tablefmt="pipe", colalign=align, disable_numparse=True)
