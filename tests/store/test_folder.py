from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snacbench.errors import StoreError
from snacbench.request import FromRecipe, OutsideFiles, Request
from snacbench.rows import Calibration, Coded, CodeHistogram, Score
from snacbench.store import folder as store
from snacbench.store import rows as row_lines
from snacbench.store.folder import RunFolder, new_folder
from snacbench.types import Clip
from tests.support.synthetic_runs import RUN

CLIP = Clip("set/a", Path("/tmp/a.wav"), "00", 8000, 1, 8000)
SCORES = [Score("set/a", "x", f"m{i}", "1", "ok", i / 3) for i in range(3)]


@pytest.fixture
def run(tmp_path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", RUN, [CLIP])


def test_a_run_starts_with_its_clips_and_provenance(run):
    again = RunFolder.open(run.path)
    assert again.run == RUN
    assert list(again.read(Clip)) == [CLIP]
    assert list(again.read(Score)) == []


def test_rows_of_every_kind_come_back_in_order(run):
    calibration, coded = (
        Calibration("x", 8 / 24_000, 0.9, 1.0, found=True),
        Coded("set/a", "x", "ok"),
    )
    codes, counts = np.array([1, 3], np.int32), np.array([2, 5], np.int64)
    run.append([SCORES[0], calibration, SCORES[1]])
    run.append([coded, CodeHistogram("set/a", "x", 0, 4, codes, counts), SCORES[2]])
    assert list(run.read(Score)) == SCORES
    assert list(run.read(Calibration)) == [calibration]
    assert list(run.read(Coded)) == [coded]
    (histogram,) = run.read(CodeHistogram)
    assert (histogram.codes.tolist(), histogram.counts.tolist()) == ([1, 3], [2, 5])


@pytest.mark.parametrize("rest", [b'{"clip": "set/a", "co', b"x" * 200_000])
@pytest.mark.parametrize("whole", [0, 1, 3])
def test_an_incomplete_last_line_is_skipped_and_the_next_writer_removes_it(run, rest, whole):
    run.append(SCORES[:whole])
    scores = run.path / "scores.jsonl"
    with scores.open("ab") as stream:
        stream.write(rest)
    assert list(run.read(Score)) == SCORES[:whole]
    assert list(run.read_not_ok(Score)) == []
    with run.locked():
        assert scores.read_bytes().count(b"\n") == whole
        run.append(SCORES[whole:])
    assert list(run.read(Score)) == SCORES


def test_rows_are_found_again_by_where_they_begin(run):
    coded = Coded("set/a", "x", "failed", "änders")
    first = run.append([SCORES[0], coded, SCORES[1]])
    second = run.append([replace(coded, reason="other"), SCORES[2]])
    assert run.read_at(Score, [second[1], first[0], first[2]]) == [SCORES[2], *SCORES[:2]]
    assert [row.reason for row in run.read_at(Coded, [first[1], second[0]])] == ["änders", "other"]
    assert list(run.read_placed(Score)) == list(
        zip([first[0], first[2], second[1]], SCORES, strict=True)
    )


def test_more_rows_than_are_written_at_once_keep_their_order(run, monkeypatch):
    monkeypatch.setattr(store, "_ROWS_AT_ONCE", 2)
    assert run.read_at(Score, run.append(iter(SCORES))) == SCORES


def test_half_written_audio_of_a_killed_process_is_removed(run):
    target = run.decoded_path("set/a", "x")
    target.parent.mkdir(parents=True)
    target.touch()
    partial = target.with_name(f".{target.name}.1.partial")
    partial.touch()
    with run.locked():
        pass
    assert target.exists()
    assert not partial.exists()


def test_folders_that_hold_something_are_not_taken(run, tmp_path):
    with pytest.raises(StoreError, match=r"already holds a run; go on with it by --resume .*run,"):
        RunFolder.create(run.path, RUN, [CLIP])
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreError, match="is not empty; choose a new or empty folder with -o"):
        RunFolder.create(tmp_path / "thesis", RUN, [CLIP])
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["thesis.tex"]
    with pytest.raises(StoreError, match=r"cannot write to .*tex: (File exists|Not a directory)"):
        RunFolder.create(tmp_path / "thesis" / "thesis.tex", RUN, [])
    (tmp_path / "empty").mkdir()
    assert RunFolder.create(tmp_path / "empty", RUN, []).run == RUN


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (None, r"holds no run: there is no run.json in it"),
        ({"epochs": 3}, r"run.json is not a Run row"),
        ([], r"run.json is not a Run row"),
        ({"schema_version": 99}, "written with schema version 99, this snacbench reads 2 and"),
    ],
)
def test_a_folder_without_a_run_that_can_be_read_is_an_error(tmp_path, told, message):
    if told is not None:
        (tmp_path / "run.json").write_text(json.dumps(told))
    with pytest.raises(StoreError, match=message):
        RunFolder.open(tmp_path)


