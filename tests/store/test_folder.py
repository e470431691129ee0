import errno
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from snacbench.errors import StoreError
from snacbench.request import FromRecipe, OutsideFiles, Request
from snacbench.rows import Coded, CodeHistogram, Score
from snacbench.store import jsonl as row_lines
from snacbench.store import run_folder as store
from snacbench.store.run_folder import RunFolder, new_folder
from snacbench.types import Clip
from tests.support.synthetic_runs import RUN

CLIP = Clip("set/a", Path("/tmp/a.wav"), "00", 8000, 1, 8000)
SCORES = [
    Score("set/a", "x", "m", "1", "ok", 1 / 3),
    Score("set/b", "x", "m", "1", "undefined", reason='says "status": "ok"'),
    Score("set/c", "x", "m", "1", "failed", reason="broken"),
]
HISTOGRAM = CodeHistogram("c", "x", 0, 4, np.array([1, 3], np.int32), np.array([2, 5], np.int64))


@pytest.fixture
def run(tmp_path):
    return RunFolder.create(tmp_path / "run", RUN, [CLIP])


def test_rows_of_every_kind_come_back_in_order(run):
    assert (RunFolder.open(run.path).run, list(run.read(Clip))) == (RUN, [CLIP])
    assert list(run.read(Score)) == []
    coded = Coded("set/a", "x", "ok")
    run.append([SCORES[0], HISTOGRAM, SCORES[1]])
    run.append([coded, SCORES[2]])
    assert list(run.read(Score)) == SCORES
    assert list(run.read(Coded)) == [coded]
    (histogram,) = run.read(CodeHistogram)
    assert (histogram.codes.tolist(), histogram.counts.tolist()) == ([1, 3], [2, 5])
    with pytest.raises(ValueError, match="not JSON compliant"):  # what is not finite is no number
        run.append([replace(SCORES[0], value=float("nan"))])
    assert list(run.read(Score)) == SCORES


@pytest.mark.parametrize("rest", [b'{"clip": "set/a", "co', b"x" * 200_000])
@pytest.mark.parametrize("whole", [0, 3])
def test_what_a_killed_process_left_is_skipped_and_the_next_writer_removes_it(run, rest, whole):
    run.append(SCORES[:whole])
    scores = run.path / "scores.jsonl"
    with scores.open("ab") as stream:
        stream.write(rest)
    assert list(run.read(Score)) == SCORES[:whole]
    target = run.decoded_path("set/a", "x")
    target.parent.mkdir(parents=True)
    target.touch()
    target.with_name(f".{target.name}.1.partial").touch()
    with run.locked():
        assert list(target.parent.iterdir()) == [target]
        assert scores.read_bytes().count(b"\n") == whole
        run.append(SCORES[whole:])
    assert list(run.read(Score)) == SCORES


@pytest.mark.parametrize("at_once", [1, 2, 500])
def test_rows_are_found_again_by_where_they_begin(run, monkeypatch, at_once):
    monkeypatch.setattr(store, "_ROWS_AT_ONCE", at_once)
    monkeypatch.setattr(row_lines, "_LINES_AT_ONCE", at_once)
    coded = Coded("set/a", "x", "failed", "änders")
    first = run.append(iter([SCORES[0], coded, SCORES[1]]))
    second = run.append([replace(coded, reason="other"), SCORES[2]])
    assert run.read_at(Score, [second[1], first[0], first[2]]) == [SCORES[2], *SCORES[:2]]
    assert [row.reason for row in run.read_at(Coded, [first[1], second[0]])] == ["änders", "other"]
    places = [first[0], first[2], second[1]]
    assert list(run.read_placed(Score)) == list(zip(places, SCORES, strict=True))
    assert max(len(rows) for _, rows in run.read_blocks(Score)) == min(at_once, 3)


def test_folders_that_hold_something_are_not_taken(run, tmp_path):
    with pytest.raises(StoreError, match=r"already holds a run; go on with it by --resume .*run,"):
        RunFolder.create(run.path, RUN, [CLIP])
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreError, match="is not empty; choose a new or empty folder with -o"):
        RunFolder.create(tmp_path / "thesis", RUN, [CLIP])
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["thesis.tex"]
    with pytest.raises(StoreError, match=r"cannot write to .*tex \((File exists|Not a directory)"):
        RunFolder.create(tmp_path / "thesis" / "thesis.tex", RUN, [])
    with pytest.raises(StoreError, match=r"cannot write to .*tex"):
        new_folder(tmp_path / "thesis" / "thesis.tex")
    # Runs that begin in one second get a folder each.
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: new_folder(tmp_path / "runs", "-files"), range(8)))
    assert len(set(found)) == 8
    assert all(folder.is_dir() and "-files" in folder.name for folder in found)


