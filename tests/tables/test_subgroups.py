"""Groups of clips, and rows that are means over checkpoints."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from snacbench.errors import UnknownName, UserError
from snacbench.rows import Coded
from snacbench.tables.from_runs import Options, summary_frame, summary_markdown, tables_of
from snacbench.tables.layouts import layouts
from snacbench.tables.run_rows import RunRows
from snacbench.tables.writers import to_csv, to_json, to_latex, to_markdown
from snacbench.types import Clip
from tests.support.synthetic_runs import UP, make_run

DEFAULT = layouts()["default"]
LANGUAGES = ["en", "de", "", "en", "de", "", "de"]
ONE, TWO = np.arange(7.0) ** 2, 3.0 * np.arange(7.0)
TWO[4] = np.nan


def spoken(path, languages=LANGUAGES, keep=range(7), **scores):
    """A run of clips in these languages; of its clips those to `keep`."""
    systems = {name: {"up": values[list(keep)]} for name, values in scores.items()}
    made = make_run(path, systems, speakers=3)
    met = zip(keep, made.read(Clip), strict=True)
    clips = [replace(c, language=languages[n], cluster=f"speaker {n % 3}") for n, c in met]
    made.replace(Clip, clips, of=lambda clip: True)
    return RunRows.load(made)


def test_a_group_is_as_a_run_on_its_clips_alone(tmp_path):
    whole = spoken(tmp_path / "whole", one=ONE, two=TWO)
    tables = tables_of([whole], DEFAULT, Options(by="language", ci=True))
    assert [table.group[1] for table in tables] == ["de", "en", "not stated"]
    ends = [table.title.rpartition(", ")[2] for table in tables]
    assert ends == [f"language {one}" for one in ("de", "en", "not stated")]
    for table, keep in zip(tables, ([1, 4, 6], [0, 3], [2, 5]), strict=True):
        alone = spoken(tmp_path / table.group[1], keep=keep, one=ONE, two=TWO)
        (expected,) = tables_of([alone], DEFAULT, Options(by="all", ci=True))
        assert [row.cells for row in table.rows] == [row.cells for row in expected.rows]
    found = {(row.label, t.group[1]): row.cells["up"] for t in tables for row in t.rows}
    assert found["one", "en"].value == 4.5
    assert (found["one", "de"].value, found["one", "de"].n) == (18.5, 2)  # `two` lacks the third
    # Without that company, over all three.
    (alone, *_) = tables_of([whole.only({"one"})], DEFAULT, Options(by="language"))
    assert alone.rows[0].cells["up"].value == pytest.approx((1 + 16 + 36) / 3)
    # A baseline that met no clip of a group has nobody beside it there.
    part = spoken(tmp_path / "part", keep=[0, 3], three=ONE)
    asked = Options(by="language", significance=True, baseline="three")
    assert len(tables_of([whole, part], DEFAULT, asked)) == 3


def test_groups_in_frames_and_files(tmp_path):
    rows = spoken(tmp_path / "r", one=ONE)
    frame = summary_frame([rows], by="language")
    assert frame["language"].tolist() == ["de", "en", "not stated"]
    assert set(frame["domain"]) == {"all"}
    tables = tables_of([rows], DEFAULT, Options(by="language"))
    assert to_csv(tables).startswith("schema,table,codec,domain,language,source,")
    assert json.loads(to_json(tables))["tables"][1]["language"] == "en"
    assert "language" not in summary_frame([rows])
    note = "2 of 7 clips state no language: they are in the table of 'not stated' alone."
    assert all(note in table.footnotes for table in tables)
    (speakers,) = tables_of([rows], DEFAULT, Options(by="speaker"))
    assert speakers.title.endswith("speaker not stated")
    (whole,) = tables_of([rows], DEFAULT, Options(by="all"))
    assert not any("state no" in note for note in whole.footnotes)
    for by in ("langage", "cluster"):
        with pytest.raises(UnknownName, match=f"no tables by '{by}'; "):
            summary_frame([rows], by=by)


def test_clips_without_a_language_that_are_taken_for_english_are_counted(tmp_path):
    wer = replace(UP, name="wer", needs_transcript=True, better="lower")
    values = np.array([0.1, np.nan, 0.2, np.nan, 0.0, 0.1, 0.3])
    made = make_run(tmp_path / "r", {"one": {"wer": values, "up": ONE}}, metrics=(UP, wer))
    clips = [replace(c, language=of) for c, of in zip(made.read(Clip), LANGUAGES, strict=True)]
    made.replace(Clip, clips, of=lambda clip: True)
    (table,) = tables_of([RunRows.load(made)], DEFAULT, Options(by="all"))
    said = "wer: 2 of 5 clips state no language; they were taken for English."
    assert said in table.footnotes
    made.replace(Clip, [replace(c, language="en") for c in clips], of=lambda clip: True)
    assert "taken for English" not in summary_markdown([RunRows.load(made)])


SEEDS = {f"mine-seed{n}@2q": 10.0 + n * np.ones(6) for n in range(3)}
OTHERS = {"before@1q": np.full(6, 5.0), "opus@8": np.full(6, 11.4)}
BY_NAME = "mine-seed0@2q,mine-seed1,mine-seed2"
KBPS = {"mine-seed0@2q": 1.0, "mine-seed1@2q": 1.1, "mine-seed2@2q": 1.2}


@pytest.fixture
def seeded(tmp_path):
    systems = {**OTHERS, **SEEDS, "mine-seed0@4q": np.full(6, 1.0), "lone@1q": np.full(6, 1.0)}
    scores = {name: {"up": values} for name, values in systems.items()}
    return RunRows.load(make_run(tmp_path / "seeds", scores, kbps=KBPS))


@pytest.mark.parametrize("named", ["mine-seed0@2q,mine-seed1@2q,mine-seed2@2q", BY_NAME])
def test_checkpoints_become_their_mean_and_spread(seeded, named):
    asked = Options(by="all", ci=True, group_seeds={"mine": named})
    (table,) = tables_of([seeded], DEFAULT, asked)
    labels = ["before@1q", "opus@8", "mine@2q", "mine-seed0@4q", "lone@1q"]
    assert [row.label for row in table.rows] == labels
    row = table.rows[2]
    assert row.checkpoints == 3
    up, kbps = row.cells["up"], row.cells["actual_kbps"]
    assert (up.value, up.spread, up.n, up.interval) == (11.0, 1.0, 6, None)
    assert (kbps.value, kbps.spread) == pytest.approx((1.1, np.std([1, 1.1, 1.2], ddof=1)))
    assert (row.cells["n"].value, row.cells["n"].spread) == (6, 0.0)
    assert "second" in up.marks
    (note,) = [note for note in table.footnotes if note.startswith("mine@2q: mean over 3")]
    assert "no confidence interval" in note
    assert "mine-seed0@2q, mine-seed1@2q, mine-seed2@2q" in note
    text = to_markdown([table])
    assert "<ins>11.000 ± 1.000</ins>" in text
    assert "1.10 ± 0.10" in text
    assert "6 ±" not in text
    assert r"11.000 $\pm$ 1.000" in to_latex([table])
    frame = summary_frame([seeded], "all", group_seeds={"mine": named}).set_index("codec")
    assert frame.loc["mine@2q", ["checkpoints", "up", "up_sd"]].tolist() == [3, 11.0, 1.0]
    assert pd.isna(frame.loc["opus@8", "up_sd"])
    assert "up_sd" not in summary_frame([seeded])


@pytest.mark.parametrize(("grouped", "how", "error", "message"), [
    ({"mine": "mine-seed*"}, {}, UserError, "same operating points; found @2q: .*@4q: mine"),
    ({"mine": "lone"}, {}, UserError, "expected two checkpoints or more"),
    ({"mine": "mien"}, {}, UnknownName, "no codec named 'mien'"),
    ({"a": "mine-seed0@2q,opus@8"}, {}, UserError, "same operating points"),
    ({"a": BY_NAME, "b": BY_NAME}, {}, UserError, "mine-seed0@2q.*twice"),
    ({"mine": BY_NAME}, {"significance": True}, UserError, "ask for one of them"),
])  # fmt: skip
def test_groups_that_cannot_be(seeded, grouped, how, error, message):
    with pytest.raises(error, match=message):
        tables_of([seeded], DEFAULT, Options(group_seeds=grouped, **how))


def test_checkpoints_of_different_sets_or_without_a_value(tmp_path, seeded):
    scores = {"mine-seed7@2q": {"up": np.full(6, np.nan)}}
    same = RunRows.load(make_run(tmp_path / "same", scores))
    asked = Options(by="all", group_seeds={"mine": f"{BY_NAME},mine-seed7"})
    tables = tables_of([seeded, same], DEFAULT, asked)
    assert tables[0].rows[2].cells["up"].value is None
    begun = make_run(tmp_path / "begun", {"mine-seed8@2q": {"up": np.ones(6)}})
    begun.take_out(Coded, of=lambda row: True)  # it has met no clip yet
    four = replace(asked, group_seeds={"mine": f"{BY_NAME},mine-seed8"})
    row = tables_of([seeded, RunRows.load(begun)], DEFAULT, four)[0].rows[2]
    assert (row.label, row.cells["up"].value, row.checkpoints) == ("mine@2q", None, 4)
    other = RunRows.load(make_run(tmp_path / "other", scores, set_sha256="cd" * 32))
    with pytest.raises(UserError, match="different test sets"):
        tables_of([seeded, other], DEFAULT, asked)


def test_metrics_of_speech_have_no_table_of_music(tmp_path):
    layout = layouts()["speech-codec"]
    folder = make_run(tmp_path / "r", {"one": {"stoi": np.ones(3)}})
    in_music = replace(next(folder.read(Coded)), domain="music")
    folder.append([in_music])
    (table,) = tables_of([RunRows.load(folder)], layout)
    assert table.domain == "speech"
    assert "No table of music, for which these metrics are not meant." in table.footnotes
    music = [replace(row, domain="music") for row in folder.read(Coded)]
    folder.replace(Coded, music, of=lambda row: True)
    (table,) = tables_of([RunRows.load(folder)], layout)  # rather than nothing
    assert table.domain == "music"


def test_not_here_is_said_of_the_run_that_asked(tmp_path):
    run, ones = make_run, {"up": np.ones(3)}
    asked = run(tmp_path / "asked", {"asked": ones}, lacking={"utmos": "no model"})
    runs = map(RunRows.load, (asked, run(tmp_path / "other", {"other": ones})))
    (table,) = tables_of([*runs], DEFAULT, Options(by="all"))
    assert [row.cells["utmos"].text for row in table.rows] == ["not here", ""]
