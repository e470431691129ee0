"""What recipes expect and limit, said above the tables of their runs."""

from dataclasses import replace

import numpy as np
import pytest

from snacbench.request import Expected, FromRecipe, Request
from snacbench.rows import Coded, Cost
from snacbench.tables.from_runs import Options, summary_csv, tables_of
from snacbench.tables.layouts import layouts
from snacbench.tables.run_rows import RunRows
from snacbench.tables.writers import WRITERS, to_csv, to_json, to_markdown
from snacbench.types import WeightsInfo
from tests.support.command_line import call
from tests.support.synthetic_runs import make_run
from tests.support.written_runs import printed

OF_DOE = (2.5, 0.2, "one"), (9.0, 0.2, "two@8kbps"), (7.0, None, "shown")
FIRST, SECOND, SHOWN = (Expected("up", *of, "Doe 2020, table 1", who) for *of, who in OF_DOE)
EXPECT = (FIRST, SECOND, Expected("up_reference", 4.0, 0.1, "Roe 2021", domain="speech"), SHOWN)
RECIPE = FromRecipe("paper", expect=EXPECT)
LIMITED = replace(RECIPE, overridden={"limit": None, "conditions": ()})
SCORES = {
    "one": {"up": np.arange(6.0), "up_reference": np.full(6, 4.05)},
    "two@8kbps": {"up": np.full(6, 8.0)},
}
MISSES = (
    "This run misses figures that recipe paper expects (Doe 2020, table 1): up of two@8kbps is 8, "
    "expected 9 ± 0.2. Find out why before believing the others."
)


def made(path, recipe=RECIPE, request=Request(), rows=(), **run):  # noqa: B008 - frozen
    folder = make_run(path, SCORES, request=replace(request, from_recipe=recipe), **run)
    folder.append(rows)
    return RunRows.load(folder)


def test_a_miss_is_said_above_the_first_table_in_every_format_but_data(tmp_path):
    rows = made(tmp_path / "r")
    tables = tables_of([rows], options=Options(by="both"))
    assert [table.above for table in tables] == [(MISSES,)]
    assert "2 of 3 figures that recipe paper expects are met." in tables[0].footnotes
    shown = printed(tables, 400)
    for text in (*(WRITERS[f](tables) for f in ("markdown", "html", "latex", "json")), shown):
        assert "Find out why before believing" in text
        assert text.index("This run misses") < text.index("up")
    unjudged = made(tmp_path / "other", None)
    assert summary_csv([rows]) == summary_csv([unjudged])
    done = call("table", tmp_path / "r", "--format", "csv", "--by", "both")
    other = call("table", tmp_path / "other", "--format", "csv", "--by", "both")
    assert done.stdout == other.stdout
    assert f"warning: {MISSES}" in done.stderr.splitlines()
    (bare,) = tables_of([rows], options=Options(caption=False))
    assert bare.above == ()


def test_a_report_says_it_whatever_domain_is_looked_at(tmp_path):
    folder = make_run(tmp_path / "r", SCORES, request=Request(from_recipe=RECIPE))
    music = [replace(row, domain="music") for row in folder.read(Coded) if row.clip[-1] in "135"]
    folder.append(music)
    call("report", folder.path, "-o", tmp_path / "page", "--clips", "0")
    html = (tmp_path / "page" / "index.html").read_text("utf-8")
    assert html.count("Find out why before believing") == 3  # all clips, speech, music


@pytest.mark.parametrize(("how", "why"), [
    ({"recipe": LIMITED}, "changed by --limit"),
    ({"request": Request(shard="1/2")}, "it is a part, or was merged of parts"),
    ({"facts": {"missing from the test set": "3 files"}}, "not in the test set: 3 files"),
    ({"failed": {"one": (2,)}}, "some clips are not coded"),
    (
        {"rows": [Coded("tiny/broken", "one", "failed", "cannot read it", "speech")]},
        "some clips are not coded",
    ),
])  # fmt: skip
def test_what_is_not_that_recipe_is_not_held_to_it(tmp_path, how, why):
    (table,) = tables_of([made(tmp_path / "r", **how)])
    assert table.above == ()
    assert f"Not held to the figures that recipe paper expects: {why}." in table.footnotes


