"""The programs and data files that render speech and music, and how to get them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
SLT_VOICE = Path("/usr/share/festival/voices/us/cmu_us_slt_arctic_hts")

#: Program on the path, or file -> the Debian package that holds it.
REQUIRED: Mapping[str, str] = {
    "flite": "flite",
    "text2wave": "festival",
    "espeak-ng": "espeak-ng",
    "fluidsynth": "fluidsynth",
    str(SLT_VOICE): "festvox-us-slt-hts",
    str(SOUNDFONT): "fluid-soundfont-gm",
}


class RenderError(RuntimeError):
    """A renderer is missing or did not do what was asked."""


def check_installed(required: Mapping[str, str] = REQUIRED) -> None:
    """Make sure that every renderer is there before an hour's work begins.

    Raises
    ------
    RenderError
        Naming all that is missing and the one command that installs it.
    """
    missing = {
        thing: package
        for thing, package in required.items()
        if not (Path(thing).exists() if thing.startswith("/") else shutil.which(thing))
    }
    if missing:
        raise RenderError(
            f"not found: {', '.join(missing)}; install them with "
            f"'apt-get install --no-install-recommends {' '.join(sorted(set(missing.values())))}'"
        )


def run(command: Sequence[str], *, text: str | None = None) -> None:
    """Run a renderer, with `text` on its standard input.

    Raises
    ------
    RenderError
        With the end of the program's error output if it fails.
    """
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RenderError(
            f"'{' '.join(command)}' ended with status {done.returncode}; it said: "
            f"{done.stderr.strip()[-300:] or 'nothing'}; run it by hand to see why"
        )
