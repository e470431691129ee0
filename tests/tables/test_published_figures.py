"""Published rows beside ours: which stands where, and that they never compete."""

from __future__ import annotations

from dataclasses import replace

from snacbench.recipes import find_recipe
from snacbench.selectors import select
from snacbench.tables.build import tables_of
from snacbench.tables.layouts import LAYOUTS
from snacbench.tables.options import Options
from snacbench.tables.published_figures import publication
from snacbench.tables.run import RunRows
from snacbench.tables.table import Row, Table
from tests.tables.competition import make

QUOTED = Options(published=True)
FILES = {layout.published for layout in LAYOUTS.values()} - {""}


def table(*runs: RunRows, options: Options = QUOTED) -> Table:
    (found,) = tables_of(runs, LAYOUTS["dac-table3"], options)
    return found


def renamed(rows: RunRows, **names: str) -> RunRows:
    for codec in rows.codecs:
        codec.spec = replace(codec.spec, name=names.get(codec.spec.name, codec.spec.name))
    return rows


def labels(found: Table) -> list[str]:
    return [row.title for row in found.rows]


def published(found: Table) -> list[Row]:
    return [row for row in found.rows if row.source]


def test_a_published_row_follows_the_row_of_its_operating_point(tmp_path):
    rows = renamed(make(tmp_path / "r"), one="opus@14kbps", two="lyra-v2@9.2kbps")
    found = table(rows)
    assert labels(found)[:6] == [
        "opus@14kbps", "↳ Opus, published", "lyra-v2@9.2kbps", "↳ Lyra, published",
        "three_3%&", "low",
    ]  # fmt: skip
    opus = found.rows[1]
    assert (opus.beside, opus.source) == ("opus@14kbps", "DAC paper, table 3")
    assert [cell.value for cell in opus.cells.values()] == [14.0, 16.0, 1.23, 2.14, 4.02, 8.02]


def test_published_rows_without_a_partner_come_last_under_a_heading(tmp_path):
    found = table(renamed(make(tmp_path / "r"), one="opus@14kbps"))
    assert labels(found)[5:] == ["DAC"] * 4 + ["EnCodec"] * 5 + ["Lyra", "Opus", "Opus"]
    headed = [(heading, row.label) for heading, row in found.headed() if heading]
    assert headed == [("published, not in these runs", "DAC")]
    eight = found.rows[8]
    assert [c.value for c in eight.cells.values()] == [8.0, 22.05, 0.93, 1.60, 4.18, 10.75]


def test_the_same_model_at_another_rate_is_no_partner(tmp_path):
    assert not [
        r for r in published(table(renamed(make(tmp_path / "r"), one="opus@12kbps"))) if r.beside
    ]


def test_of_several_runs_the_first_with_the_operating_point_has_the_published_row(tmp_path):
    runs = [renamed(make(tmp_path / name), one="opus@14kbps") for name in "ab"]
    other = RunRows(replace(runs[1].run, id="day"), runs[1].codecs, runs[1].clips)
    found = table(runs[0], other)
    assert [row.beside for row in published(found) if row.beside] == ["opus@14kbps (a)"]
    assert labels(found)[:2] == ["opus@14kbps (a)", "↳ Opus, published"]


def test_published_figures_neither_win_nor_change_who_wins(tmp_path):
    rows = renamed(make(tmp_path / "r"), one="lyra-v2@9.2kbps", two="opus@24kbps")
    asked = Options(significance=True, ci=True)
    alone, together = (
        table(rows, options=asked),
        table(rows, options=replace(asked, published=True)),
    )
    assert [row for row in together.rows if not row.source] == list(alone.rows)
    for row in published(together):
        assert not row.ranked
        assert not any(cell.marks or cell.interval or cell.n for cell in row.cells.values())


def test_each_has_a_footnote_with_its_source_and_what_is_unverified(tmp_path):
    found = table(renamed(make(tmp_path / "r"), one="lyra-v2@9.2kbps"))
    letters = {row.label: found.letters_of(row) for row in published(found)}
    assert letters == {"DAC": "a", "EnCodec": "a", "Lyra": "a,b", "Opus": "a"}
    source, lyra = found.letters
    assert source == (
        "As printed in Kumar et al., High-Fidelity Audio Compression with Improved RVQGAN, NeurIPS "
        "2023, table 3: nominal rate; clips other than ours (3,000 segments of 10 s, speech, music "
        "and environment together); mel distance and its scales as in sections 3.5 and 4.4; "
        "bandwidths nominal, not measured; variant unverified of STFT distance, ViSQOL, SI-SDR. "
        "Neither ranked nor compared."
    )
    assert lyra == "Google's own models of Lyra V2 do not reproduce this SI-SDR."


def test_the_files_name_operating_points_that_there_are():
    for name in FILES:
        ours = [line["ours"] for line in publication(name).lines]
        assert len(set(ours)) == len(ours)
        assert [spec.name for _, spec in select(",".join(ours))] == ours


def test_the_papers_recipe_runs_what_the_paper_published():
    chosen = select(find_recipe("dac-table3").options()["codecs"])
    ours = [line["ours"] for line in publication("dac-table3.yaml").lines]
    assert [spec.name for _, spec in chosen] == ours
