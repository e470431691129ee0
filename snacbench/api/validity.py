"""Which metric to believe: a run, or a data set on disk, beside what listeners said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from snacbench.api.run import Run, load, normal
from snacbench.errors import UserError
from snacbench.later import pd
from snacbench.progress import Progress, Silent
from snacbench.request import OutsideFiles, Request
from snacbench.rows import ListenerScore
from snacbench.stats.validity import Coefficient
from snacbench.tables.validity import BANDS, Validity, validity_of


def validity(
    run: Run | str | Path | None = None, ratings: str | Path | None = None, **options: Any
) -> pd.DataFrame:
    """Rank correlation of every metric with listeners' mean ratings, as `compared` finds it.

    A line per group of cells (``all``, rate bands, codec families, domains), scope (``cells``,
    ``within items``, ``conditions``) and metric, the best first: ``value`` (1 is full agreement)
    from ``low`` to ``high``, ``behind`` the best, ``p_holm``, what it rests on; or a ``reason``.
    """
    return compared(run, ratings, **options).frame()


def compared(  # noqa: PLR0913 - keyword-only options of one analysis
    run: Run | str | Path | None = None,
    ratings: str | Path | None = None,
    *,
    test: str | Path | None = None,
    screening: bool = True,
    map: str = "",
    root: str | Path | None = None,
    metrics: str | Sequence[str] = (),
    bands: str = BANDS,
    coefficient: Coefficient = "spearman",
    anchors: bool = False,
    progress: Progress | None = None,
    **asked: Any,
) -> Validity:
    """Compare metrics with ratings, as `tables.validity.validity_of` does.

    Parameters
    ----------
    run : Run, str or Path
        A run; with none, the data set of a `map` in the folder `root` becomes one, and is scored.
    ratings : str or Path
        A listening test's folder, its CSV or webMUSHRA's (then `test` may be its folder), screened
        by the rules of BS.1534-3 where `screening` says so; by default those in the run.
    metrics : str or sequence of str
        Names; by default all of the run, and of a data set the default ones.
    **asked
        Fields of the data set's `Request`: ``out``, ``jobs``, ``weights``, ``asr``, ``offline``.
    """
    asked = {name: value for name, value in asked.items() if value}
    if (
        (run is None) == (not map)
        or (not map and (root or asked))
        or (map and not root)
        or (ratings and map)
    ):
        raise UserError(
            "name a run, with --ratings that are not in it; or --map and --root of a data set, and "
            "how to score it"
        )
    told = normal({"metrics": metrics, **asked})
    folder = _rated_run(map, Path(root), told, progress) if map and root else _folder(run)
    rows, notes = load(folder).rows_for(histograms=False), list[str]()
    if ratings is None:
        scores = list(load(folder).folder.read(ListenerScore))
        if not scores:
            raise UserError(f"{folder} has no ratings; name a listening test or CSV by --ratings")
    else:
        from snacbench.forms import FORMS
        from snacbench.listening.read import read_source
        from snacbench.listening.screening import screen

        source = read_source(Path(ratings), test_folder=Path(test) if test else None)
        if not FORMS[source.study.form].rates:
            raise UserError(f"{ratings} has answers to pairs, and no ratings")
        study, screened = screen(source.study, rules=screening)
        kept, of = set(screened.kept), source.study.clips
        scores = [
            ListenerScore(study.name, r.listener, r.item, of.get(r.item, ""), r.condition, r.score)
            for r in study.ratings
            if r.listener in kept
        ]
        notes += source.notes
        notes += [f"listener {one.listener} left out: {one.reason}" for one in screened.exclusions]
    how: dict[str, Any] = {"bands": bands, "coefficient": coefficient, "anchors": anchors}
    found = validity_of(rows, scores, metrics=told["metrics"], **how)
    return replace(found, notes=(*notes, *found.notes))


def _folder(run: Run | str | Path | None) -> Path:
    return run.path if isinstance(run, Run) else Path(run or "")


def _rated_run(name: str, root: Path, told: dict[str, Any], progress: Progress | None) -> Path:
    from snacbench.listening.rated_sets import read_rated_set
    from snacbench.runner.outside import score_rated
    from snacbench.testsets.testset import clip_of, make_set

    found = read_rated_set(name, root)
    shown = progress or Silent()
    for note in found.notes:
        shown.note(note, warning=True)
    clips = [
        clip_of(clip, path.resolve(), domain=domain, cluster=cluster or None)
        for clip, (path, domain, cluster) in found.clips.items()
    ]
    request = Request(data=str(root), outside=OutsideFiles(root, found.name), **told)
    of = (make_set(found.name, clips, origin=str(root)), found.codecs, found.decodes)
    return score_rated(request, *of, found.ratings, progress=shown).path
