"""Test sets: a folder, a manifest, or a named set, as lists of clips.

`open_test_set` is the one entry. Files that cannot be read stay in the set as `BrokenClip`, so
that they become ``failed`` rows and are not silently missing from a mean.
"""

from __future__ import annotations

from pathlib import Path

from snacbench.errors import TestSetError, did_you_mean
from snacbench.testsets.folder import folder_set
from snacbench.testsets.manifest import manifest_set
from snacbench.testsets.named import NAMED_SETS
from snacbench.testsets.testset import BrokenClip, TestSet
from snacbench.types import Domain

__all__ = ["NAMED_SETS", "BrokenClip", "TestSet", "open_test_set"]


def open_test_set(data: str, *, domain: Domain = "unknown") -> TestSet:
    """Open ``--data``: a named set, a manifest (.csv), or a folder of audio files.

    Parameters
    ----------
    data : str
    domain : str
        Domain of clips for which neither manifest nor folder names tell one.

    Raises
    ------
    TestSetError
        If there is no such set, or it holds no audio.
    """
    path = Path(data).expanduser()
    if data in NAMED_SETS:
        return NAMED_SETS[data].build()
    if path.is_dir():
        return folder_set(path, domain=domain)
    if path.is_file() and path.suffix.lower() == ".csv":
        return manifest_set(path, domain=domain)
    if path.is_file():
        raise TestSetError(
            f"--data {data} is a single file; expected a folder, a manifest (.csv) or one of "
            f"{', '.join(NAMED_SETS)}"
        )
    raise TestSetError(
        f"--data {data}: no such folder, manifest or named set; {did_you_mean(data, NAMED_SETS)}"
    )
