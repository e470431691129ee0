"""Making a report: everything that the page needs, into one folder, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snacbench import __version__
from snacbench.errors import StoreError
from snacbench.report.choose import chosen_clips
from snacbench.report.figures import write_figures
from snacbench.report.listening import listened
from snacbench.report.media import FOLDER, Shelf, write_media
from snacbench.report.notes import notes, provenance, troubles
from snacbench.report.pack import script_json
from snacbench.report.page import STATIC_FILES, html, write_static_files
from snacbench.report.preview import Preview, longest_within
from snacbench.report.scores import score_data
from snacbench.report.signals import Sources, playable, sources
from snacbench.report.summary import domain_tables
from snacbench.store.folder import RunFolder
from snacbench.tables.from_runs import summary_csv
from snacbench.tables.run_rows import ALL_DOMAINS, RunRows

INDEX = "index.html"
DEFAULT_CLIPS = 30

# A folder that can still be sent: of these 60 MB the pictures and scores take some 9.
_MOST_PREVIEW_BYTES = 49e6
_LEAST_PREVIEW_S = 5.0  # rather a larger folder than shorter previews


@dataclass(frozen=True)
class Request:
    """What a report is to hold: `clips` with players at most; warnings about the recordings."""

    lossless: bool = False
    clips: int = DEFAULT_CLIPS
    about_sources: Sequence[str] = ()


@dataclass(frozen=True)
class Report:
    """A report that was made: where it is, how large, and what it lacks."""

    index: Path
    num_clips: int
    num_bytes: int
    problems: tuple[str, ...]


def build(
    folder: RunFolder,
    target: Path,
    request: Request,
    *,
    begin: Callable[[int], None] = lambda _: None,
    step: Callable[[], None] = lambda: None,
) -> Report:
    """Write the report of a run into a new folder, or in place of an older report.

    Parameters
    ----------
    begin, step : callable
        Told how many clips are to be done, and that another one is.

    Raises
    ------
    StoreError
        If the folder holds something else, or cannot be written.
    """
    _check_free(target)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        (partial / FOLDER).mkdir(parents=True)
        num_clips, problems = _write(folder, partial, request, begin, step)
        if target.exists():
            shutil.rmtree(target)
        partial.replace(target)
    except OSError as error:
        raise StoreError(
            f"cannot write the report to {target} ({error.strerror or error}); choose another "
            "folder with -o, or free some space"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    return Report(target / INDEX, num_clips, size, tuple(problems))


def _check_free(target: Path) -> None:
    """Only an older report may be replaced."""
    if not target.exists():
        return
    if not target.is_dir():
        raise StoreError(f"{target} is a file; choose a folder for the report with -o")
    known = all((target / name).is_file() for name in (INDEX, *STATIC_FILES))
    if any(target.iterdir()) and not known:
        raise StoreError(
            f"{target} is not empty and holds no report; choose a new or empty folder with -o"
        )


def _write(
    folder: RunFolder,
    target: Path,
    request: Request,
    begin: Callable[[int], None],
    step: Callable[[], None],
) -> tuple[int, list[str]]:
    rows = RunRows.load(folder)
    found, chosen = clips_to_play(folder, rows, request)
    preview = _preview(rows, found, chosen, request)
    shelf = Shelf(folder, target, tuple(c.spec.name for c in rows.codecs), preview)
    figures, problems = write_figures(rows, target)
    begin(len(chosen))
    media = _write_all_media(shelf, [found[clip] for clip in chosen], step)
    beside = Beside(chosen, media, preview, figures)
    write_page(folder, rows, target, beside, about_sources=request.about_sources)
    return len(chosen), [*problems, *_problems(media)]


def clips_to_play(
    folder: RunFolder, rows: RunRows, request: Request
) -> tuple[dict[str, Sources], list[str]]:
    """Where the signals of all clips are, and the ids of those that get players."""
    found = sources(folder) if folder.has_decoded else {}
    candidates = [c.id for c in rows.clips if c.id in found and playable(folder, found[c.id])]
    return found, chosen_clips(rows, candidates, request.clips)


@dataclass(frozen=True)
class Beside:
    """The files beside the page: players of some clips, and figures."""

    clips: Sequence[str]
    media: Sequence[Mapping[str, Any]]
    preview: Preview
    figures: Sequence[Mapping[str, str]]


def write_page(
    folder: RunFolder,
    rows: RunRows,
    target: Path,
    beside: Beside,
    *,
    about_sources: Sequence[str] = (),
) -> None:
    """Write the page and its data: everything but players' files and figures."""
    data = score_data(rows, {clip: number for number, clip in enumerate(beside.clips)})
    data |= {"media": beside.media, "preview": beside.preview.label}
    (target / "data.js").write_text(f"snacbench.data({script_json(data)});\n", "utf-8")
    (target / "summary.csv").write_text(summary_csv([rows]), "utf-8")
    write_static_files(target)
    content = _content(folder, rows, about_sources) | {
        "clips": _clip_rows(rows, beside.clips, beside.media),
        "preview": beside.preview,
        "figures": beside.figures,
        "listening": listened(folder, rows, target),
    }
    (target / INDEX).write_text(html(content), "utf-8")


