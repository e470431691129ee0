"""Rows under conditions: where they stand, what is said of them, and what leaves them out."""

from dataclasses import replace

import numpy as np

from snacbench.tables.conditions import condition_notes
from snacbench.tables.from_runs import Options, summary_frame, tables_of
from snacbench.tables.ladder import ladder_tables
from snacbench.tables.layouts import layouts
from snacbench.tables.savings import savings
from tests.support.cases import cases
from tests.support.plots import ANCHOR, DAC, OPUS, SI_SDR, run_rows, under

CASES = cases(__file__)
CODECS = [*(replace(spec, concealment="PLC") for spec in OPUS[1:]), *DAC[:2]]
REALISED = {"loss@5%": 5.0, "loss@20%": 20.0, "noise:white@10dB": 9.5}


def whole_run(*conditions):
    rows = run_rows(under([*CODECS, *ANCHOR], *conditions), metrics=(SI_SDR,))
    for codec in rows.codecs:
        realised = REALISED.get(codec.spec.condition, np.nan)
        codec.coded["realised"] = realised + (0.25 if codec.spec.family == "dac" else 0)
        if codec.spec.condition:
            codec.speed, codec.delays["known"], codec.delays["own_lag_s"] = None, True, 0.1
    return rows


def test_rows_under_conditions_follow_their_model_and_notes_say_what_they_are():
    rows = whole_run("loss@5%,20%", "noise:white@infdB,10dB", "level@-20dB")
    table = tables_of([rows], options=Options("all"))[0]
    labels = [row.label for row in table.rows]
    assert labels[:4] == ["opus@14kbps", "opus@24kbps", "opus@14kbps+loss@5%", labels[3]]
    models = [name.partition("@")[0] for name in labels]
    assert models == ["opus"] * 16 + ["dac-44khz"] * 16 + ["lowpass"] * 8
    notes = "\n".join(table.footnotes)
    assert [text for text in CASES["notes"] if text not in notes] == []
    assert [text for text in CASES["silent"] if text in notes] == []
    marked = {row.label for row in table.rows if row.cells["si_sdr"].marks}
    assert len(marked) == 2
    assert not [label for label in marked if "+" in label]
    frame = summary_frame([rows], "all").set_index("codec")
    assert frame.loc["opus@14kbps+loss@5%", ["condition", "realised"]].tolist() == ["loss@5%", 5.0]


def test_every_condition_is_said_in_words():
    for name, words in CASES["words"].items():
        specs = [spec.under(name) for spec in (CODECS[0], CODECS[-1])]
        first, *_ = condition_notes([run_rows(specs)])
        assert first == f"{name}: {words}."


def test_what_conditions_lack_costs_others_no_clips_and_papers_rates_and_savings_leave_them_out():
    rows, out = whole_run("loss@5%,20%"), "10 operating points under conditions left out: see"
    rows.codec("opus@14kbps+loss@20%").scores["si_sdr"]["ok"][:4] = False
    table = tables_of([rows], options=Options("all"))[0]
    cells = {row.label: row.cells["si_sdr"] for row in table.rows}
    assert cells["opus@14kbps"].n == 24
    assert "n = 20 of 24 clips" in cells["opus@14kbps+loss@20%"].notes[0]
    plain = [spec.name for spec in CODECS]
    for table in (*tables_of([rows], layouts()["dac-table3"]), *ladder_tables([rows])[:1]):
        assert [row.label for row in table.rows if "lowpass" not in row.label] == plain
        assert sum(out in note for note in table.footnotes) == 1
    found = savings([rows], [SI_SDR], of=["dac-44khz"], domains=["all"])
    assert [(saving.of, saving.against) for saving in found] == [("dac-44khz", "opus")]
    pair = {"of": ["opus+loss@5%"], "against": ["opus"]}
    found = savings([rows], [SI_SDR], **pair, domains=["all"])
    assert [saving.of for saving in found] == pair["of"]