def test_a_request_of_schema_1_is_read_and_its_missing_fields_have_defaults(run):
    told = json.loads((run.path / "run.json").read_text())
    del told["request"]
    outside = {"degraded": "/d", "name": "evs", "kbps": "None", "align": "True", "metrics": "()"}
    told |= {"schema_version": 1, "recipe": {"codecs": "x", "batch": 3, "from_recipe": {}}}
    for recipe, expected in (
        (told["recipe"], Request("x", batch=3)),
        ({"outside": outside}, Request(outside=OutsideFiles(Path("/d"), "evs", align=True))),
        ({"codecs": "x", "merged": ["a"]}, Request("x", merged=("a",))),
        (
            {"from_recipe": {"name": "r", "table": "t"}},
            Request(from_recipe=FromRecipe("r", table="t")),
        ),
    ):
        (run.path / "run.json").write_text(json.dumps({**told, "recipe": recipe}))
        assert RunFolder.open(run.path).run.request == expected


def test_a_second_process_waits_for_the_first_to_end(run):
    holder = (
        "import sys; from pathlib import Path; from snacbench.store.folder import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).locked(): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", holder, str(run.path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with (
            pytest.raises(StoreError, match=r"another snacbench is writing to .*run; wait for it"),
            run.locked(),
        ):
            pytest.fail("locked twice")
        process.communicate("")
    with run.locked():
        run.append(SCORES)


def test_a_folder_that_is_gone_cannot_be_locked(tmp_path):
    with (
        pytest.raises(StoreError, match=r"cannot write to .*gone: No such file"),
        RunFolder(tmp_path / "gone").locked(),
    ):
        pytest.fail("locked nothing")


def test_errors_of_the_work_done_under_the_lock_stay_what_they_are(run):
    with pytest.raises(FileNotFoundError), run.locked():
        Path("/no/such/file").read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_named(run):
    (run.path / "scores.jsonl").symlink_to("/dev/full")
    with pytest.raises(StoreError, match=r"cannot write to .*run: the disk is full; free some"):
        run.append(SCORES)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_folder_that_may_not_be_written_is_named(run, monkeypatch, code):
    def refuse(descriptor):  # root may write everywhere, so the refusal is simulated
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(store.os, "fsync", refuse)
    with pytest.raises(StoreError, match=r"run: it may not be written by this user; choose anoth"):
        run.append(SCORES)


def test_numbers_that_are_not_finite_are_never_stored(run):
    with pytest.raises(ValueError, match="not JSON compliant"):
        run.append([replace(SCORES[0], value=float("nan"))])
    assert list(run.read(Score)) == []


def test_text_is_written_whole_or_not_at_all(run, monkeypatch):
    run.write_text("summary.csv", "old, ä\n")
    monkeypatch.setattr(store.os, "fsync", lambda descriptor: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run.write_text("summary.csv", "new")
    assert (run.path / "summary.csv").read_text("utf-8") == "old, ä\n"
    assert not list(run.path.glob(".*partial"))


def test_decoded_audio_lies_in_one_folder_per_codec():
    path = RunFolder(Path("run")).decoded_path("set/speech/a+1.250s", "opus@8kbps")
    assert path == Path("run/decoded/opus@8kbps/set/speech/a+1.250s.flac")


AWKWARD = ["a b", "a_b", "a:b", "a?b", "a\nb", "ä", "..", ".", "_", "../a", "/etc/passwd", "a//b",
           "a/b", "a/../b", "x" * 250, "x" * 251]  # fmt: skip


@pytest.mark.parametrize("name", AWKWARD)
def test_any_id_makes_a_file_inside_the_run(run, name):
    path = run.decoded_path(f"set/{name}", "x")
    assert path.resolve().is_relative_to(run.path.resolve() / "decoded" / "x" / "set")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(f".{path.name}.4194304.partial").touch()
    path.touch()


def test_two_ids_never_share_a_file():
    paths = {RunFolder(Path("run")).decoded_path(f"set/{name}", "x") for name in AWKWARD}
    assert len(paths) == len(AWKWARD)


def test_rows_are_replaced_by_what_they_are(run):
    run.replace(Score, SCORES, of=lambda row: True)
    assert list(run.read(Score)) == SCORES
    new = Score("set/a", "x", "m1", "2", "ok", 9.0)
    run.replace(Score, [new], of=lambda row: row.metric == "m1")
    assert list(run.read(Score)) == [SCORES[0], SCORES[2], new]


def test_runs_that_begin_in_one_second_get_a_folder_each(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: new_folder(tmp_path / "runs", "-files"), range(8)))
    assert len(set(found)) == 8
    assert all(folder.is_dir() and "-files" in folder.name for folder in found)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(StoreError, match=r"cannot write to .*runs"):
        new_folder(tmp_path / "runs")


def test_rows_are_taken_out_and_those_that_are_ok_are_not_looked_into(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", RUN, [])
    assert run.take_out(Score, of=lambda row: True) == []
    failed = [replace(SCORES[0], metric=f"x{i}", status="failed", value=None) for i in range(3)]
    run.append([failed[0], SCORES[0], failed[1], SCORES[1], failed[2]])
    assert {SCORES[0].status, SCORES[1].status} == {"ok"}
    taken = run.take_out(Score, of=lambda row: row.status == "ok" or row.metric != "x1")
    assert taken == [failed[0], failed[2]]
    assert list(run.read(Score)) == [SCORES[0], failed[1], SCORES[1]]
    assert not list(run.path.glob(".*.partial"))


# ------------------------------------------------------------------------------- many at once


HISTOGRAM = CodeHistogram("c", "x", 0, 4, np.array([0, 2], np.int32), np.array([5, 1], np.int64))

ROWS = [
    Score("set/a", "x", "m", "1", "ok", 0.5),
    Score("set/b", "x", "m", "1", "undefined", reason='says "status": "ok"'),
    Score("set/c", "x", "m", "1", "failed", reason="broken"),
]


@pytest.mark.parametrize("lines_at_once", [1, 2, 500])
def test_blocks_hold_all_rows_and_where_they_begin(run, monkeypatch, lines_at_once):
    monkeypatch.setattr(row_lines, "_LINES_AT_ONCE", lines_at_once)
    places = run.append(ROWS)
    found = list(run.read_blocks(Score))
    assert [row for block in found for row in block.rows] == ROWS
    assert [place for block in found for place in block.places] == places
    assert list(run.read_not_ok(Score)) == ROWS[1:]
    assert max(len(block.rows) for block in found) == min(lines_at_once, len(ROWS))


def test_a_file_that_is_not_there_has_no_blocks(run):
    assert list(run.read_blocks(Coded)) == []
    assert list(run.read_not_ok(Coded)) == []


def test_a_bad_line_is_told_by_its_number_whichever_block_it_is_in(run, monkeypatch):
    monkeypatch.setattr(row_lines, "_LINES_AT_ONCE", 2)
    run.append(ROWS)
    with (run.path / "scores.jsonl").open("a") as stream:
        stream.write("{}\n")
    with pytest.raises(StoreError, match=r"scores\.jsonl, line 4 is not a Score row"):
        list(run.read(Score))
    with pytest.raises(StoreError, match=r"scores\.jsonl, line 4 is not a Score row"):
        list(run.read_not_ok(Score))


def test_a_damaged_histogram_is_told_by_its_number(run):
    run.append([HISTOGRAM, HISTOGRAM])
    path = run.path / "histograms.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(f"{first}\n{second.replace('eJ', 'AA')}\n")
    with pytest.raises(StoreError, match=r"histograms\.jsonl, line 2 is not a CodeHistogram row"):
        list(run.read(CodeHistogram))
