"""What a user sets once: where corpora lie on this disk, and where snacbench keeps things.

The configuration file (``~/.config/snacbench/config.toml``, or ``$SNACBENCH_CONFIG``)::

    asr = "whisper-large-v3"  # hears the words for word error rates; --asr overrides it

    [roots]
    daps = "/data/daps"
    musdb18-hq = "/data/musdb18hq"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from snacbench.errors import UserError

ASR_VARIABLE = "SNACBENCH_ASR"


class _File(BaseModel):
    """The configuration file as it is written; an unknown key is a mistake, not a wish."""

    model_config = ConfigDict(extra="forbid")

    roots: dict[str, Path] = {}
    asr: str = ""


@dataclass(frozen=True)
class Settings:
    """The user's settings.

    Attributes
    ----------
    roots : mapping of str to Path
        The folder of each corpus that is on this disk.
    asr : str
        Selector of the speech recogniser; empty: none is chosen.
    """

    roots: Mapping[str, Path] = field(default_factory=dict)
    asr: str = ""


def config_file() -> Path:
    """Where the configuration file is looked for."""
    return _from_environment("SNACBENCH_CONFIG") or (
        platformdirs.user_config_path("snacbench") / "config.toml"
    )


def cache_folder() -> Path:
    """Where downloads go: what is in it can be fetched again."""
    return _from_environment("SNACBENCH_CACHE") or platformdirs.user_cache_path("snacbench")


def state_folder() -> Path:
    """Where records are kept that cannot be made again: digests as first seen."""
    return _from_environment("SNACBENCH_STATE") or platformdirs.user_state_path("snacbench")


def settings() -> Settings:
    """The user's settings; empty if there is no configuration file.

    Raises
    ------
    UserError
        If the file cannot be read or holds something that is no setting.
    """
    path = config_file()
    try:
        read = _File.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"cannot read the configuration file {path} ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{path}: {place}: {first['msg']}; expected a table [roots] of corpus = folder, and "
            'asr = "NAME"'
        ) from error
    return Settings({name: root.expanduser() for name, root in read.roots.items()}, read.asr)


def asr_selector() -> str:
    """Which speech recogniser is to be used; empty if nobody has chosen one.

    The environment comes first, because ``--asr`` reaches worker processes through it.
    """
    return os.environ.get(ASR_VARIABLE) or settings().asr


def _from_environment(variable: str) -> Path | None:
    text = os.environ.get(variable)
    return Path(text).expanduser() if text else None
