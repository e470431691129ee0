"""The committed reference runs: small, without traces of a machine, and tabulated without torch."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import snacbench as sb
from snacbench.errors import UserError
from snacbench.store.run_folder import RunFolder
from snacbench.tables.from_runs import summary_markdown
from snacbench.tables.ladder import ladder_of
from snacbench.tables.run_rows import RunRows
from snacbench.tables.side_by_side import entries_of
from tools import make_results

RUNS = sorted(p.parent for p in make_results.RESULTS.glob("*/run.json"))
BLOCKED = ("torch", "torchaudio", "snac", "dac", "audiotools", "encodec", "visqol", "pesq",
           "pystoi", "av", "ai_edge_litert", "transformers")  # fmt: skip


def test_tables_are_drawn_where_torch_cannot_be_imported() -> None:
    program = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {BLOCKED!r}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from snacbench.cli.main import main\n"
        "sys.argv = ['snacbench', 'table', *sys.argv[1:], '--format', 'markdown']\n"
        "main()\n"
    )
    command = [sys.executable, "-c", program, *map(str, RUNS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert {"quick", "debian-speech", "debian-music"} <= {run.name for run in RUNS}
    for run in RUNS:
        assert all(spec.name in done.stdout for spec in RunFolder.open(run).run.codecs)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_they_are_small_name_no_machine_and_histograms_alone_give_what_the_summary_has(run):
    assert sum(path.stat().st_size for path in run.iterdir()) < make_results.MOST_BYTES
    assert not list(make_results.revealing(run))
    assert not (run / "decoded").exists()
    rows = RunRows.load(RunFolder.open(run))
    assert (run / "summary.md").read_text("utf-8") == summary_markdown([rows])
    found = [ladder_of(one, "all") for one in entries_of([rows]) if one.columns.spec.streams]
    assert found
    for one in found:
        assert one.record["bitrate_efficiency_percent"] / 100 <= one.efficiency.mean <= 1
        if one.held_out_kbps is not None:  # there is a second speaker or track
            assert one.entropy.low <= one.held_out_kbps


def test_without_their_decodes_nothing_is_scored_and_nothing_written(tmp_path: Path) -> None:
    copy = shutil.copytree(make_results.RESULTS / "quick", tmp_path / "quick")
    before = {path: path.read_bytes() for path in copy.iterdir()}
    with pytest.raises(UserError, match=r"there is no decoded audio in .*quick: nothing can be"):
        sb.load(copy).score("lsd")
    assert {path: path.read_bytes() for path in copy.iterdir()} == before
