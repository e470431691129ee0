"""Screening, estimates and comparisons: hand-worked and published examples."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from snacbench.errors import UserError
from snacbench.forms import ANCHOR35, ANCHOR70, REFERENCE
from snacbench.listening.analysis import (
    analyse,
    estimate,
    friedman,
    guessing_p,
    listener_means,
    pairs_of,
    pseudo_values,
    ratings_of,
    shares_of,
    signed_rank_p,
)
from snacbench.listening.mixed_model import mixed_model
from snacbench.listening.screening import screen
from snacbench.listening.study import Choice, Listener, duplicates
from snacbench.stats.pairs import holm
from tests.support.cases import cases
from tests.support.studies import Scores, ab, abx, choice_study, listener_with, study_of

NAN = np.nan


def one_item(**columns):
    """A listener per value, all on one item."""
    count = len(next(iter(columns.values())))
    return study_of({(f"l{k}", "i0"): {n: v[k] for n, v in columns.items()} for k in range(count)})


def test_the_t_interval_and_the_jackknife_by_hand():
    """Complete: listener means 2, 4, 9, that is 5, standard deviation 3.606, error 2.082.

    Every item counts the same: means 2 (of 1, 3) and 8 (of one listener) give 5, not the mean of
    all three, 4. Without the 1st listener: (3 + 8) / 2 = 5.5; without the 2nd only item 1 is left:
    1. Variance (2 - 1) / 2 of the squared distances from 3.25: 0.5 (2 x 2.25^2) = 5.0625."""
    e = estimate(np.array([[1.0, 3], [4, 4], [8, 10]]))
    error = np.std([2, 4, 9], ddof=1) / np.sqrt(3)
    assert (e.mean, e.listeners, e.items, e.n) == (pytest.approx(5), 3, 2, 6)
    assert (e.low, e.high) == pytest.approx(stats.t.interval(0.95, 2, 5, error))
    e = estimate(np.array([[1, NAN], [3, 8]]))
    assert e.mean == pytest.approx(5)
    assert (e.high - e.low) / 2 == pytest.approx(2.25 * stats.t.ppf(0.975, 1))
    # Item means 1 to 5, listeners alike: no variance over listeners, 2.5 / 5 over items.
    assert estimate(np.array([[1.0, 3]])).low is None  # one listener
    assert estimate(np.array([[95.0, 95], [99, 100]]), lowest=0, highest=100).high == 100
    four = estimate(np.array([[1.0, 2, 3, 4]] * 3))
    assert (four.low, four.low_both, four.high_both) == (2.5, None, None)
    five = estimate(np.array([[1.0, 2, 3, 4, 5]] * 3))
    assert (five.low, five.high) == (3, 3)
    assert five.high_both - five.mean == pytest.approx(np.sqrt(0.5) * stats.t.ppf(0.975, 4))
    same = estimate(np.full((4, 5), 7.0))
    assert (same.low, same.high, same.low_both, same.high_both) == (7, 7, 7, 7)


def test_ratings_as_an_array_with_systems_first_and_means_over_what_was_rated():
    found = ratings_of(study_of({**listener_with("x", 2), **listener_with("y", 1)}))
    assert found.conditions == ("a", "b", "reference", "anchor35", "anchor70")
    assert found.scores.shape == (2, 2, 5)
    assert np.isnan(found.scores[1, 1]).all()
    means = listener_means(np.array([[20, NAN], [20, 80], [NAN, NAN]]))
    np.testing.assert_allclose(means, [20, 50, NAN])


def test_votes_where_conditions_have_pages_of_their_own():
    """Listeners x and y on i0, y alone on i1: means 2 and 8. Without x 5.5, without y 1: x says
    2 x 5 - 5.5 = 4.5, y 9. Less 1 on both items, from both, it is 4, and each says 1 less."""
    votes, ones = np.array([[1, NAN], [3, 8]]), np.ones((2, 2))
    np.testing.assert_allclose(pseudo_values(votes), [4.5, 9])
    np.testing.assert_allclose(pseudo_values(votes, ones), [3.5, 8])
    np.testing.assert_allclose(pseudo_values(np.vstack([votes, [NAN, NAN]])), [4.5, 9, NAN])
    e = estimate(votes, minus=ones)
    assert (e.mean, e.n, e.listeners) == (4, 7, 2)
    # Complete votes are compared as sliders are; in CCR also with 0, the reference.
    scores = {(f"l{k}", "i0"): {"a": 1.0 + k % 2, "b": 1.0, "c": -2.0} for k in range(6)}
    forms = ("mushra-no-anchors", "acr", "ccr")
    whole = {form: study_of(scores, form=form) for form in forms}
    sliders, acr, ccr = (pairs_of(study) for study in whole.values())
    for vote, slider in zip(acr, sliders, strict=True):
        assert vote.record == pytest.approx(slider.record)
    assert [one.pair[1] for one in ccr] == ["b", "c", "c", *["reference"] * 3]
    assert [one.row.value for one in ccr[3:]] == [1.5, 1, -2]
    assert ccr[5].row.p_value == pytest.approx(2 / 64)
    assert friedman(ratings_of(whole["acr"])) == friedman(ratings_of(whole["mushra-no-anchors"]))
    # Two listeners heard one system each: a difference is all that is known.
    (pair,) = pairs_of(study_of({("x", "i"): {"a": 4.0}, ("y", "i"): {"b": 2.0}}, form="acr"))
    assert (pair.row.value, pair.row.low, pair.row.p_value) == (2, None, None)
    assert pair.record["superiority"] is None
    assert pairs_of(study_of({("x", "i0"): {"a": 4.0}, ("y", "i1"): {"b": 2.0}}, form="acr")) == ()
    found = analyse(study_of({("x", "i0"): {"a": 5.0}, ("y", "i0"): {"a": 1.0}}, form="acr"))
    assert (found.overall[0].low, found.overall[0].high, found.items[0]["low"]) == (1, 5, 1)


def test_a_mixed_model_is_the_analysis_of_variance_where_data_are_balanced():
    """By expected mean squares of three crossed factors, two of them random, without replication
    (Searle, Casella and McCulloch, 1992, ch. 4). In incomplete data no likelihood is larger."""
    rng, (n, m, p) = np.random.default_rng(0), (8, 6, 3)
    shapes = ((n, 1, 1), (m, 1), (n, m, 1), (n, 1, p), (m, p), (n, m, p))
    y = sum(rng.normal(0, sd, of) for sd, of in zip((12, 5, 7, 6, 10, 16), shapes, strict=True))

    def square(*axes):
        """Mean square of the interaction of some axes."""
        of = y.mean(axis=tuple({0, 1, 2} - set(axes)), keepdims=True)
        for axis in axes:
            of = of - of.mean(axis=axis, keepdims=True)
        return y.size / of.size * (of**2).sum() / np.prod([y.shape[k] - 1 for k in axes])

    rest, both, of_l, of_i = square(0, 1, 2), square(0, 1), square(0, 2), square(1, 2)
    parts = [(square(0) - both - of_l + rest) / (m * p), (square(1) - both - of_i + rest) / (n * p)]
    parts += [(both - rest) / p, (of_l - rest) / m, (of_i - rest) / n, rest]
    deviations, pairs = mixed_model("abc", y)
    assert list(deviations.values()) == pytest.approx(np.sqrt(parts), rel=1e-4)
    variance, free = of_l + of_i - rest, np.array([n - 1, m - 1, (n - 1) * (m - 1)]) * (p - 1)
    freedom = variance**2 / np.sum(np.square([of_l, of_i, rest]) / free)
    gap, error = np.subtract(*y.mean(axis=(0, 1))[:2]), np.sqrt(2 * variance / (n * m))
    ends = stats.t.interval(0.95, freedom, gap, error)
    told = [pairs[0][k] for k in ("difference", "low", "high", "freedom", "p_value")]
    p_value = 2 * stats.t.sf(abs(gap) / error, freedom)
    assert told == pytest.approx([gap, *ends, freedom, p_value], rel=1e-4)
    assert [one["p_holm"] for one in pairs] == holm([one["p_value"] for one in pairs])

    y[rng.random(y.shape) < 0.5] = NAN
    found = np.square(list(mixed_model("abc", y)[0].values()))
    for near in (found + step * row for row in np.eye(6) for step in (-1, 1)):
        assert near.min() < 0 or restricted_deviance(y, near) >= restricted_deviance(y, found)
    for few in (y[:1], y[:, :1], np.ones((3, 3, 3)), np.empty((0, 0, 0))):
        with pytest.raises(UserError, match="a mixed model takes many ratings that vary"):
            mixed_model("abc", few)


def restricted_deviance(y, variances):
    """Twice the negative restricted log likelihood, from the covariance of all ratings."""
    at = np.array(np.nonzero(np.isfinite(y)))
    of = ([0], [1], [0, 1], [0, 2], [1, 2], [0, 1, 2])
    alike = [(at[k][:, :, None] == at[k][:, None]).all(axis=0) for k in of]
    v = sum(variance * same for variance, same in zip(variances, alike, strict=True))
    x, scores = np.eye(y.shape[2])[at[2]], y[tuple(at)]
    inner = x.T @ np.linalg.solve(v, x)
    rest = scores - x @ np.linalg.solve(inner, x.T @ np.linalg.solve(v, scores))
    return sum(np.linalg.slogdet(k)[1] for k in (v, inner)) + rest @ np.linalg.solve(v, rest)


@pytest.mark.slow
@pytest.mark.parametrize(("listeners", "items", "pages"), [(12, 8, 8), (20, 12, 12), (24, 12, 4)])
def test_intervals_over_listeners_and_items_cover_what_they_say(listeners, items, pages):
    rng, hits = np.random.default_rng(7), []
    for _ in range(2_000):
        y = 50 + rng.normal(0, 5, items) + rng.normal(0, 9, (listeners, 1))
        y = y + rng.normal(0, 9, (listeners, items))
        for row in y:
            row[rng.permutation(items)[pages:]] = NAN
        e = estimate(y)
        hits.append(e.low_both <= 50 <= e.high_both)
    assert 0.935 <= np.mean(hits) <= 0.965


def test_friedman_agrees_with_the_example_of_scipys_documentation_and_by_hand():
    """Pulse before, after and five minutes after exercise (halved, to fit on the scale).

    Two listeners, rank sums 2, 4, 6: 12 / (2 x 3 x 4) (4 + 16 + 36) - 3 x 2 x 4 = 4."""
    before, after = [36, 48, 44, 46, 37, 38, 41], [60, 60, 66, 60, 50.5, 48, 56]
    pulse = one_item(before=before, after=after, later=[38, 47.5, 52, 48, 42, 36, 38])
    found = friedman(ratings_of(pulse))
    of_scipy = (10.57142857142857, 0.005063414171757498, 10.57142857142857 / 14)
    assert (found.statistic, found.p_value, found.w) == pytest.approx(of_scipy)
    assert (found.listeners, found.systems) == (7, 3)
    by_hand = friedman(ratings_of(one_item(a=[1, 2], b=[5, 6], c=[8, 9])))
    assert (by_hand.statistic, by_hand.w) == pytest.approx((4, 1))
    # An item without c, on which a is good, does not help a.
    ratings = one_item(a=[1, 2], b=[5, 6], c=[8, 9]).ratings
    more = study_of({(f"l{k}", "i1"): {"a": 100.0, "b": 5.0} for k in (0, 1)}).ratings
    partial = replace(one_item(a=[1], b=[5], c=[8]), answers=ratings + more)
    assert friedman(ratings_of(partial)).statistic == pytest.approx(4)
    two_systems, one_listener = {"a": [1, 2], "b": [2, 3]}, {"a": [1], "b": [2], "c": [3]}
    for columns in (two_systems, one_listener, {name: [1, 2] for name in "abc"}):
        assert friedman(ratings_of(one_item(**columns))) is None


def test_wilcoxon_and_holm_by_hand():
    """Six listeners, all for the first: 2 of the 64 sign patterns are so extreme.

    Of three p values .031, .031, .156: times 3, times 2 but not below the first, times 1."""
    (pair,) = pairs_of(one_item(a=[51, 52, 53, 54, 55, 56], b=[50] * 6))
    assert (pair.row.p_value, pair.row.value) == (pytest.approx(2 / 64), 3.5)
    assert pair.record["superiority"] == 1
    assert pair.record["d_z"] == pytest.approx(3.5 / np.std([1, 2, 3, 4, 5, 6], ddof=1))
    b, c = [51.0, 52, 53, 54, 55, 56], [50.0, 53.5, 53.4, 51.5, 50.5, 54.5]
    pairs = pairs_of(one_item(a=[60.0] * 6, b=b, c=c))
    p = [2 / 64, 2 / 64, float(stats.wilcoxon(np.subtract(b, c)).pvalue)]
    assert [pair.row.p_value for pair in pairs] == pytest.approx(p)
    assert [pair.row.p_holm for pair in pairs] == pytest.approx([3 * p[0], 3 * p[0], p[2]])


def test_what_pairs_there_are_and_what_can_be_tested():
    def only(**columns):
        pair = pairs_of(one_item(**columns))[0].row
        return pair.value, pair.p_value, pair.p_holm, pair.low is None

    assert only(a=[3, 4, 5], b=[3, 4, 5]) == (0.0, 1.0, 1.0, False)
    assert only(a=[3], b=[5]) == (-2.0, None, None, True)
    columns = {"a": [3.0, 4], "reference": [99.0, 100], "anchor35": [1.0, 2]}
    assert pairs_of(one_item(**columns)) == ()
    # Twenty pages of each of two listeners are two differences: nothing can be shown by them.
    pages = [(n, k) for n in (0, 1) for k in range(20)]
    scores = {(f"l{n}", f"i{k}"): {"a": 60.0 + n, "b": 50.0 + k / 9} for n, k in pages}
    (pair,) = pairs_of(study_of(scores))
    assert (pair.row.p_value, pair.row.listeners) == (pytest.approx(0.5), 2)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9).filter(any))
def test_every_pattern_of_signs_counts_the_same(differences):
    known = np.array([d for d in differences if d])
    ranks = stats.rankdata(np.abs(known))
    seen = min(ranks[known > 0].sum(), ranks[known < 0].sum())
    patterns = itertools.product([False, True], repeat=len(known))
    sums = [ranks[np.array(signs)].sum() for signs in patterns]
    expected = float(np.mean([min(s, ranks.sum() - s) <= seen for s in sums]))
    assert signed_rank_p(np.array(differences, float)) == pytest.approx(expected)


def test_without_ties_it_is_scipys_exact_test_and_many_are_left_to_the_normal():
    few = np.random.default_rng(0).normal(0.4, 1, 18)
    assert signed_rank_p(few) == pytest.approx(stats.wilcoxon(few, method="exact").pvalue)
    many = np.random.default_rng(0).normal(0.05, 1, 501)
    exact = stats.wilcoxon(many, method="exact").pvalue
    assert signed_rank_p(many) == pytest.approx(exact, rel=0.01)
    assert signed_rank_p(np.zeros(5)) == 1.0


def test_wins_ties_and_listeners_are_counted_whichever_side_a_system_was_on():
    (found,) = shares_of(choice_study([*ab("x", "aat"), *ab("y", "bbb"), *ab("z", "abt")], "ab"))
    assert (found.row.answers, found.row.value) == ((3, 2, 4), pytest.approx(4 / 9))
    assert (found.record["for_first"], found.record["for_second"]) == (1, 1)
    assert (found.row.listeners, found.row.p_value) == (3, 1.0)
    swapped = [Choice("x", "i0", "b", "a", "a"), Choice("x", "i1", "a", "b", "b")]
    assert shares_of(choice_study(swapped, "ab"))[0].row.answers == (0, 0, 2)
    undecided = shares_of(choice_study(ab("x", "tt"), "ab"))[0].row
    assert (undecided.p_value, undecided.p_holm, undecided.value) == (None, None, 0.5)
    # Each listener counts once: p = 2 / 64, be it by one answer each or by twenty.
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    for times in (1, 20):
        choices = [c for n in range(6) for of in pairs for c in ab(f"l{n}", "a" * times, pair=of)]
        found = shares_of(choice_study(choices, "ab", ("a", "b", "c")))
        assert [one.row.p_value for one in found] == pytest.approx([2 / 64] * 3)
        assert [one.row.p_holm for one in found] == pytest.approx([3 * 2 / 64] * 3)


def test_abx_by_hand():
    """8 of 8: 1 / 256; 7 of 8 or more: 9 / 256; 12 of 16 or more: .0384."""
    assert guessing_p(7, 8) == pytest.approx(9 / 256)
    (found,) = shares_of(choice_study([*abx("x", 8, 8), *abx("y", 4, 8)], "abx", ("a",)))
    assert (found.row.answers, found.row.value, found.row.listeners) == ((12, 4), 0.75, 2)
    assert found.row.p_value == found.row.p_holm == pytest.approx(0.0384, abs=5e-5)
    one, other = found.by_listener
    assert (one["p_value"], one["p_holm"]) == pytest.approx((1 / 256, 2 / 256))
    assert other["p_value"] == pytest.approx(163 / 256)
    choices = [*abx("x", 8, 8), *abx("x", 4, 8, system="b")]
    both = shares_of(choice_study(choices, "abx", ("a", "b", "silent")))
    assert [one.row.p_holm for one in both] == pytest.approx([2 / 256, 163 / 256])
    no_idea = Choice("x", "i", "reference", "a", "tie", x="a")
    assert shares_of(choice_study([no_idea], "abx", ("a",)))[0].row.answers == (0, 1)
    # One keen listener makes a small pooled p, and a wide interval.
    choices = [*abx("keen", 40, 40), *(c for n in range(4) for c in abx(f"l{n}", 5, 10))]
    keen = shares_of(choice_study(choices, "abx", ("a",)))[0].row
    assert (keen.p_value < 0.001, keen.low < 0.5) == (True, True)


def test_means_by_hand_before_and_after_screening():
    scores: Scores = {}
    for name, low, a, b in (("x", 0, 40, 60), ("y", 0, 50, 80), ("bad", 2, 0, 0)):
        scores |= listener_with(name, 2, low_references=low, a=a, b=b)
    found = analyse(study_of(scores))
    assert found.screening.kept == ("x", "y")
    after = {m.condition: m for m in found.overall}
    before = {m.condition: m.mean for m in found.means_before if m.domain == "all"}
    assert (after["a"].mean, after["b"].mean) == (45, 70)
    assert (before["a"], before["b"]) == pytest.approx((30, 140 / 3))
    assert (after["a"].n, after["a"].listeners, after["a"].items) == (4, 2, 2)
    nobody = analyse(study_of(listener_with("x", 4, low_references=4)))
    assert (nobody.screening.kept, nobody.means, nobody.comparisons) == ((), (), ())
    assert nobody.items == []


def test_quartiles_domains_and_items_that_may_have_different_systems():
    """Quartiles are of all ratings; items come hardest first; a pair is on those that both have."""
    values = (1.0, 2.0, 3.0, 4.0, 10.0)
    scores = {("x", f"i{k}"): {"a": value, "b": 30.0} for k, value in enumerate(values)}
    found = analyse(study_of(scores, domains=dict.fromkeys(("i0", "i1"), "music")))
    (mean, _) = found.overall
    assert (mean.first_quartile, mean.median, mean.third_quartile) == (2, 3, 4)
    assert {m.domain: m.items for m in found.means} == {"all": 5, "music": 2, "unknown": 3}
    first, *_, last = found.items
    assert (first["item"], first["mean"], first["mean_a"], first["mean_b"]) == ("i0", 15.5, 1, 30)
    assert (last["item"], last["mean"]) == ("i4", 20)
    scores = {("x", "i0"): {"a": 10.0, "b": 30.0}, ("y", "i0"): {"a": 20.0, "b": 50.0}}
    found = analyse(study_of({**scores, ("x", "i1"): {"a": 20.0}, ("y", "i1"): {"a": 30.0}}))
    assert {m.condition: m.mean for m in found.overall} == {"a": 20, "b": 40}
    assert found.comparisons[0].row.value == pytest.approx(-25)


LOW, HIGH = "hidden reference below 90 on", "7 kHz anchor above 90 on"


def excluded(study):
    reasons: dict[str, list[str]] = {}
    for one in screen(study)[1].exclusions:
        reasons.setdefault(one.listener, []).append(one.reason)
    return reasons


def planned(study, pages):
    listeners = tuple(replace(one, pages_planned=pages) for one in study.listeners)
    return replace(study, listeners=listeners)


def good(count, items=20):
    return {k: v for n in range(count) for k, v in listener_with(f"good{n}", items).items()}


def among(count, items=20, **bad):
    """So many good listeners, and x who is not."""
    return study_of({**good(count, items), **listener_with("x", items, **bad)})


@pytest.mark.parametrize(("study", "reasons"), [
    (among(3), []),  # 90 is neither below nor above
    (among(3, low_references=3), []),  # 15 % and not more
    (among(3, low_references=4), [f"{LOW} 4 of 20 items (20 %)"]),
    (among(12, high_anchors=3), []),
    (among(3, high_anchors=4), [f"{HIGH} 4 of 20 items (20 %)"]),  # 1 of 4 is 25 % of listeners
])  # fmt: skip
def test_where_a_rule_begins_to_hold(study, reasons):
    assert excluded(study) == ({"x": reasons} if reasons else {})


def test_an_anchor_that_more_than_a_quarter_find_good_says_more_of_the_item():
    """1 of 3 listeners is 33 %: those items are left out of the count, above and below."""
    study = among(2, high_anchors=4)
    whole, found = screen(study)
    assert (whole, found.exclusions) == (study, ())
    assert found.transparent_items == ("i0", "i1", "i2", "i3")
    (check,) = [c for c in found.checks if c["listener"] == "x"]
    assert (check["anchor_high"], check["anchor_items"]) == (0, 16)
    # Who left early has no say in it.
    early = {k: v for n in range(3) for k, v in listener_with(f"e{n}", 2, high_anchors=2).items()}
    assert screen(planned(study_of({**good(4, 6), **early}), 6))[1].transparent_items == ()


def test_who_left_early_is_excluded():
    study = planned(study_of({**good(3, 6), **listener_with("x", 3)}), 6)
    assert excluded(study) == {"x": ["answered 3 of 6 pages"]}
    pairs = planned(choice_study([*ab("x", "ab"), *ab("y", "a")], "ab"), 2)
    assert excluded(pairs) == {"y": ["answered 1 of 2 pages"]}
    # Without the rules and without anchors.
    _, found = screen(among(3, low_references=20), rules=False)
    assert found.kept == ("good0", "good1", "good2", "x")
    assert found.checks[-1]["reference_low"] == 20
    scores = {**good(3), **listener_with("x", 20, low_references=4)}
    for of in scores.values():
        del of[ANCHOR70], of[ANCHOR35]
    assert list(excluded(study_of(scores))) == ["x"]


@pytest.mark.parametrize(("rule", "whom", "share", "unknown"), cases(__file__)["rules"])
def test_rules_that_are_asked_for(rule, whom, share, unknown):
    study, fine = among(3, 4, low_references=1), {"headphones": "passed", "attention_failed": "0"}
    bad = Listener("x", {"hearing": "no"}, 4, {"headphones": "skipped", "attention_failed": "1"})
    good = [Listener(f"good{n}", {"hearing": "yes"}, 4, fine) for n in range(2)]
    told = {"good0": (5, 1.5), "good1": (5, 1.5), "x": (4.9, 1.5)}  # of good2 there is nothing
    timed = [replace(r, **dict(zip(("time_s", "heard_s"), told.get(r.listener, ()), strict=False)))
             for r in study.ratings]  # fmt: skip
    timed = [replace(r, heard_s=1.4) if (r.listener, r.item) == ("x", "i0") else r for r in timed]
    study = replace(study, listeners=(*good, bad, Listener("good2")), answers=tuple(timed))
    assert len(screen(study, rules=False)[1].kept) == 4  # off by default
    found = screen(study, rules=False, exclude=[rule])[1]
    reason = f"{whom} ({share})" if share else whom
    assert [(e.listener, e.rule, e.reason) for e in found.exclusions] == [("x", rule, reason)]
    assert found.asked == {rule: (whom, unknown)}
    for wrong in ("noise", "fast", "fast:x", "headphones:2", "sex=m", "hearing"):
        with pytest.raises(UserError, match=r"--exclude .* no such rule; .*SCORE, hearing=ANSWER"):
            screen(study, exclude=[wrong])
    with pytest.raises(UserError, match="--exclude fast:5: the answers tell this of no listener"):
        screen(among(2), exclude=["fast:5"])


def test_listeners_who_may_be_one_person_are_named_and_their_addresses_are_not():
    people = [Listener(f"l{n}", {"mail": f"{m}@b.example", "note": "same"},
                       observed={"came_with_workerId": w, "came_with_hitId": "1"})
              for n, (m, w) in enumerate(("ax", "Ay", "cy"))]  # fmt: skip
    assert duplicates(people) == [
        "Listeners l0, l1 have one question_mail and may be one person.",
        "Listeners l1, l2 have one came_with_workerId and may be one person.",
    ]


def test_a_page_without_a_condition_is_left_out_and_who_says_nothing_does_not_count():
    study = among(2, 4)
    gone = ("x", "i2", REFERENCE)
    ratings = tuple(r for r in study.ratings if (r.listener, r.item, r.condition) != gone)
    listeners = (*study.listeners, Listener("shy"))
    whole, found = screen(replace(study, answers=ratings, listeners=listeners))
    assert found.broken_pages == {("x", "i2"): {REFERENCE}}
    assert not [r for r in whole.ratings if (r.listener, r.item) == ("x", "i2")]
    assert found.before == ("good0", "good1", "x")
    # Where each condition has a page of its own, none lacks any; BS.1534-3 knows no such votes.
    votes = {("x", "i0"): {"a": 4.0, "reference": 5.0}, ("y", "i0"): {"a": 1.0}}
    single, of_votes = screen(planned(study_of(votes, form="acr"), 2))
    assert (len(single.ratings), of_votes.rules, of_votes.broken_pages) == (3, False, {})
    assert [(e.listener, e.reason) for e in of_votes.exclusions] == [("y", "answered 1 of 2 pages")]
    kept = analyse(among(2, low_references=20)).study
    names = {"good0", "good1"}
    assert {r.listener for r in kept.ratings} == {one.id for one in kept.listeners} == names
