"""The demonstration models that ship with snacbench: configuration, weights and model card."""

import json
import math
import struct
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from snacbench.models import HostedFile, WeightsSource

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
TRAINING_ONLY = ("cluster_size", "cluster_usage", "embed_avg", "inited", "initialized")


def folder(model: str) -> Path:
    """Folder of an embedded model inside the installed package."""
    return Path(str(files(__name__))) / model


def source(model: str) -> WeightsSource:
    """Where the files of an embedded model are."""
    files = (HostedFile(n, str(folder(model) / n)) for n in (CONFIG_FILE, WEIGHTS_FILE))
    return WeightsSource("embedded", "snacbench package", tuple(files))


@cache
def config(model: str) -> dict[str, Any]:
    """Configuration of an embedded model: architecture, rates, training."""
    loaded: dict[str, Any] = json.loads((folder(model) / CONFIG_FILE).read_text("utf-8"))
    return loaded


@cache
def params_m(model: str) -> float:
    """Parameters of an embedded model in millions, read off the header of its weights file.

    Running averages that only training needs do not count.
    """
    with (folder(model) / WEIGHTS_FILE).open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header: dict[str, Any] = json.loads(stream.read(length))
    header.pop("__metadata__", None)
    shapes = (v["shape"] for k, v in header.items() if not k.endswith(TRAINING_ONLY))
    return float(sum(math.prod(shape) for shape in shapes)) / 1e6
