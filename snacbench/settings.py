"""What a user sets once: where corpora lie on this disk, and where snacbench keeps things.

The configuration file (``~/.config/snacbench/config.toml``, or ``$SNACBENCH_CONFIG``)::

    asr = "whisper-large-v3"  # hears the words for word error rates; --asr overrides it

    [roots]
    daps = "/data/daps"
    musdb18-hq = "/data/musdb18hq"
"""

import functools
import os
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import platformdirs

from snacbench.errors import UserError

ASR_VARIABLE = "SNACBENCH_ASR"
NUMBA_VARIABLE, MATPLOTLIB_VARIABLE = "NUMBA_CACHE_DIR", "MPLCONFIGDIR"


@dataclass(frozen=True)
class Settings:
    """The user's settings; an unknown key of the file is a mistake, not a wish."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    roots: dict[str, Path] = field(default_factory=dict)  # of each corpus that is on this disk
    asr: str = ""  # selector of the speech recogniser; empty: none is chosen


def config_file() -> Path:
    """Where the configuration file is looked for."""
    return _folder("SNACBENCH_CONFIG", platformdirs.user_config_path("snacbench") / "config.toml")


def cache_folder() -> Path:
    """Where downloads go: what is in it can be fetched again."""
    return _folder("SNACBENCH_CACHE", platformdirs.user_cache_path("snacbench"))


def state_folder() -> Path:
    """Where records are kept that cannot be made again: digests as first seen."""
    return _folder("SNACBENCH_STATE", platformdirs.user_state_path("snacbench"))


def is_writable(folder: Path) -> bool:
    """Whether this user may write to a folder, or make it if it is not there."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def cache_warning() -> str:
    """What it means that the cache folder may not be written; empty if it may."""
    if is_writable(cache_folder()):
        return ""
    return (
        f"the cache folder {cache_folder()} may not be written, so nothing new is kept in it: "
        "downloads fail, and recordings are measured again next time; name another by "
        "SNACBENCH_CACHE"
    )


def let_libraries_cache() -> None:
    """Name folders that numba and matplotlib may write, for this process and its workers.

    numba raises at every function that it is to keep where neither its package nor the home folder
    can be written. It reads the name when it is imported. What the user has set stands. Raises
    `UserError` if not even a temporary folder can be had.
    """
    theirs = (platformdirs.user_config_path(), platformdirs.user_cache_path())
    usual = all(is_writable(_absolute(folder) / "matplotlib") for folder in theirs)
    for variable, library in ((NUMBA_VARIABLE, "numba"), (MATPLOTLIB_VARIABLE, "matplotlib")):
        if not os.environ.get(variable) and not (library == "matplotlib" and usual):
            ours = cache_folder() / library
            os.environ[variable] = str(ours if is_writable(ours) else _temporary().name)


@functools.cache
def _temporary() -> TemporaryDirectory[str]:
    """A folder of this process, gone with it."""
    try:
        return TemporaryDirectory(prefix="snacbench-", ignore_cleanup_errors=True)
    except OSError as error:
        raise UserError(
            f"there is no folder for temporary files ({error.strerror or error}); name one that "
            "can be written by TMPDIR"
        ) from error


def settings() -> Settings:
    """The user's settings; empty if there is no configuration file.

    Raises `UserError` if the file cannot be read or holds something that is no setting.
    """
    path = config_file()
    if not path.exists():
        return Settings()
    import tomllib  # here: verbs that only list have no file

    from pydantic import TypeAdapter, ValidationError

    try:
        read = TypeAdapter(Settings).validate_python(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"cannot read the configuration file {path} ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{path}: {place}: {first['msg']}; expected a table [roots] of corpus = folder, and "
            'asr = "NAME"'
        ) from error
    roots = {name: root.expanduser() for name, root in read.roots.items()}
    return Settings(roots=roots, asr=read.asr)


def asr_selector() -> str:
    """Which speech recogniser the user has set, by the environment or the file; empty for none."""
    return os.environ.get(ASR_VARIABLE) or settings().asr


def _absolute(folder: Path) -> Path:
    """A user's folder; of a user without a home, whose path begins with ``~``, one below ``/``."""
    return folder if folder.is_absolute() else Path("/", *folder.parts[1:])


def _folder(variable: str, usual: Path) -> Path:
    text = os.environ.get(variable)
    return Path(text).expanduser() if text else _absolute(usual)
