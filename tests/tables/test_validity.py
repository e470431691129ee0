"""Metrics of a run beside ratings: what is joined, what is left out and said, which groups."""

from dataclasses import replace

import numpy as np
import pytest

import snacbench as sb
from snacbench.api.beside_ratings import compared
from snacbench.errors import UserError
from snacbench.plots._forest import validity_figure
from snacbench.rows import ListenerScore, ListeningSummary
from snacbench.store.run_folder import RunFolder
from snacbench.tables.run_rows import RunRows
from snacbench.tables.validity import validity_of
from snacbench.tables.writers import WRITERS
from tests.support.synthetic_runs import System, run_of

DOMAINS = ["speech"] * 6 + ["music"] * 6
KBPS = {"a@3": 3, "a@6": 6, "a@12": 12, "b@6": 6.5, "b@12": 13, "b@24": 24}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """`up` rises with rates as ratings do, `down` falls likewise, `voice` is noise on speech."""
    rng = np.random.default_rng(0)
    systems = {}
    for name, kbps in KBPS.items():
        up = 10 * np.log2(kbps) + rng.normal(0, 2, 12)
        voice = np.where(np.arange(12) < 6, rng.normal(0, 1, 12), np.nan)
        scores = {"up": up, "down": -up, "voice": voice}
        systems[name] = System(scores, float(kbps), model=name[0], skipped={"voice": range(6, 12)})
    systems["lowpass"] = System({"up": np.zeros(12), "down": np.zeros(12)})
    return run_of(tmp_path_factory.mktemp("v") / "run", systems, DOMAINS)


def ratings(listeners=6, seed=1, clip=lambda k: f"ab/{k:03}", **fields):
    rng = np.random.default_rng(seed)
    return [
        ListenerScore("t", f"l{n}", f"i{k}", clip(k), name,
                      float(np.clip(20 * np.log2(kbps) + rng.normal(0, 6), 0, 100)), **fields)
        for n in range(listeners) for k in range(12) for name, kbps in KBPS.items()
    ]  # fmt: skip


def test_directions_groups_and_counts(run):
    rows = RunRows.load(RunFolder.open(run))
    found, bands = validity_of(rows, ratings()), ["all", "0–6 kbps", "6–16 kbps", "16–64 kbps"]
    assert list(found.groups) == [*bands, "music", "speech"]
    up, down, voice = found.groups["all"]["cells"]
    assert {up.metric, down.metric} == {"up", "down"}  # `down` is turned
    assert up.value == pytest.approx(down.value)
    assert (up.cells, up.items, up.conditions, up.listeners) == (72, 12, 6, 6)
    assert (voice.metric, voice.cells) == ("voice", 36)
    assert (voice.p_holm < 0.05, up.value > 0.8) == (True, True)
    assert found.groups["music"]["cells"][-1].reason == "too few: 0 of 10 cells, 0 of 5 items"
    assert found.groups["0–6 kbps"]["within items"][0].reason.startswith("too few")
    assert "voice has no finite score of 36 of the 72 rated cells" in found.notes
    table = found.table()
    assert {"Which metrics rank as listeners do"} == {table.title}
    written = {name: write([table]) for name, write in WRITERS.items()}
    assert "too few" in written["markdown"]
    assert "group,cells,cells_low,cells_high,cells_n,cells_marks" in written["csv"]
    assert "best" in written["csv"].splitlines()[1]
    assert "1 codecs of the run have no rating: lowpass" in found.notes
    marks = [mark for row in table.rows[:3] for mark in row.cells["cells"].marks]
    assert marks == ["best", "best", "significant"]  # `up` and `down` read the same
    (alone,) = validity_of(rows, ratings(), metrics=["up"], by=()).table().rows
    assert alone.cells["cells"].marks == ()
    frame = found.frame()
    assert (len(frame), frame.attrs["notes"]) == (6 * 3 * 3, list(found.notes))
    assert set(frame["scope"]) == {"cells", "within items", "conditions"}
    figure = validity_figure(found, "A title")
    assert [a.get_title("left").partition(" (")[0] for a in figure.axes] == bands


