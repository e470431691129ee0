from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.listening.plan import num_trials, pages_of
from snacbench.listening.test import REFERENCE, Form, Item, ListeningTest, System


def a_test(
    items: int = 6, form: Form = "mushra", systems: int = 3, **fields: object
) -> ListeningTest:
    return ListeningTest(
        id="t",
        title="A test",
        form=form,
        run="..",
        run_id="r",
        set_sha256="00",
        systems=tuple(System(name=f"codec-{i}", kbps=float(i)) for i in range(systems)),
        items=tuple(Item(id=f"item-{i}", clip=f"set/{i}", duration_s=8) for i in range(items)),
        **fields,  # type: ignore[arg-type]
    )


@given(items=st.integers(1, 9), listener=st.integers(0, 100))
def test_everybody_hears_every_item_once(items: int, listener: int) -> None:
    pages = pages_of(a_test(items), listener)
    assert sorted(page.item for page in pages) == [f"item-{i}" for i in range(items)]
    for page in pages:
        assert sorted(page.conditions) == sorted(a_test(items).conditions)


@pytest.mark.parametrize("items", [4, 6])
def test_full_orders_balance_places_and_successions(items: int) -> None:
    test = a_test(items)
    orders = [[page.item for page in pages_of(test, n)] for n in range(items)]
    places = Counter((i, item) for order in orders for i, item in enumerate(order))
    assert set(places.values()) == {1}
    following = Counter(pair for order in orders for pair in itertools.pairwise(order))
    assert set(following.values()) == {1}
    assert len(following) == items * (items - 1)


@given(items=st.integers(2, 12), take=st.integers(1, 11), rounds=st.integers(1, 2))
def test_subsets_balance_items_and_places(items: int, take: int, rounds: int) -> None:
    take = min(take, items - 1)
    test = a_test(items, pages_per_listener=take)
    orders = [[page.item for page in pages_of(test, n)] for n in range(items * rounds)]
    assert all(len(set(order)) == take for order in orders)
    places = Counter((i, item) for order in orders for i, item in enumerate(order))
    assert set(places.values()) == {rounds}
    heard = Counter(item for order in orders[: items // 2 + 1] for item in order)
    counts = [heard[f"item-{i}"] for i in range(items)]
    assert max(counts) - min(counts) <= 2  # also where a round is left half-way


def test_the_plan_depends_on_seed_and_listener() -> None:
    test = a_test()
    assert pages_of(test, 3) == pages_of(test, 3)
    assert pages_of(test, 3) != pages_of(test, 4)
    assert pages_of(test, 3) != pages_of(a_test(seed=1), 3)


def test_training_comes_first_and_is_marked() -> None:
    training = (Item(id="practice", clip="set/p", duration_s=5),)
    pages = pages_of(a_test(2, training=training), 0)
    assert [page.training for page in pages] == [True, False, False]
    assert pages[0].item == "practice"
    assert [page.number for page in pages] == [0, 1, 2]


def test_ab_asks_every_pair_on_both_sides() -> None:
    test = a_test(2, "ab", 3, repeats=2)
    assert num_trials(test) == 2 * 3 * 2
    pages = [page for n in range(40) for page in pages_of(test, n)]
    sides = Counter(page.conditions for page in pages)
    assert len(sides) == 6
    share = sides["codec-0", "codec-1"] / (
        sides["codec-0", "codec-1"] + sides["codec-1", "codec-0"]
    )
    assert 0.35 < share < 0.65


def test_abx_hides_one_of_the_two() -> None:
    test = a_test(3, "abx", 2)
    pages = [page for n in range(60) for page in pages_of(test, n)]
    for a, b, x in (page.conditions for page in pages):
        assert REFERENCE in (a, b)
        assert x in (a, b)
    hidden = Counter(page.conditions[2] == REFERENCE for page in pages)
    assert 0.4 < hidden[True] / len(pages) < 0.6


def test_one_training_trial_per_item_in_ab() -> None:
    training = (Item(id="practice", clip="set/p", duration_s=5),)
    pages = pages_of(a_test(2, "ab", 4, training=training), 0)
    assert [page.item for page in pages if page.training] == ["practice"]
