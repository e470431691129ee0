"""Which metric to believe: a run, or a data set on disk, beside what listeners said of it."""

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
from snacbench.stats.rank_agreement import Coefficient
from snacbench.tables.validity import BANDS, Validity, validity_of


def validity(
    run: Run | str | Path | None = None, ratings: str | Path | None = None, **options: Any
) -> "pd.DataFrame":
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

    Of a `run`; or with none, of the data set of a `map` in the folder `root`, which becomes one and
    is scored, ``out``, ``jobs``, ``weights``, ``asr`` and ``offline`` being fields of its request.
    `ratings` are a listening test's folder, its CSV or webMUSHRA's (`test` may be its folder), by
    default those in the run; `screening` applies the rules of BS.1534-3. `metrics` are by default
    all of the run, and of a data set the default ones.
    """
    asked = {name: value for name, value in asked.items() if value}
    wrong = ratings or not root if map else root or asked
    if wrong or (run is None) == (not map):
        raise UserError(
            "name a run, with --ratings that are not in it; or --map and --root of a data set, and "
            "how to score it"
        )
    told = normal({"metrics": metrics, **asked})
    if run is None:
        run = _rated_run(map, Path(root or ""), told, progress or Silent())
    run = run if isinstance(run, Run) else load(run)
    scores, notes = _read(run, Path(ratings) if ratings else None, test, screening=screening)
    how: dict[str, Any] = {"bands": bands, "coefficient": coefficient, "anchors": anchors}
    found = validity_of(run.rows_for(histograms=False), scores, metrics=told["metrics"], **how)
    return replace(found, notes=(*notes, *found.notes))


def _read(
    run: Run, ratings: Path | None, test: str | Path | None, *, screening: bool
) -> tuple[list[ListenerScore], list[str]]:
    """Ratings of a run, or from elsewhere, and what was left out of them."""
    if ratings is None:
        if scores := list(run.folder.read(ListenerScore)):
            return scores, []
        raise UserError(f"{run.path} has no ratings; name a listening test or CSV by --ratings")
    from snacbench.listening.read import read_source
    from snacbench.listening.screening import screen

    source = read_source(ratings, test_folder=Path(test) if test else None)
    if not source.study.ratings:
        raise UserError(f"{ratings} has answers to pairs, and no ratings")
    study, screened = screen(source.study, rules=screening)
    kept, of = set(screened.kept), study.clips
    out = [f"listener {one.listener} left out: {one.reason}" for one in screened.exclusions]
    return [
        ListenerScore(
            study.name, r.listener, r.item, of.get(r.item, ""), r.condition, r.score,
            r.listener in kept,
        )
        for r in study.ratings
    ], [*source.notes, *out]  # fmt: skip


def _rated_run(name: str, root: Path, told: dict[str, Any], shown: Progress) -> Path:
    """The run that a data set becomes, scored."""
    from snacbench.listening.rated_sets import read_rated_set
    from snacbench.runner.outside import score_rated
    from snacbench.testsets.testset import clip_of, make_set

    found = read_rated_set(name, root)
    for note in found.notes:
        shown.note(note, warning=True)
    clips = [
        clip_of(clip, path.resolve(), domain=domain, cluster=cluster or None)
        for clip, (path, domain, cluster) in found.clips.items()
    ]
    request = Request(data=str(root), outside=OutsideFiles(root, found.name), **told)
    of = (make_set(found.name, clips, origin=str(root)), found.codecs, found.decodes)
    return score_rated(request, *of, found.ratings, progress=shown).path
