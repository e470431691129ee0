"""From a run to a test: systems, items, excerpts, the file, and who hears what."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snacbench.errors import UserError
from snacbench.forms import FORMS, REFERENCE
from snacbench.listening.design import (
    choose_excerpt,
    chosen_systems,
    design,
    in_order_of_choice,
    pages_of,
    practice_of,
    trials_of,
    write_test,
)
from snacbench.listening.test import Item, Question, System, read_test, texts_of
from snacbench.progress import Notes
from snacbench.rows import ClipMeasures, Coded
from snacbench.types import Audio, Clip, Measures
from tests.conftest import broadband
from tests.support.audio_run import CODECS, make_audio_run, spec
from tests.support.cases import cases
from tests.support.studies import numbered_test


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_audio_run(tmp_path_factory.mktemp("design"))


def made(run, **wishes):
    return design(run, run.path.parent / "my test", **{"num_items": 3, **wishes})


def test_a_test_of_three_domains(run, tmp_path):
    test = made(run, seed=4)
    assert (test.id, test.run, test.run_id) == ("my-test", "../run", "run1")
    domains = ["speech", "music", "environment"]
    assert [(item.id, item.domain) for item in test.items] == [(f"{d}-1", d) for d in domains]
    assert test.training[0].clip not in {item.clip for item in test.items}
    assert len(test.training) == 2
    assert [system.name for system in test.systems] == [codec.name for codec in CODECS]
    assert test.systems[0].kbps == pytest.approx(7.2, abs=0.01)  # 0.9 of its nominal rate
    assert made(run, seed=4) == test
    text = write_test(tmp_path, test).read_text("utf-8")
    assert max(map(len, text.splitlines())) <= 120
    for part in ("\n# Listeners agree to this", "\nconsent: >\n", "\n- {id: speech-1, clip: set/"):
        assert part in text
    assert len({tuple(i.clip for i in made(run, seed=s).items) for s in range(6)}) > 1
    named = made(run, items=("d", "set/a", "a"), num_items=None, training=0)
    assert [(i.id, i.clip) for i in named.items] == [("music-1", "set/d"), ("speech-1", "set/a")]
    with pytest.raises(UserError, match=r"^6 items and 1 training pages were asked for, .*only 5"):
        made(run, num_items=None)
    filled = made(run, items=("d",), num_items=4, form="ab", pages_per_listener=6)  # pairs
    assert filled.items[0].clip == "set/d"
    assert len({item.clip for item in filled.items}) == 4


def test_clips_that_cannot_be_heard_or_judged_are_left_out(tmp_path):
    signals = {"set/b": broadband(30, 8_000), "set/d": broadband(0.8, 24_000)}
    run = make_audio_run(tmp_path, signals=signals)
    rows = {(row.clip, row.codec): row for row in run.read(Coded)}
    run.append([replace(rows["set/e", "late@8kbps"], status="failed", reason="boom")])
    run.decoded_path("set/a", "early@2kbps").unlink()
    found = {i.clip: i for i in made(run, num_items=2, training=0, excerpt_s=6.0).items}
    assert found.keys() == {"set/b", "set/c"}
    assert 5.1 <= found["set/b"].duration_s <= 6.9
    assert found["set/b"].start_s + found["set/b"].duration_s <= 30
    run.append([ClipMeasures("set/c", Measures(None, None, None, 0))])  # silent
    assert len(made(run, num_items=2, items=("d",), training=0).items) == 2
    gone = "the decoded audio of early@2kbps is not in the run folder"
    for message, wishes in (
        (r"2 items and 1 tr.* only 1 clips .* all 3 systems \(2 cannot, for ex", {"num_items": 2}),
        ("--item e: set/e cannot be heard: late@8kbps failed on it: boom", {"items": ("e",)}),
        (f"set/a cannot be heard: {gone}", {"items": ("a",)}),
    ):
        with pytest.raises(UserError, match=message):
            made(run, **wishes)


@pytest.mark.parametrize(("message", "wishes"), [
    ("--excerpt-s 13: excerpts are 2 to 12 s long", {"excerpt_s": 13.0}),
    ("--items 1, but 2 are named with --item", {"items": ("a", "b"), "num_items": 1}),
    ("--pages-per-listener 4, but there are 3 items", {"pages_per_listener": 4}),
    ("13, but there are 3 items and 12 pages", {"pages_per_listener": 13, "form": "dcr"}),
    ("form ab compares .* found one: quiet@4", {"form": "ab", "systems": ("quiet",)}),
    ("--item set: the run has no such clip; did you mean set/", {"items": ("set",)}),
])  # fmt: skip
def test_what_cannot_be_asked_for_and_what_is_much(run, message, wishes, monkeypatch):
    with pytest.raises(UserError, match=message):
        made(run, **wishes)
    monkeypatch.setattr("snacbench.listening.design._MANY_PAGES", 11)
    told = Notes()
    for form in ("acr", "mushra"):  # three items of four conditions
        made(run, form=form, progress=told)
    assert told.texts == ["12 pages for every listener are many; --pages-per-listener takes fewer"]


def test_systems():
    ladder = [spec(name) for name in ("opus@8kbps", "opus@14kbps", "lyra-v2@9.2kbps")]
    ladder.append(replace(spec("low"), anchor=True))
    many = [spec(f"c@{i}kbps") for i in range(10)]
    turns = [*many[:5], spec("a@1kbps"), *many[5:], spec("b@1kbps"), spec("b@2kbps")]
    names = [f"c@{i}kbps" for i in range(6)]  # of 13 every model's first points
    taken = [codec.name for codec in chosen_systems([], turns)]
    assert taken == [*names[:5], "a@1kbps", names[5], "b@1kbps", "b@2kbps"]
    for selectors, expected in (
        ([], ["opus@8kbps", "opus@14kbps", "lyra-v2@9.2kbps"]),
        (["lyra-v2@9", "opus"], ["lyra-v2@9.2kbps", "opus@8kbps", "opus@14kbps"]),
        (["opus@14kbps", "opus@14", "low"], ["opus@14kbps", "low"]),
    ):
        under = [codec.under("loss@5%") for codec in ladder]
        assert [codec.name for codec in chosen_systems(selectors, ladder + under)] == expected
    for selectors, codecs, message in (
        (["opus@8kbs"], ladder, "--systems opus@8kbs: the run has no such codec; did you mean"),
        (["c"], many, "up to 9 systems .*found 10: c@0kbps, .*--sy"),
        ([], ladder[3:], "no codecs besides anchors; name some with --systems"),
    ):
        with pytest.raises(UserError, match=message):
            chosen_systems(selectors, codecs)


def clip(id_, domain, cluster=None):
    return Clip(id_, Path("x"), "0", 8_000, 1, 8_000, domain=domain, cluster=cluster)


CLIPS = [
    *(clip(f"s/speech/{i}", "speech", f"speaker {i % 3}") for i in range(9)),
    *(clip(f"s/music/{i}", "music") for i in range(4)),
    *(clip(f"s/environment/{i}", "environment") for i in range(2)),
]


def test_the_order_in_which_clips_are_taken():
    order = [c.domain for c in in_order_of_choice(CLIPS, 0)]  # domains, until they run out
    assert order[:10] == [*["speech", "music", "environment"] * 2, *["speech", "music"] * 2]
    assert set(order[10:]) == {"speech"}
    for seed in range(5):  # speakers, none again before all were heard
        speech = [c.cluster for c in in_order_of_choice(CLIPS, seed) if c.domain == "speech"]
        assert len(set(speech[:3])) == len(set(speech[3:6])) == 3
    taken = in_order_of_choice(CLIPS, 5)  # follows from seed and ids alone
    assert in_order_of_choice(CLIPS[::-1], 5) == taken != in_order_of_choice(CLIPS, 6)
    more = in_order_of_choice([*CLIPS, clip("s/music/new", "music")], 5)
    assert [c for c in taken if c.domain == "speech"] == [c for c in more if c.domain == "speech"]


def test_cuts_lie_in_pauses_around_sound():
    pauses = [(0, 0.0), (3.9, 4.3), (8.0, 8.3), (14.2, 14.6), (20.0, 20.3), (29.99, 30.0)]
    time_s = np.arange(30 * 8_000) / 8_000
    speech = np.random.default_rng(0).standard_normal(len(time_s)) * 0.1
    for start_s, stop_s in pauses:
        speech[(start_s <= time_s) & (time_s < stop_s)] *= 1e-3
    start_s, duration_s = choose_excerpt(Audio(speech.astype(np.float32)[None], 8_000))
    for at_s in (start_s, start_s + duration_s):
        assert any(low <= at_s <= high for low, high in pauses), at_s
    assert 8.5 <= duration_s <= 11.5
    late = np.where((time_s > 20) & (time_s < 26), speech, 1e-3 * speech).astype(np.float32)
    start_s, duration_s = choose_excerpt(Audio(late[None], 8_000))
    assert start_s <= 20.0
    assert start_s + duration_s >= 26.0


@given(st.floats(0.05, 60), st.floats(2, 12), st.sampled_from([0.0, 1e-6, 1.0]))
@settings(max_examples=25, deadline=None)
def test_excerpts_lie_within_the_clip_and_are_not_too_long(seconds, wanted_s, level):
    audio = Audio(broadband(seconds, 2_000).samples * np.float32(level), 2_000)
    start_s, duration_s = choose_excerpt(audio, wanted_s)
    assert start_s >= 0
    assert 0 < duration_s <= min(12.0, wanted_s * 1.15) + 1e-6
    assert start_s + duration_s <= audio.duration_s + 1e-6
    if audio.duration_s <= min(12.0, wanted_s * 1.15):  # about as long: taken whole
        assert (start_s, duration_s) == (0.0, pytest.approx(audio.duration_s))
    else:
        assert duration_s >= wanted_s * 0.85 - 0.01


odd = st.sampled_from("ab \n\n\t:#'\"-&\r\x85\u2028\xa0ö")
words = st.text(max_size=60) | st.text(odd, max_size=200)


@given(texts=st.tuples(words, words, words, words), kbps=st.floats(0, 99))
@settings(max_examples=20, deadline=None)
def test_whatever_is_written_reads_the_same(texts, kbps, tmp_path_factory):
    folder, (title, welcome, contact, choice) = tmp_path_factory.mktemp("yaml"), texts
    questions = (Question(id="q", text=title, choices=(choice, f"{choice}!")),)
    heard = {"items": (Item(id="1e5", clip="no", duration_s=1),), "questionnaire": questions}
    test = numbered_test(title=title, welcome=welcome, contact=contact, run_id="1e3")
    test = test.model_copy(update={"systems": (System(name="on", kbps=kbps),), **heard})
    write_test(folder, test)
    assert read_test(folder) == test


def orders_of(test, listeners):
    """Items, and what of them is judged where that is one condition."""
    one = slice(None) if FORMS[test.form].kind == "single" else slice(0)
    heard = [pages_of(test, number) for number in range(listeners)]
    return [[(page.item, *sorted(page.conditions)[one]) for page in pages] for pages in heard]


def test_full_orders_balance_places_and_successions():
    test = numbered_test(items := 6)
    orders = orders_of(test, items)
    places = Counter((i, item) for order in orders for i, item in enumerate(order))
    following = Counter(pair for order in orders for pair in pairwise(order))
    assert set(places.values()) == set(following.values()) == {1}
    assert len(following) == items * (items - 1)
    assert all(sorted(p.conditions) == sorted(test.conditions) for p in pages_of(test, 100))
    assert pages_of(test, 3) == pages_of(test, 3) != pages_of(test, 4)
    assert pages_of(test, 3) != pages_of(numbered_test(items, seed=1), 3)


@given(st.integers(2, 12), st.integers(1, 11), st.integers(1, 2), st.booleans())
@settings(max_examples=25, deadline=None)
def test_subsets_balance_items_and_places(items, take, rounds, of):
    take, count = min(take, items - 1), items * (1 + of)
    test = numbered_test(items, "ccr" if of else "mushra", 1, pages_per_listener=take)
    orders = orders_of(test, count * rounds)
    assert all(len(set(order)) == take for order in orders)
    places = Counter((i, trial) for order in orders for i, trial in enumerate(order))
    assert (set(places.values()), len(places)) == ({rounds}, count * take)
    heard = Counter(trial for order in orders[: count // 2 + 1] for trial in order)
    assert max(heard.values()) - (min(heard.values()) if len(heard) == count else 0) <= 2
    # No item follows itself; of two items that cannot always be.
    assert items < 3 or all(a != b for order in orders for (a, *_), (b, *_) in pairwise(order))


def test_practice_has_the_whole_range_of_impairments():
    practice = tuple(Item(id=f"p-{i}", clip=f"set/p{i}", duration_s=5) for i in range(2))
    for form, rates, pairs in (
        ("mushra", (3.0, 1.0, 9.0), [(), ()]),
        ("ab", (3.0, 1.0, 9.0), [("c2", "c1")] * 2),
        ("ab", (3.0, None, 9.0), [("c0", "c2")] * 2),
        ("abx", (3.0, 1.0, 9.0), [(REFERENCE, "c1"), (REFERENCE, "c2")]),
        ("acr", (3.0, 1.0, 9.0), [("c1",), (REFERENCE,), ("c2",)]),
        ("dcr", (3.0, 1.0), [(REFERENCE, c) for c in ("c1", REFERENCE, "c0")]),
    ):
        systems = tuple(System(name=f"c{i}", kbps=kbps) for i, kbps in enumerate(rates))
        test = numbered_test(2, form, training=practice).model_copy(update={"systems": systems})
        items = ["p-0", "p-1", "p-0"][: len(pairs)]
        asked = [(item, pair, -1) for item, pair in zip(items, pairs, strict=True)]
        assert practice_of(test) == asked, form
        assert [page.item for page in pages_of(test, 0) if page.training] == items
        assert not practice_of(test.model_copy(update={"training": ()}))
        alone = practice_of(test.model_copy(update={"training": practice[:1]}))
        assert [pair for _, pair, _ in alone] == list(dict.fromkeys(pairs))  # all on one clip


def test_ab_asks_every_pair_on_both_sides_and_abx_hides_one_of_the_two():
    practice = (Item(id="practice", clip="set/p", duration_s=5),)
    test = numbered_test(2, "ab", 3, repeats=2, training=practice)
    assert len(trials_of(test, test.items)) == 2 * 3 * 2
    first, *rated = pages_of(test, 0)  # training comes first, one page per item
    assert (first.training, first.item) == (True, "practice")
    assert [page.training for page in rated] == [False] * 12
    sides = Counter(page.conditions for n in range(40) for page in pages_of(test, n))
    assert len(sides) == 6
    one, other = sides["codec-0", "codec-1"], sides["codec-1", "codec-0"]
    assert 0.35 < one / (one + other) < 0.65
    pages = [page for n in range(60) for page in pages_of(numbered_test(3, "abx", 2), n)]
    for a, b, x in (page.conditions for page in pages):
        assert REFERENCE in (a, b)
        assert x in (a, b)
    hidden = Counter(page.conditions[2] == REFERENCE for page in pages)
    assert 0.4 < hidden[True] / len(pages) < 0.6


def test_one_condition_at_a_time_each_once_and_no_item_after_itself():
    test = numbered_test(6, "ccr", 3)
    orders, trials = orders_of(test, 24), trials_of(test, test.items)
    assert (len(trials), {len(set(order)) for order in orders}) == (24, {24})
    assert all(a != b for order in orders for (a, *_), (b, *_) in pairwise(order))
    places = [[order.index((item, *sorted(pair))) for order in orders] for item, pair, _ in trials]
    assert max(max(Counter(of).values()) for of in places) <= 5
    assert np.abs(np.mean(places, axis=1) - 11.5).max() <= 2.5
    first = Counter(p.conditions[0] == REFERENCE for n in range(24) for p in pages_of(test, n))
    assert 0.45 < first[True] / first.total() < 0.8  # a quarter has it on both sides
    test = numbered_test(1, "dcr", 2, training=(Item(id="practice", clip="set/p", duration_s=5),))
    pages = pages_of(test, 0)  # of one item nothing can be kept apart
    for training in (True, False):  # the worst system is practised first
        heard = [page.conditions for page in pages if page.training is training]
        assert set(heard) == {(REFERENCE, name) for name in (REFERENCE, "codec-0", "codec-1")}
        assert not training or heard[0] == (REFERENCE, "codec-0")


CASES = cases(__file__)
GOOD = CASES["good"]


@pytest.mark.parametrize(("old", "new", "message"), CASES["mistakes"])
def test_a_file_is_read_and_mistakes_are_named_with_line_and_field(tmp_path, old, new, message):
    def reading(text):
        (tmp_path / "test.yaml").write_text(text, "utf-8")
        return read_test(tmp_path)

    with pytest.raises(UserError, match=r"cannot read the listening test .*test.yaml"):
        read_test(tmp_path)
    systems = ("opus@8kbps", "lyra-v2@9.2kbps")
    assert reading(GOOD).conditions == ("reference", "anchor35", "anchor70", *systems)
    for form in ("mushra-no-anchors", "acr", "ccr", "ab", "abx"):
        other = GOOD.replace("form: mushra", f"form: {form}")
        assert reading(other).conditions == ("reference", *systems)
    assert GOOD.count(old) == 1
    text = GOOD.replace(old, new)
    if new == "ab":
        text = text.replace("  - name: lyra-v2@9.2kbps\n", "")
    with pytest.raises(UserError, match=f"test.yaml, line {message}"):
        reading(text)


def test_texts_of_a_new_test():
    english, german = texts_of("en"), texts_of("de-AT")
    assert (texts_of("fi"), german.title) == (english, "Hörtest")
    assert [q.id for q in english.questionnaire] == [q.id for q in german.questionnaire]
    assert english.webmushra.keys() == german.webmushra.keys()
