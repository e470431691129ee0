"""Runs as files to hand over: written, checked, and scores of them computed again."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from snacbench.api.run import Run
from snacbench.files import sha256_of_file
from snacbench.recipes import shipped_recipes
from snacbench.store.bundle import ABOUT, Bundle, open_bundle, write_bundle
from snacbench.store.consistency import Consistency, Finding
from snacbench.store.run_folder import ROW_FILES, RUN_FILE
from snacbench.testsets.testset import counted, some_of

_PINNED, _RECIPE = "constraints.txt", "recipe.yaml"


def export(run: Run, path: Path, *, partial: bool) -> Bundle:
    """What `Run.export` does."""
    made, followed = run.folder.run, run.request.from_recipe
    pinned = [f"# What computed the run {made.id}: pip install -c constraints.txt snacbench"]
    for name, version in made.packages.items():
        plain = re.fullmatch(r"(\d[\w.]*)(\+[\w.]+)?", version)  # without the kind of its build
        pinned += [f"{name}=={plain[1]}" if plain and name != "python" else f"# {name} {version}"]
    texts = {_PINNED: "\n".join(pinned) + "\n"}
    source = shipped_recipes().get(followed.name) if followed else None
    if followed and source and sha256_of_file(source) == followed.sha256:
        texts[_RECIPE] = source.read_text("utf-8")
    return write_bundle(run.folder, path, texts, partial=partial)


def verify(path: str | Path, *, id: str = "", scores: int = 0, **how: Any) -> Bundle:
    """Check a bundle that `Run.export` wrote, and compute so many of its `scores` again.

    `id` is the one that was published with it, or its beginning: any other is refused. `how` are
    options of `runner.recompute`: ``data``, ``root`` and ``weights`` where the run's own are
    elsewhere, ``seed``, ``jobs``, ``progress``. Where none of the scores could be computed, the
    bundle is not `ok`. Raises `StoreError` if there is no such file.
    """
    with TemporaryDirectory(prefix="snacbench-") as temporary:
        told = open_bundle(Path(path), Path(temporary))
        if not told.id.startswith(id.lower()):
            told.found.append(Finding(told.path.name, f"its id is {told.id}, not {id}"))
        unchecked = [] if id else ["whether it is the file that was published: give its --id"]
        if folder := told.folder:
            said, run, lines = Consistency(folder), folder.run, sum(told.same.values())
            told.found += said.found
            if (missing := len(said.missing)) != told.missing:
                text = f"it says that {told.missing} codings and scores are missing, not {missing}"
                told.found += [Finding(ABOUT, text), *said.missing]
            known = {*ROW_FILES.values(), RUN_FILE, ABOUT, _PINNED, _RECIPE, *said.embeddings}
            strange = sorted(told.same.keys() - known)
            told.found += [Finding(name, "no row of the run needs this file") for name in strange]
            counts = (f"{n} {name.removesuffix('.jsonl')}" for name, n in said.counts.items())
            told.facts["run"] = f"{run.id} of {run.started_utc} on {run.test_set}"
            files = counted(len(told.same), "file")
            told.facts["as written"] = f"{files}, {counted(lines, 'line')}"
            told.facts["of one run"] = ", ".join(counts)
            if told.missing:
                lacks = counted(told.missing, "row")
                unchecked.append(f"partial: it lacks {lacks} of codings and scores")
            if told.ok and scores:
                from snacbench.runner.recompute import recompute

                recompute(told, scores, **how)
                for why, of in told.left.items():
                    parts = f"{counted(len(of), 'score')} not computed again", why, some_of(of)
                    unchecked.append(": ".join(filter(None, parts)))
            else:
                unchecked.append("whether the codecs give these numbers: --recompute N")
        told.facts["not checked"] = "\n".join(unchecked)
    return told