def _preview(
    rows: RunRows, found: Mapping[str, Sources], chosen: Sequence[str], request: Request
) -> Preview:
    """Whole clips if they fit into a folder that can be sent, else as much of each as does."""
    fits_s = longest_within(_MOST_PREVIEW_BYTES, len(chosen) * (len(rows.codecs) + 1))
    longest_s = max((c.clip.duration_s for c in map(found.get, chosen) if c and c.clip), default=0)
    if request.lossless or longest_s <= fits_s:
        return Preview(request.lossless, float("inf"))
    return Preview(request.lossless, max(fits_s, _LEAST_PREVIEW_S))


def _write_all_media(
    shelf: Shelf, clips: Sequence[Sources], step: Callable[[], None]
) -> list[dict[str, Any]]:
    """The players' files of all clips, in threads: what takes long here is in C."""

    def write(number: int, found: Sources) -> dict[str, Any]:
        written = write_media(shelf, number, found)
        step()
        return written

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(write, range(len(clips)), clips))


def _clip_rows(
    rows: RunRows, chosen: Sequence[str], media: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    domains = {clip.id: clip.domain for clip in rows.clips}
    return [
        {"number": number, "id": id_, "domain": domains[id_], **media[number]}
        for number, id_ in enumerate(chosen)
    ]


def _content(folder: RunFolder, rows: RunRows, about_sources: Sequence[str]) -> dict[str, Any]:
    tried = sum(len(codec.tried(ALL_DOMAINS)) for codec in rows.codecs)
    coded = sum(len(codec.ok(ALL_DOMAINS)) for codec in rows.codecs)
    return {
        "run": rows.run,
        "title": f"{rows.run.test_set}: {len(rows.codecs)} codecs on {len(rows.clips)} clips",
        "tiles": _tiles(rows, tried, coded),
        "tables": domain_tables(rows),
        "notes": notes(rows, about_sources=about_sources),
        "troubles": troubles(folder),
        "provenance": provenance(rows.run),
        "metrics": rows.metrics,
        "num_clips": len(rows.clips),
        "version": __version__,
    }


def _tiles(rows: RunRows, tried: int, coded: int) -> list[tuple[str, str]]:
    durations = [codec.coded["duration_s"][codec.ok(ALL_DOMAINS)].sum() for codec in rows.codecs]
    minutes = max(map(float, durations), default=0.0) / 60
    return [
        (f"{len(rows.clips):,}", "clips"),
        (f"{minutes:.1f}", "minutes of audio"),
        (f"{len({c.spec.model for c in rows.codecs})}", "models"),
        (f"{len(rows.codecs)}", "operating points"),
        (f"{len(rows.metrics)}", "metrics"),
        (f"{tried - coded:,}", "failed codings"),
    ]


def _problems(media: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(problem for one in media for problem in one["problems"]))
