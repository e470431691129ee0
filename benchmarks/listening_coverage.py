"""How often intervals of ACR, DCR and CCR studies hold the truth, and how often tests are wrong.

    python benchmarks/listening_coverage.py              # 1,000 studies per form and design
    python benchmarks/listening_coverage.py acr 100      # one form, fewer studies

Listeners have opinions with MUSHRA's standard deviations (docs/listening-tests.md, "How many
listeners") as shares of the scale; votes are rounded to it and clipped at its ends. The truth is
the expectation of such votes: over listeners, on the items of the study; and over items as well.
Pages are dealt as the server deals them. The mixed model is fitted to every fifth study. Of studies
in which all systems are alike, the shares are those with any pair that is significant after Holm's
correction, and with a significant Friedman test.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from functools import cache

import numpy as np
from scipy import stats

from snacbench.forms import FORMS, REFERENCE, FormName
from snacbench.listening.analysis import friedman, means_of, pairs_of, ratings_of
from snacbench.listening.design import pages_of
from snacbench.listening.mixed_model import mixed_model
from snacbench.listening.power import Spread
from snacbench.listening.study import Listener, Rating, Study
from snacbench.listening.test import Item, ListeningTest, System

Design = tuple[int, int, int, int | None]
DESIGNS: tuple[Design, ...] = (
    (20, 12, 5, None),
    (20, 12, 5, 36),
    (20, 12, 5, 24),
    (8, 6, 3, None),
    (8, 6, 3, 12),
)
"""Listeners, items, systems, and pages per listener."""
_MEANS = {"acr": (1.8, 4.3, 4.7), "dcr": (2.5, 4.6, 4.8), "ccr": (-2.1, 0.3, 0.0)}
"""Opinions of the worst and the best system, and of the hidden reference."""
_LISTENER_ITEM = 7.5  # SD of a listener on an item, whatever the system, in % of the scale
_DEALS = 20  # so many seeds take turns


def expected_vote(form: FormName, mean: np.ndarray, sd: float | np.ndarray) -> np.ndarray:
    """Of normal opinions that are rounded and clipped to votes."""
    low, high = FORMS[form].scale
    cuts = np.arange(low, high) + 0.5
    return low + stats.norm.sf((cuts - mean[..., None]) / sd).sum(axis=-1)


@cache
def dealt(form: FormName, design: Design, seed: int) -> list[tuple[int, int, str]]:
    """Listener, item, and condition judged, of every page."""
    listeners, items, systems, pages = design
    test = ListeningTest(
        id="t",
        title="t",
        run="r",
        run_id="r",
        set_sha256="ab" * 32,
        form=form,
        seed=seed,
        pages_per_listener=pages,
        systems=tuple(System(name=f"codec-{k}", kbps=None) for k in range(systems)),
        items=tuple(Item(id=f"item-{k}", clip=f"c{k}", duration_s=8.0) for k in range(items)),
    )
    number = {item.id: k for k, item in enumerate(test.items)}
    return [
        (n, number[page.item], max(page.conditions, key=lambda name: name != REFERENCE))
        for n in range(listeners)
        for page in pages_of(test, n)
    ]


def coverage(
    form: FormName, design: Design, count: int, *, alike: bool = False
) -> dict[str, float]:
    """Shares of intervals that hold the truth, of tests that find something, and biases."""
    listeners, items, systems, _ = design
    low, high = FORMS[form].scale
    spread, page = Spread.of(form), _LISTENER_ITEM * (high - low) / 100
    item_sd = 0.0 if alike else spread.item_system
    worst, best, reference = _MEANS[form]
    means = np.append(np.linspace(worst, best, systems), reference)
    if alike:
        means[:-1] = (low + high) / 2
    names = [*(f"codec-{k}" for k in range(systems)), REFERENCE]
    own = (spread.listener, spread.listener_system, page, spread.residual)
    sd = float(np.linalg.norm(own))
    anywhere = expected_vote(form, means, np.hypot(sd, item_sd))
    rng, found = np.random.default_rng([0, listeners]), defaultdict[str, list[float]](list)
    shape = (listeners, items, systems + 1)
    sizes = ((listeners, 1, 1), (listeners, 1, shape[2]), (listeners, items, 1), shape)
    for study in range(count):
        heard = means + rng.normal(0, item_sd, shape[1:])
        opinions = sum(
            (rng.normal(0, of, size) for of, size in zip(own, sizes, strict=True)), start=heard
        )
        votes = np.clip(np.rint(opinions), low, high)
        here = expected_vote(form, heard, sd).mean(axis=0)
        plan = dealt(form, design, study % _DEALS)
        whole = Study(
            "t",
            form,
            tuple(Listener(f"l{n}") for n in range(listeners)),
            tuple(names[:-1]),
            tuple(Rating(f"l{n}", f"i{i}", c, votes[n, i, names.index(c)]) for n, i, c in plan),
        )
        true = {name: np.array(both) for name, *both in zip(names, here, anywhere, strict=True)}
        told = [("mean", m, true[m.condition]) for m in means_of(whole)]
        told = [("reference", *of[1:]) if of[1].condition == REFERENCE else of for of in told]
        if form == "ccr":  # votes on systems are relative to it
            true[REFERENCE] = np.zeros(2)
        pairs = pairs_of(whole)
        told += [("pair", one.estimate, true[one.pair[0]] - true[one.pair[1]]) for one in pairs]
        for kind, e, (on_these, on_others) in told:
            found[kind].append(e.low <= on_these <= e.high)
            found[f"{kind}, items too"].append(e.low_both <= on_others <= e.high_both)
            found[f"bias of {kind}"].append(e.mean - on_these)
        ratings = ratings_of(whole)
        for one in mixed_model(ratings.systems, ratings.scores)[1] if study % 5 == 0 else ():
            gap = (true[one["first"]] - true[one["second"]])[1]
            found["mixed model"].append(one["low"] <= gap <= one["high"])
        found["any pair"].append(any((one.p_holm or 0) <= 0.05 for one in pairs))
        test = friedman(ratings)
        found["Friedman"].append(test is not None and test.p_value <= 0.05)
    return {name: float(np.mean(of)) for name, of in found.items()}


def main() -> None:
    """Print a row of Markdown per form and design."""
    forms: list[FormName] = [form for form in ("acr", "dcr", "ccr") if form in sys.argv[1:]]
    counts = [int(word) for word in sys.argv[1:] if word.isdigit()] or [1000]
    kinds = ("mean", "reference", "pair", "mean, items too", "pair, items too", "mixed model")
    print(
        "form | listeners, items, systems, pages |",
        " | ".join(kinds),
        "| alike: any pair | Friedman",
    )
    for form in forms or ("acr", "dcr", "ccr"):
        for design in DESIGNS:
            found = coverage(form, design, counts[0])
            wrong = coverage(form, design, counts[0], alike=True)
            shares = [found[kind] for kind in kinds] + [wrong["any pair"], wrong["Friedman"]]
            cells = " | ".join(f"{100 * share:.1f} %" for share in shares)
            print(f"{form} | {', '.join(map(str, design))} | {cells}", flush=True)


if __name__ == "__main__":
    main()
