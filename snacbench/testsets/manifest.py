"""A manifest: a CSV file that names audio files and what is known of them.

Columns: ``path`` (relative to the manifest; the only required one), ``id``, ``domain``,
``transcript``, ``speaker``, ``track``, ``licence``, ``lossy_source``, ``sha256``. Others are
ignored, rates and durations too: those are read from the files.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from snacbench.errors import TestSetError
from snacbench.testsets.folder import transcript_beside
from snacbench.testsets.testset import BrokenClip, TestSet, make_clip, make_set
from snacbench.types import DOMAINS, Clip, Domain

_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}


def manifest_set(manifest: Path, *, domain: Domain = "unknown", name: str | None = None) -> TestSet:
    """The clips that a manifest lists.

    A file that is missing, unreadable, or differs from the digest in the manifest is kept as
    broken.

    Raises
    ------
    TestSetError
        If the manifest is no CSV table with a column ``path``, is empty, or a row names an
        unknown domain.
    """
    name = name or manifest.resolve().parent.name
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            columns = list(reader.fieldnames or [])
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TestSetError(f"cannot read the manifest {manifest} ({error})") from error
    if "path" not in columns:
        raise TestSetError(
            f"{manifest} has no column 'path'; found {', '.join(columns) or 'nothing'}; the "
            "columns are described in docs/test-sets.md"
        )
    clips = (_clip(row, manifest, name, domain, line) for line, row in rows)
    return make_set(name, clips, origin=str(manifest))


def _clip(
    row: Mapping[str, str | None], manifest: Path, name: str, domain: Domain, line: int
) -> Clip | BrokenClip:
    def cell(column: str) -> str | None:
        return (row.get(column) or "").strip() or None

    relative = cell("path")
    if relative is None:
        raise TestSetError(f"{manifest} line {line}: the cell 'path' is empty")
    stated = cell("domain") or domain
    if stated not in DOMAINS:
        raise TestSetError(
            f"{manifest} line {line}: unknown domain {stated!r}; expected {', '.join(DOMAINS)}"
        )
    listed = PurePosixPath(relative)
    path = manifest.parent / relative
    clip = make_clip(
        f"{name}/{cell('id') or str(listed).removesuffix(listed.suffix)}",
        path.resolve(),
        domain=stated,
        transcript=cell("transcript") or transcript_beside(path),
        cluster=cell("speaker") or cell("track"),
        licence=cell("licence"),
        lossy_source=_flag(cell("lossy_source")),
    )
    return _checked(clip, cell("sha256"))


def _checked(clip: Clip | BrokenClip, expected: str | None) -> Clip | BrokenClip:
    if isinstance(clip, BrokenClip) or expected is None or clip.sha256 == expected.lower():
        return clip
    reason = (
        f"{clip.path} has sha256 {clip.sha256[:12]}..., the manifest says {expected[:12]}...; "
        "fetch the file again or correct the manifest"
    )
    return BrokenClip(clip.id, clip.path, reason, clip.domain)


def _flag(text: str | None) -> bool | None:
    lowered = (text or "").lower()
    return True if lowered in _TRUE else False if lowered in _FALSE else None
