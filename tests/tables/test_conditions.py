"""Rows under conditions: where they stand, what is said of them, and what leaves them out."""

from dataclasses import replace

import numpy as np

from snacbench.stats.curves import BjontegaardDelta
from snacbench.tables.conditions import AS_SENT
from snacbench.tables.from_runs import Options, summary_frame, tables_of
from snacbench.tables.ladder import ladder_tables
from snacbench.tables.layouts import layouts
from snacbench.tables.savings import savings
from tests.support.plots import ANCHOR, DAC, OPUS, SI_SDR, run_rows, under

CODECS = [replace(OPUS[1], concealment="PLC"), replace(OPUS[2], concealment="PLC"), DAC[0]]


def whole_run():
    specs = under([*CODECS, *ANCHOR], "loss@5%,20%", "noise:white@10dB", "level@-20dB")
    rows = run_rows(specs[::-1], metrics=(SI_SDR,))
    for codec in rows.codecs:
        rate = {"loss@5%": 5.0, "loss@20%": 20.0}.get(codec.spec.condition, np.nan)
        codec.coded["realised"] = rate + (0.25 if codec.spec.family == "dac" else 0)
        if codec.spec.condition:
            codec.speed = None
            codec.delays["known"] = True
            codec.delays["own_lag_s"] = 0.1
    return rows


def test_rows_under_conditions_follow_their_model_and_notes_say_what_they_are():
    rows = whole_run()
    table = tables_of([rows], options=Options("all"))[0]
    labels = [row.label for row in table.rows]
    assert labels[:2] == [ANCHOR[0].name, f"{ANCHOR[0].name}+level@-20dB"][:1] + labels[1:2]
    opus = [label for label in labels if label.startswith("opus")]
    assert opus[:3] == ["opus@24kbps", "opus@14kbps", "opus@24kbps+level@-20dB"]
    assert len(opus) == 2 * 6
    notes = "\n".join(table.footnotes)
    assert (
        "loss@20%, 5%: that share of packets lost, each by itself; of 20 ms, or a codec's own; "
        "concealment: opus by itself (PLC); others: silence; realised, on average over clips: "
        "20 to 20.2, 5 to 5.25 %." in notes
    )
    for said in (
        "noise:clean:white@10dB: white noise at that SNR added to the input, scored against the "
        "clean clip.",
        "noise:white@10dB: white noise at that SNR added to the input, scored against the noisy",
        "level@-20dB: input at that gain, scored against the scaled input.",
        AS_SENT,
    ):
        assert said in notes
    assert "was not measured" not in notes
    assert "decodes come" not in notes
    assert "Alignment not found" not in notes
    best = [row.label for row in table.rows if row.cells["si_sdr"].marks]
    assert best == ["opus@24kbps", "opus@14kbps"]
    frame = summary_frame([rows], "all").set_index("codec")
    assert frame.loc["opus@14kbps+loss@5%", ["condition", "realised"]].tolist() == ["loss@5%", 5.0]


def test_what_conditions_lack_costs_others_no_clips_and_papers_rates_and_savings_leave_them_out():
    rows, plain = whole_run(), run_rows([*CODECS, *ANCHOR], metrics=(SI_SDR,))
    rows.codec("opus@14kbps+loss@20%").scores["si_sdr"]["ok"][:4] = False
    table = tables_of([rows], options=Options("all"))[0]
    cells = {row.label: row.cells["si_sdr"] for row in table.rows}
    assert cells["opus@14kbps"].n == 24
    assert cells["opus@14kbps+loss@20%"].n == 20
    assert "n = 20 of 24 clips" in cells["opus@14kbps+loss@20%"].notes[0]
    paper, *_ = tables_of([rows], layouts()["dac-table3"])
    assert {row.label for row in paper.rows} == {codec.spec.name for codec in plain.codecs}
    assert sum("20 operating points under conditions left out" in n for n in paper.footnotes) == 1
    (ladder,) = ladder_tables([rows])
    assert [row.label for row in ladder.rows] == [c.name for c in CODECS[::-1]]
    assert sum("20 operating points under conditions" in note for note in ladder.footnotes) == 1
    found = savings([rows], [SI_SDR], of=["dac-44khz"], domains=["all"])
    assert [(saving.of, saving.against) for saving in found] == [("dac-44khz", "opus")]
    named = savings([rows], [SI_SDR], of=["opus+loss@5%"], against=["opus"], domains=["all"])
    assert isinstance(named[0].rate, BjontegaardDelta)
    assert (named[0].of, named[0].against) == ("opus+loss@5%", "opus")
