"""The examples of docs/python.md, run one after another as a reader would."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "python.md"


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 5
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        quick = block.replace("limit=1,", "limit=1, segment_s=2.0, jobs=1, speed_budget_s=0,")
        exec(compile(quick, f"{PAGE.name}, example {number + 1}", "exec"), names)
    assert (tmp_path / "runs" / "today" / "run.json").is_file()
    assert (tmp_path / "report" / "index.html").is_file()
    assert (tmp_path / "quality.pdf").stat().st_size > 1000
    assert str(names["text"]).startswith("%") or "tabular" in str(names["text"])
    assert names["found"].passed  # type: ignore[attr-defined]
