"""Runs as files to hand over: written, checked, and scores of them computed again."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from snacbench import __version__, rows
from snacbench.api.run import Run
from snacbench.files import sha256_of_file
from snacbench.recipes import shipped_recipes
from snacbench.runner.recompute import Recomputed, recompute
from snacbench.store.bundle import Bundle, open_bundle, write_bundle
from snacbench.store.consistency import Consistency, Finding
from snacbench.store.run_folder import RunFolder
from snacbench.tables.from_runs import summary_csv
from snacbench.tables.run_rows import RunRows

_SUMMARY, _CLOSE = "summary.csv", 1e-6  # of its numbers, relative


@dataclass
class Verified:
    """What came of checking a bundle: it is `ok` where nothing was `found`.

    `checked` and `unchecked` are sentences on what was looked at and what was not; `again` is what
    came of scores that were computed again.
    """

    id: str
    run: rows.Run | None = None
    found: list[Finding] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    again: Recomputed | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.found


def export(run: Run, path: Path, *, partial: bool) -> Bundle:
    """What `Run.export` does."""
    made, followed = run.folder.run, run.request.from_recipe
    pinned = [f"# What computed the run {made.id}: pip install -c constraints.txt snacbench"]
    for name, version in made.packages.items():
        plain = re.fullmatch(r"(\d[\w.]*)(\+[\w.]+)?", version)  # without the kind of its build
        pinned.append(
            f"{name}=={plain[1]}" if plain and name != "python" else f"# {name} {version}"
        )
    texts = {"constraints.txt": "\n".join(pinned) + "\n", _SUMMARY: summary_csv([run.rows])}
    source = shipped_recipes().get(followed.name) if followed else None
    if followed and source and sha256_of_file(source) == followed.sha256:
        texts["recipe.yaml"] = source.read_text("utf-8")
    return write_bundle(run.folder, path, texts, partial=partial)


def verify(path: str | Path, *, id: str = "", scores: int = 0, **how: Any) -> Verified:
    """Check a bundle that `Run.export` wrote, and compute so many of its `scores` again.

    `id` is the one that was published with it, or its beginning: any other is refused. `how` are
    options of `runner.recompute`: ``data``, ``root`` and ``weights`` where the run's own are
    elsewhere, ``seed``, ``jobs``, ``progress``. Raises `StoreError` if there is no such file.
    """
    with TemporaryDirectory(prefix="snacbench-") as temporary:
        opened = open_bundle(Path(path), Path(temporary))
        folder, told = opened.folder, Verified(opened.id, found=opened.found)
        if not opened.id.startswith(id.lower()):
            told.found.append(Finding(Path(path).name, f"its id is {opened.id}, not {id}"))
        if not id:
            told.unchecked.append("whether it is the file that was published: give its --id")
        if folder is None:
            return told
        said, told.run, n = Consistency(folder), folder.run, sum(opened.same.values())
        told.checked.append(f"{len(opened.same)} files, {n} lines are as they were written")
        told.found += said.found + (said.missing if len(said.missing) != opened.missing else [])
        if opened.missing:
            told.unchecked.append(f"partial: {opened.missing} codings and scores are missing")
        counts = (f"{n} {name.removesuffix('.jsonl')}" for name, n in said.counts.items())
        told.checked.append(f"they are rows of one run: {', '.join(counts)}")
        if told.found:
            return told
        if opened.version == __version__:
            told.found += _summary(folder)
            told.checked.append(f"{_SUMMARY} follows from them")
        else:
            told.unchecked.append(f"{_SUMMARY}, which snacbench {opened.version} wrote")
        if scores:
            told.again = recompute(folder, scores, **how)
            told.found += told.again.found
        else:
            told.unchecked.append("whether the codecs give these numbers: --recompute N")
        return told


def _summary(folder: RunFolder) -> Iterator[Finding]:
    """Cells of the summary that do not follow from the rows."""
    text, made = (folder.path / _SUMMARY).read_text("utf-8"), summary_csv([RunRows.load(folder)])
    lines = (list(csv.DictReader(each.splitlines())) for each in (text, made))
    for line, (then, now) in enumerate(zip_longest(*lines, fillvalue={}), start=2):
        for name in {**then, **now}:
            one, other = then.get(name, ""), now.get(name, "")
            try:
                same = one == other or math.isclose(float(one), float(other), rel_tol=_CLOSE)
            except ValueError:
                same = False
            if not same:
                text = f"{name} of {now.get('codec')}: {one!r}, the rows give {other!r}"
                yield Finding(_SUMMARY, text, line)
