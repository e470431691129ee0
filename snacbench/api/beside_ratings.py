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
from snacbench.rows import ListenerScore, ListeningSummary
from snacbench.stats.rank_agreement import Coefficient
from snacbench.tables.validity import BANDS, Validity, validity_of


def validity(
    run: Run | str | Path | None = None, ratings: str | Path | None = None, **options: Any
) -> "pd.DataFrame":
    """Rank correlation of every metric with listeners' mean ratings, as `compared` finds it.

    A line per group of cells (``all``, rate bands, codec families, domains), scope (``cells``,
    ``within items``, ``conditions``) and metric, the best first: ``value`` (1 is full agreement)
    from ``low`` to ``high``, ``behind`` the best, ``p_holm``, what it rests on; or a ``reason``.
    ``attrs["notes"]`` say what was left out.
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
    default those in the run (of the test of the name `test`); `screening` applies the rules of
    BS.1534-3, or leaves out whom these did. `metrics` are by default all of the run, and of a data
    set the default ones.
    """
    asked = {name: value for name, value in asked.items() if value}
    wrong = ratings or test or not root or not screening if map else root or asked
    if wrong or (run is None) == (not map):
        raise UserError(
            "name a run, with --ratings that are not in it, and --test and --no-screening of them; "
            "or --map and --root of a data set, and how to score it"
        )
    told, left_out = normal({"metrics": metrics, **asked}), tuple[str, ...]()
    if run is None:
        run, left_out = _rated_run(map, Path(root or ""), told, progress or Silent())
    run = run if isinstance(run, Run) else load(run)
    scores, notes = _read(run, Path(ratings) if ratings else None, test, screening=screening)
    how: dict[str, Any] = {"bands": bands, "coefficient": coefficient, "anchors": anchors}
    found = validity_of(run.rows_for(histograms=False), scores, metrics=told["metrics"], **how)
    return replace(found, notes=(*left_out, *notes, *found.notes))


def _read(
    run: Run, ratings: Path | None, test: str | Path | None, *, screening: bool
) -> tuple[list[ListenerScore], list[str]]:
    """Ratings of a run, or from elsewhere, and what was left out of them."""
    if ratings is None:
        named = str(test or "")
        scores = [row for row in run.folder.read(ListenerScore) if named in ("", row.test)]
        if not scores:
            what = f"no ratings{f' of the test {named!r}' if named else ''}"
            raise UserError(f"{run.path} has {what}; name a listening test or CSV by --ratings")
        made_up = {row.test: row.simulated for row in run.folder.read(ListeningSummary)}
        nobody = dict.fromkeys(row.test for row in scores if made_up.get(row.test))
        scores = [row if screening else replace(row, kept=True) for row in scores]
        return scores, [f"nobody listened to {name}: ratings are simulated" for name in nobody]
    from snacbench.listening.read import read_source
    from snacbench.listening.screening import screen

    source = read_source(ratings, test_folder=Path(test) if test else None)
    if not source.study.ratings:
        raise UserError(f"{ratings} has answers to pairs, and no ratings")
    study, screened = screen(source.study, rules=screening)
    out = [f"listener {one.listener} left out: {one.reason}" for one in screened.exclusions]
    return study.rows(set(screened.kept)), [*source.notes, *out]


def _rated_run(
    name: str, root: Path, told: dict[str, Any], shown: Progress
) -> tuple[Path, tuple[str, ...]]:
    """The run that a data set becomes, scored; and what was left out."""
    from snacbench.listening.rated_sets import read_rated_set
    from snacbench.runner.outside import score_rated
    from snacbench.testsets.testset import clip_of, make_set

    found = read_rated_set(name, root)
    clips = [
        clip_of(clip, path.resolve(), domain=domain, cluster=cluster or None)
        for clip, (path, domain, cluster) in found.clips.items()
    ]
    request = Request(data=str(root), outside=OutsideFiles(root, found.name), **told)
    made = make_set(found.name, clips, origin=str(root), notes=found.notes)
    of = found.codecs, found.decodes, found.ratings
    return score_rated(request, made, *of, progress=shown).path, found.notes
