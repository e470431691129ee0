from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, field_validator

from snacbench.errors import UserError
from snacbench.yamlfile import read_yaml


class Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int
    colour: str = "green"

    @field_validator("size")
    @classmethod
    def _even(cls, size: int) -> int:
        if size % 2:
            raise ValueError("sizes are even")
        return size


class Branch(BaseModel):
    model_config = ConfigDict(extra="forbid")
    leaves: tuple[Leaf, ...] = ()
    best: Leaf | None = None


class Tree(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    branches: list[Branch] = []
    by_name: dict[str, int] = {}


GOOD = """\
# a tree
name: oak
branches:
  - leaves:
      - {size: 2}
      - size: 4
        colour: red
  - best:
      size: 6
"""


def reading(folder: Path, content: str | bytes) -> Any:
    path = folder / "tree.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_yaml(path, Tree, noun="tree", docs="docs/trees.md")


def test_a_file_and_its_digest(tmp_path: Path) -> None:
    read = reading(tmp_path, GOOD)
    assert read.content.branches[0].leaves[1].colour == "red"
    assert read.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    with pytest.raises(UserError, match=r"cannot read the tree .*tree.yaml \(.*utf-8"):
        reading(tmp_path, b"name: \xff")
    with pytest.raises(UserError, match=r"cannot read the tree .*gone.yaml"):
        read_yaml(tmp_path / "gone.yaml", Tree, noun="tree", docs="docs/trees.md")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: oak", "nam: oak", "line 2: nam: no such field; did you mean name"),
        ("name: oak\n", "", "line 2: name is missing; see docs/trees.md"),
        ("        colour: red", "        color: red",
         "line 7: branches: entry 1: leaves: entry 2: color: no such field; did you mean colour"),
        ("      size: 6", "      colour: red",
         "line 8: branches: entry 2: best: size is missing"),
        ("      - size: 4", "      - size: 5",
         "line 6: branches: entry 1: leaves: entry 2: size: sizes are even$"),
        ("      size: 6", "      size: 6\n      size: 8",
         "line 10: size is there twice, first in line 9"),
        ("name: oak", "name: oak\nby_name: {a: x}", "line 3: by_name: a: .*integer.*found 'x'"),
        ("name: oak", "name: {oak", "line 3: not YAML: expected"),
        (GOOD, "", "line 1: expected fields and values .* found ''; see docs/trees.md"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_line_and_the_way_to_the_field(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in GOOD
    with pytest.raises(UserError, match=f"tree.yaml, {message}"):
        reading(tmp_path, GOOD.replace(old, new))