def test_what_does_not_match_is_counted_and_named(run):
    rows = RunRows.load(RunFolder.open(run))
    more = [
        *ratings(clip=lambda k: ""),  # by the item's name, then
        ListenerScore("t", "l0", "i0", "ab/000", "c@9", 5.0),
        ListenerScore("t", "l0", "i0", "ab/000", "reference", 100.0),
        ListenerScore("t", "l0", "i0", "ab/000", "anchor35", 10.0),
        ListenerScore("t", "bad", "000", "", "a@3", 100.0, kept=False),
    ]
    elsewhere = [replace(r, item="000", clip=f"c/{r.item}") for r in more[:72]]
    for wrong in more[:72], elsewhere:  # a clip that is named is not looked for by its item's name
        with pytest.raises(UserError, match=r"no rating is of a clip and codec .* 12 rated clips"):
            validity_of(rows, wrong)
    named = [replace(r, item=f"{int(r.item[1:]):03}") if r.item != "000" else r for r in more]
    found = validity_of(rows, named, bands="0-", coefficient="kendall")
    assert found.groups["all"]["cells"][0].cells == 72
    assert found.groups["all"]["cells"][0].listeners == 6
    assert "1 rated codecs left out (not in the run): c@9" in found.notes
    assert "1 rated anchors left out (not asked for): anchor35" in found.notes
    assert "1 rated listeners left out (by screening): bad" in found.notes
    once = ratings(1)[:-6]
    found = validity_of(rows, once + once[:5], bands="3-6", by=("band", "domain", "domain"))
    assert list(found.groups) == [
        "all", "3–6 kbps", "music", "speech", "music (domain)", "speech (domain)"]  # fmt: skip
    assert found.notes[1:4] == (
        "1 clips of the run have no rating: ab/011",
        "5 ratings are a listener's further ones of a cell: means are taken",
        "one listener, or means alone: intervals are over other items only",
    )
    assert found.notes[5].endswith("of a rate that is not known: a@12, a@6, b@12, b@24, b@6")
    for wrong, message in (
        ({"metrics": ["upp"]}, "no scores of clips by 'upp'; did you mean"),
        ({"bands": "6-3"}, "--bands takes rates in kbps such as"),
        ({"bands": "low"}, "found 'low'"),
        ({"bands": "0-6,3-9"}, "--bands takes bands that do not overlap, as .*; found '0-6,3-9'"),
        ({"ratings": [*ratings(), replace(ratings()[0], test="u")]}, r"several tests \(t, u\)"),
        ({"rows": replace(rows, codecs=())}, "no scores of clips; add some by 'snacbench score'"),
    ):
        with pytest.raises(UserError, match=message):
            validity_of(**{"rows": rows, "ratings": ratings(), **wrong})


def test_ratings_of_the_run_and_of_a_csv(run, tmp_path):
    lines = ["listener,item,clip,condition,score,form"]
    lines += [f"{r.listener},{r.item},{r.clip},{r.condition},{r.score},mushra" for r in ratings()]
    (tmp_path / "r.csv").write_text("\n".join(lines))
    with pytest.raises(UserError, match="has no ratings; name a listening test"):
        sb.validity(run)
    found = sb.validity(run, tmp_path / "r.csv", bands="0-")
    folder = RunFolder.open(run)
    out = [replace(r, listener="out", kept=False) for r in ratings(1)]
    folder.append([*ratings(), *out, *(replace(r, test="u") for r in ratings(2))])
    folder.append([ListeningSummary("u", "U", "mushra", True, 2, 2, 12, 0.95)])
    own = sb.validity(sb.load(run), metrics="up", bands="0-", test="t")
    assert own["value"][0] == found[found["metric"] == "up"]["value"].iloc[0]
    assert "1 rated listeners left out (by screening): out" in own.attrs["notes"]
    assert sb.validity(run, test="t", screening=False)["listeners"][0] == 7
    assert compared(run, test="u").notes[0] == "nobody listened to u: ratings are simulated"
    for wrong, message in (
        ({}, "name a run"), ({"run": run, "map": "odaq", "root": run}, "name a run"),
        ({"map": "odaq"}, "name a run"), ({"map": "odaq", "root": run, "test": "t"}, "name a run"),
        ({"map": "odaq", "root": run, "screening": False}, "name a run"),
        ({"run": run}, r"several tests \(t, u\).*name one by --test"),
        ({"run": run, "test": "v"}, "has no ratings of the test 'v'; name a listening test"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=message):
            compared(**wrong)
    pairs = ["listener,item,a,b,answer", "x,i,a,b,a"]
    (tmp_path / "ab.csv").write_text("\n".join(pairs))
    with pytest.raises(UserError, match="answers to pairs, and no ratings"):
        sb.validity(run, tmp_path / "ab.csv")
