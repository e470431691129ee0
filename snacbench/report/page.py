"""The page itself: one HTML file from a template, every name in it escaped."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from snacbench.report import spectra

STATIC_FILES = ("report.css", "report.js", "player.js")
_FILES = "snacbench.report", "files"


def html(content: Mapping[str, Any]) -> str:
    """The page; what the template names and `content` lacks is an error, not a blank."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(*_FILES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("index.html").render(
        {
            **content,
            "level_gradient": spectra.gradient("magma"),
            "change_gradient": spectra.gradient("RdBu_r"),
            "range_db": f"{spectra.RANGE_DB:g}",
            "change_db": f"{spectra.CHANGE_DB:g}",
            "picture_size": (spectra.WIDTH, spectra.HEIGHT),
        }
    )


def write_static_files(target: Path) -> None:
    """Style sheet and scripts, as they are in this package."""
    for name in STATIC_FILES:
        text = resources.files(_FILES[0]).joinpath(_FILES[1], name).read_text("utf-8")
        (target / name).write_text(text, "utf-8")