@pytest.mark.parametrize(("told", "message"), [
    (None, r"holds no run: there is no run.json in it"),
    ({"epochs": 3}, r"run.json is not a Run row"),
    ({"schema_version": 99}, "written with schema version 99, this snacbench reads 2 and"),
])  # fmt: skip
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
        ({"from_recipe": {"name": "r", "table": "t"}},
         Request(from_recipe=FromRecipe("r", table="t"))),
    ):  # fmt: skip
        (run.path / "run.json").write_text(json.dumps({**told, "recipe": recipe}))
        assert RunFolder.open(run.path).run.request == expected


def test_a_second_process_waits_for_the_first_to_end(run):
    holder = (
        "import sys; from pathlib import Path; from snacbench.store.run_folder import RunFolder\n"
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


def test_what_the_disk_says_is_told_from_errors_under_the_lock(run, tmp_path, monkeypatch):
    with pytest.raises(StoreError, match=r"cannot write to .*gone \(No such file"):
        RunFolder(tmp_path / "gone").locked().__enter__()
    with pytest.raises(FileNotFoundError), run.locked():
        Path("/no/such/file").read_bytes()
    refuse = Mock(side_effect=OSError(errno.ENOSPC, "No space left on device"))
    monkeypatch.setattr(store.os, "fsync", refuse)
    with pytest.raises(StoreError, match=r"run \(No space left .*free some .* go on with --r"):
        run.append(SCORES)


AWKWARD = ["a b", "a_b", "a:b", "a?b", "a\nb", "ä", "..", ".", "_", "../a", "/etc/passwd", "a//b",
           "a/b", "a/../b", "x" * 250, "x" * 251]  # fmt: skip


def test_any_id_makes_a_file_of_its_own_inside_the_run(run):
    for name in AWKWARD:
        path = run.decoded_path(f"set/{name}", "x")
        assert path.resolve().is_relative_to(run.path.resolve() / "decoded" / "x" / "set")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(f".{path.name}.4194304.partial").touch()
        path.touch(exist_ok=False)


def test_rows_are_replaced_and_taken_out_by_what_they_are_whole_or_not_at_all(run, monkeypatch):
    assert run.take_out(Score, of=lambda row: True) == []
    run.replace(Score, SCORES, of=lambda row: True)
    assert list(run.read(Score)) == SCORES
    new = replace(SCORES[1], version="2", reason="new")
    gone = run.replace(Score, [new], of=lambda row: row.status == "undefined")
    assert (gone, list(run.read(Score))) == ([SCORES[1]], [SCORES[0], SCORES[2], new])
    taken = run.take_out(Score, of=lambda row: row.status == "failed")
    assert (taken, list(run.read(Score))) == ([SCORES[2]], [SCORES[0], new])
    run.write_text("summary.csv", "old, ä\n")
    monkeypatch.setattr("os.fsync", lambda descriptor: 1 / 0)
    for change in (lambda: run.write_text("summary.csv", "new"),
                   lambda: run.take_out(Score, of=lambda row: True)):  # fmt: skip
        with pytest.raises(ZeroDivisionError):
            change()
    assert (run.path / "summary.csv").read_text("utf-8") == "old, ä\n"
    assert list(run.read(Score)) == [SCORES[0], new]
    assert not list(run.path.glob(".*.partial"))


def test_a_bad_line_is_told_by_its_number_whichever_block_it_is_in(run, monkeypatch):
    monkeypatch.setattr(row_lines, "_LINES_AT_ONCE", 2)
    run.append([*SCORES, HISTOGRAM, HISTOGRAM])
    with (run.path / "scores.jsonl").open("a") as stream:
        stream.write("{}\n")
    path = run.path / "histograms.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(f"{first}\n{second.replace('eJ', 'AA')}\n")
    for kind, number in ((Score, 4), (CodeHistogram, 2)):
        with pytest.raises(StoreError, match=rf"l, line {number} is not a {kind.__name__} row"):
            list(run.read(kind))
