"""An ablation over checkpoints of one's own, from the command line."""

from __future__ import annotations

import csv
import shutil
import warnings
from pathlib import Path

import pytest

from snacbench.rows import Coded
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import FAST, Run, run_in, write_wav

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips, and checkpoints of one architecture as DAC saves them."""
    from tests.support.codec_models import tiny_dac

    folder = tmp_path_factory.mktemp("ablation")
    write_wav(folder / "clips" / "speech" / "a.wav", 0.6, 16_000, seed=1)
    write_wav(folder / "clips" / "music" / "b.wav", 0.5, 44_100, seed=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tiny_dac(1, quantizer_dropout=1.0).save_to_folder(folder / "runs" / "base" / "latest")
    tiny_dac(3).save(str(folder / "long.pth"), package=False)
    return folder


SELECTORS = "A=dac:runs/base,C=dac:long.pth@2q,full"
NAMES = {"A@3kbps", "C@1.5kbps", "C@3kbps"}


@pytest.fixture(scope="module")
def finished(place: Path) -> Path:
    options = ("--data", "clips", "-o", "r", *FAST)
    done = run_in(place, "run", "--codecs", SELECTORS, *options)
    assert done.returncode == 0, done.stderr
    assert f"A: {place / 'runs/base/latest/dac/weights.pth'}" in " ".join(done.stderr.split())
    assert "truncated" in done.stderr  # no file tells of quantiser dropout, so 2 of 4 is a guess
    return place / "r"


def test_checkpoints_stand_in_one_table_under_their_names(finished: Path) -> None:
    rows = list(csv.DictReader((finished / "summary.csv").open()))
    assert {row["codec"] for row in rows} == NAMES
    overall = {row["codec"]: row for row in rows if row["domain"] == "all"}
    assert {row["n"] for row in overall.values()} == {"2"}
    assert len({overall[name]["mel_dac7"] for name in NAMES}) == len(NAMES)
    assert float(overall["C@1.5kbps"]["nominal_kbps"]) == 1.5
    coded = list(RunFolder.open(finished).read(Coded))
    assert {(r.codec, r.status) for r in coded} == {(name, "ok") for name in NAMES}


def test_a_run_resumes_from_another_folder_unless_a_checkpoint_has_changed(
    cli: Run, place: Path, finished: Path, tmp_path: Path
) -> None:
    from tests.support.codec_models import tiny_dac

    def digests(folder: Path) -> dict[tuple[str, str], str | None]:
        return {(r.codec, r.clip): r.decoded_sha256 for r in RunFolder.open(folder).read(Coded)}

    copy = tmp_path / "copy"  # as if it had been stopped after its first rows
    shutil.copytree(finished, copy)
    lines = (copy / "coded.jsonl").read_text().splitlines(keepends=True)
    (copy / "coded.jsonl").write_text("".join(lines[:3]))
    (copy / "scores.jsonl").unlink()
    path = place / "long.pth"
    before = path.read_bytes()
    try:
        tiny_dac(9).save(str(path), package=False)
        done = cli("run", "--resume", copy)
    finally:
        path.write_bytes(before)
    assert done.returncode == 2
    assert "the codecs or weights of" in done.stderr
    assert "are no longer the same" in done.stderr
    done = cli("run", "--resume", copy)  # in an empty folder, where no path is relative to
    assert done.returncode == 0, done.stderr
    assert digests(copy) == digests(finished)


def test_show_and_list(place: Path) -> None:
    shown = run_in(place, "show", "codec", "dac:runs/base@full")
    assert shown.returncode == 0, shown.stderr
    assert "FutureWarning" not in shown.stderr
    for text in ("dac-base@3kbps", "24000 Hz", "not known, or", "quantizer_dropout unknown",
                 "0.75*, 1.5*, 2.25*, 3", "latest/dac/weights.pth", "unknown"):  # fmt: skip
        assert text in shown.stdout
    listed = run_in(place, "list", "codecs").stdout
    for prefix in ("snac", "dac", "encodec"):
        assert f"{prefix}:PATH opens" in listed
