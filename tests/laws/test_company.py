"""Company changes nothing: a row is the same whatever else is in its run, and however it came.

Codecs, operating points, metrics and clips are left out or added, their order and the number of
workers change, a run is killed and gone on with, scored later, or merged of parts."""

import random
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import snacbench as sb
from snacbench.rows import Coded, Score
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import NO_SPEED, all_rows, begun, run_in, summary, write_wav
from tests.support.plugged import codec

CODECS = ("identity", "noise@20dB", "noise@5dB", "opus@24", "opus@8", "snac-mini")
METRICS = ("si_sdr", "si_sdr_aligned", "waveform_l1", "stoi")
CONDITIONS = ("loss@20%", "noise:clean@10dB", "cascade@3", "cascade@2")
CLIPS = ("speech/a", "speech/b", "music/c", "other/d")


def make_set(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        number = CLIPS.index(name)
        rate_hz = (16_000, 24_000, 44_100, 48_000)[number]
        write_wav(folder / "set" / f"{name}.wav", 0.7 + 0.1 * number, rate_hz, seed=number)
    return folder / "set"


def options(
    data: Path, codecs: Sequence[str] = CODECS, metrics: Sequence[str] = METRICS, jobs: int = 1,
    conditions: Sequence[str] = CONDITIONS,
) -> tuple[object, ...]:  # fmt: skip
    named = ("--codecs", ",".join(codecs), "--metrics", ",".join(metrics))
    named += tuple(word for text in conditions for word in ("--condition", text))
    return ("run", *named, "--data", data, "--weights", "embedded", "--jobs", jobs, *NO_SPEED)


def scores_in(rows: dict[tuple[Any, ...], Any]) -> list[Score]:
    return [row for row in rows.values() if isinstance(row, Score)]


def summary_of(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The lines of a run's summary by codec and domain."""
    return {(line["codec"], line["domain"]): line for line in summary(path)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of all codecs, metrics and clips; beside it the clips."""
    folder = tmp_path_factory.mktemp("whole")
    run_in(folder, *options(make_set(folder, CLIPS)), "-o", folder / "run")
    rows = all_rows(folder / "run")
    points = 5 * len(CODECS) - 3  # of which three send no packets to lose
    assert len(scores_in(rows)) == points * len(METRICS) * len(CLIPS)
    assert len([key for key in rows if key[0] == "delay of"]) == len(CODECS)
    return folder / "run"


def data_of(whole: Path) -> Path:
    return whole.parent / "set"


@pytest.mark.parametrize("seed", range(3))
def test_rows_are_the_same_in_less_company_and_any_order(whole, tmp_path, seed):
    drawn = random.Random(seed)

    def some(of: Sequence[str]) -> list[str]:
        return drawn.sample(of, drawn.randint(1, len(of)))

    codecs, metrics, clips = some(CODECS), some(METRICS), some(CLIPS)
    conditions = some(CONDITIONS)
    data = make_set(tmp_path, clips)
    jobs = drawn.choice((1, 3))
    run_in(tmp_path, *options(data, codecs, metrics, jobs, conditions), "-o", tmp_path / "run")
    rows, expected = all_rows(tmp_path / "run"), all_rows(whole)
    points = RunFolder.open(tmp_path / "run").run.codecs
    assert len(scores_in(rows)) == len(points) * len(metrics) * len(clips)
    assert {key: expected[key] for key in rows} == rows


def test_rows_and_summary_are_the_same_after_a_kill_and_later_scores(whole, tmp_path):
    path, early = tmp_path / "run", METRICS[:2]
    arguments = options(data_of(whole), tuple(reversed(CODECS)), early, 2)
    killed = begun(path / "coded.jsonl", 7, *arguments, "-o", path)
    killed.kill()
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    run_in(tmp_path, "run", "--resume", path, "--jobs", 1)
    run_in(tmp_path, "score", path, "--metrics", ",".join(METRICS[2:]), "--jobs", 2)
    assert all_rows(path) == all_rows(whole)
    assert summary_of(path) == summary_of(whole)


def test_rows_and_summary_are_the_same_in_a_merge_of_parts(whole: Path, tmp_path: Path) -> None:
    for name, codecs in (("one", CODECS[3:]), ("two", CODECS[:4])):
        run_in(tmp_path, *options(data_of(whole), codecs, jobs=2), "-o", tmp_path / name)
    run_in(tmp_path, "merge", "one", "two", "-o", "both")
    assert all_rows(tmp_path / "both") == all_rows(whole)
    assert summary_of(tmp_path / "both") == summary_of(whole)


def test_a_summary_line_is_the_same_without_the_other_codecs(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(data_of(whole), tmp_path / "set")
    asked = options(tmp_path / "set", ("noise@5dB",), conditions=())
    run_in(tmp_path, *asked, "-o", tmp_path / "run")
    alone, beside = summary_of(tmp_path / "run"), summary_of(whole)
    assert alone == {key: line for key, line in beside.items() if key[0] == "noise@5dB"}


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_codec_is_stopped_for_what_it_is_and_not_for_the_clips_that_come_first(tmp_path, jobs):
    sent = "audio.samples.astype('<f4').tobytes()"
    odd = codec("odd", encode=f"return {sent} if audio.num_samples > 9_600 else 1 / 0")
    (tmp_path / "odd.py").write_text(odd)
    (tmp_path / "broken.py").write_text(codec("broken", encode="return 1 / 0"))
    rows = {}
    for clips in ("abcdefghz", "z"):
        for name in clips:
            seconds = 0.9 if name == "z" else 0.3
            write_wav(tmp_path / clips / "set" / f"{name}.wav", seconds, 16_000, seed=ord(name))
        run = sb.run(
            f"{tmp_path / 'odd.py'},{tmp_path / 'broken.py'}", data=str(tmp_path / clips / "set"),
            out=tmp_path / f"{clips}.run", metrics="si_sdr", speed_budget_s=0, jobs=jobs,
        )  # fmt: skip
        rows[clips] = all_rows(Path(run.folder.path))
    many, few = rows.values()
    coded = {key: row for key, row in many.items() if isinstance(row, Coded)}
    assert few["set/z", "odd"].status == "ok"
    for key in (key for key in few if key[:2] == ("set/z", "odd")):
        assert many[key] == few[key]
    of_odd = [row.reason for (_, name), row in coded.items() if name == "odd"]
    assert sum("ZeroDivisionError" in reason for reason in of_odd) == 8
    assert not any(reason.startswith("stopped") for reason in of_odd)
    assert {row.status for (_, name), row in coded.items() if name == "broken"} == {"failed"}
    if jobs == 1:
        reasons = [row.reason for (_, name), row in coded.items() if name == "broken"]
        assert any(reason.startswith("stopped: its first 5 clips") for reason in reasons)
