import re

import pytest

from snacbench.errors import StoreError, UnknownName, UserError
from snacbench.rate.coding.coders import ENTROPY_CODERS
from snacbench.rate.coding.trained import read_tables
from snacbench.rows import CodedBytes
from tests.support.command_line import call
from tests.support.kept_runs import kept_run


@pytest.fixture
def run(tmp_path):
    return kept_run(tmp_path / "run")


def line_of(output, *cells):
    """The cells of the one line of the table that begins so."""
    pattern = r"^" + r" +".join(map(re.escape, cells)) + r" {2,}"
    (line,) = [line for line in output.splitlines() if re.match(pattern, line)]
    return re.split(r" {2,}", line.strip())


def test_every_coder_is_weighed_and_its_rows_are_kept(run):
    shown = call("entropy", run.path).output
    rows = list(run.read(CodedBytes))
    expected = {(f"tiny/00{n}", name) for n in range(8) for name in ENTROPY_CODERS}
    assert {(row.clip, row.coder) for row in rows} == expected
    context = line_of(shown, "toy@1kbps", "context")
    assert context[2] == "0.375"
    # 8 clips of 4 s with 9 parts of 300 codes at 5 bit and 4 bytes of side information.
    assert context[3] == f"{9 * (1500 + 32) / 32 / 1000:.3f}"
    written = sum(sum(row.stream_bytes) for row in rows if row.coder == "context") * 8
    assert context[4] == f"{(written + 9 * 32) / 32 / 1000:.3f}"
    assert float(context[7].rstrip("%")) > 5


def test_tables_are_saved_for_both_halves_of_some_codecs(tmp_path):
    run = kept_run(tmp_path / "run", codecs=("toy@1kbps", "other@1kbps"), count=4)
    folder = tmp_path / "new" / "tables"
    call("entropy", run.path, "--codecs", "toy@*", "--coders", "static", "--save-tables", folder)
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == ["toy@1kbps.half1.npz", "toy@1kbps.half2.npz"]
    used = {(row.codec, row.tables_sha256) for row in run.read(CodedBytes)}
    assert {("toy@1kbps", read_tables(file).sha256) for file in files} == used


def test_what_is_refused(run, tmp_path):
    one = kept_run(tmp_path / "one", speakers=1)
    for arguments, error, message in (
        ((run.path, "--coders", "statik"), UnknownName, "coder 'statik'; did you mean static"),
        ((run.path, "--coders", ","), UnknownName, "no entropy coder ''; there are: static, adap"),
        ((run.path, "--codecs", "dac"), UnknownName, "no codec named 'dac'; there are: toy@1kbps"),
        ((tmp_path,), StoreError, "holds no run"),
        ((one.path,), UserError, "needs clips of 2 speakers or tracks or more, found 1"),
    ):
        with pytest.raises(error, match=message):
            call("entropy", *arguments)
    with run.locked(), pytest.raises(StoreError, match="another snacbench is writing"):
        call("entropy", run.path)