@pytest.mark.parametrize(("spec", "judged"), [
    ({"demonstration": True}, False),
    ({"weights": WeightsInfo("embedded")}, False),
    ({"weights": WeightsInfo("own")}, False),
    ({"weights": WeightsInfo("folder", verified=False)}, False),
    ({"weights": WeightsInfo("folder", verified=True)}, True),
    ({"weights": WeightsInfo("published")}, True),
])  # fmt: skip
def test_only_published_models_with_a_value_everywhere_are_compared(tmp_path, spec, judged):
    recipe = replace(RECIPE, overridden={"root": None, "device": None})
    rows = made(tmp_path / "r", recipe)
    for codec in rows.codecs:
        codec.spec = replace(codec.spec, **spec)
    (table,) = tables_of([rows])
    assert bool(table.above) == judged
    text = "Not in this table by published models: up of one, up of two@8kbps."
    assert any(note.endswith(text) for note in table.footnotes) != judged
    cells = rows.codecs[1].scores["up"]
    for failed in (True, False):  # or was never scored
        cells["ok"][3], cells["failed"][3] = False, failed
        assert tables_of([rows])[0].above == ()


def test_limits_and_what_nobody_measured(tmp_path):
    limits = {"kbps": 0.02, "delay_ms": 30.0}
    rows = made(tmp_path / "r", FromRecipe("tight", limits=limits), kbps={"two@8kbps": 8.0})
    rows.codecs[0].spec = replace(rows.codecs[0].spec, nominal_kbps=0.02)
    rows.codecs[1].spec = replace(rows.codecs[1].spec, streams=())
    (table,) = tables_of([rows])
    broken = "More kbps than the 0.02 that recipe tight allows: two@8kbps (8)."
    assert table.above == (broken,)
    unknown = "more ms of delay than the 30 that recipe tight allows: one, two@8kbps"
    assert f"Not known whether {unknown}; 'snacbench cost RUN' measures." in table.footnotes
    sides = {"encode_macs_per_s": {"encoder": 5e6}, "decode_macs_per_s": {"decoder": 2e6}}
    waits = {"rate_hz": 8000, "delay_samples": 400}
    rows.codecs[0].cost = Cost("one", "cpu", **sides, **waits)
    rows.codecs[1].cost = Cost("two@8kbps", "cpu", whole_file=True)
    limits |= {"mmac_per_s": 6.0, "decode_mmac_per_s": 2.0}
    recipe = FromRecipe("tight", limits=limits)
    run = replace(rows.run, request=replace(rows.run.request, from_recipe=recipe))
    (table,) = tables_of([replace(rows, run=run)])
    assert table.above == (
        broken,
        "More ms of delay than the 30 that recipe tight allows: one (50), two@8kbps (inf).",
        "More MMAC per second of audio than the 6 that recipe tight allows: one (7).",
    )
    uncounted = "more MMAC per second of audio than the 6 that recipe tight allows: two@8kbps"
    assert f"Not known whether {uncounted}." in table.footnotes  # and cannot be


def test_published_figures_are_rows_of_their_own_and_in_no_data_file(tmp_path):
    layout = replace(layouts()["default"], name="paper-table", by="all")
    recipe = replace(RECIPE, table="paper-table")
    (table,) = tables_of([made(tmp_path / "r", recipe)], layout)
    shown = table.rows[2:]
    assert [row.label for row in shown] == ["one", "two@8kbps", "shown"]
    assert [row.cells["up"].value for row in shown] == [2.5, 9.0, 7.0]
    assert not any(row.ranked or row.cells["up"].marks for row in shown)
    assert "published, not measured here: Doe 2020, table 1" in to_markdown([table])
    assert len(to_csv([table]).splitlines()) == 3
    assert '"published": "Doe 2020, table 1"' in to_json([table])
    speech = tables_of([made(tmp_path / "s", recipe)], layout, Options(by="domain"))
    assert [row.label for row in speech[0].rows[2:]] == ["reference"]
    other = replace(recipe, overridden={"data": "dac-table3"})
    (table,) = tables_of([made(tmp_path / "o", other)], layout)
    assert len(table.rows) == 2
