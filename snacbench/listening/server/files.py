"""The page's own files: read once, served from a table, so that no request names a path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from snacbench.errors import UserError

_MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}
_ROOT = files("snacbench.listening") / "page"


@dataclass(frozen=True)
class PageFile:
    """Content and type of one file of the page."""

    content: bytes
    media_type: str


def page_files() -> Mapping[str, PageFile]:
    """All files of the page by their name under it, such as ``audio/player.js``."""
    return dict(_walk(_ROOT, ""))


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, PageFile]]:
    found: list[tuple[str, PageFile]] = []
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
            continue
        media_type = _MEDIA_TYPES.get(entry.name.rpartition(".")[2])
        if media_type:
            found.append((prefix + entry.name, PageFile(entry.read_bytes(), media_type)))
    return found


def texts(language: str) -> dict[str, Any]:
    """The page's texts in a language.

    Raises
    ------
    UserError
        If there are none.
    """
    folder = _ROOT / "texts"
    known = sorted(e.name.removesuffix(".json") for e in folder.iterdir() if ".json" in e.name)
    if language not in known:
        raise UserError(
            f"the page has no texts in {language!r}; there are: {', '.join(known)}; "
            "change the field language of test.yaml"
        )
    read: dict[str, Any] = json.loads((folder / f"{language}.json").read_text("utf-8"))
    return read
