"""Finding what modules of this package, plug-ins of others and files of one's own declare."""

import hashlib
import importlib
import pkgutil
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar, get_args

from snacbench import __version__
from snacbench.errors import SnacbenchError, UnknownName, UserError, did_you_mean
from snacbench.models import (
    CodecFamily,
    CodecModel,
    CodecOpener,
    HostedFile,
    LocatedWeights,
    MetricModel,
    WeightsSource,
)
from snacbench.types import Codec, CodecSpec, Distance, Metric

Kind = Literal["codecs", "metrics", "corpora", "layouts", "plots"]
_NAME = re.compile(r"[\w.+-]+:?")  # of a prefix with its colon
KINDS: tuple[Kind, ...] = get_args(Kind)
_HOMES = {"corpora": "testsets.corpora", "layouts": "tables.layouts"}  # where modules of it lie
# What modules of a kind declare, and of which type: one of it, or several.
_DECLARATIONS: dict[Kind, dict[str, str]] = {
    "codecs": {
        "MODELS": "models.CodecModel",
        "FAMILY": "models.CodecFamily",
        "OPENER": "models.CodecOpener",
    },
    "metrics": {"METRICS": "types.Metric", "MODELS": "models.MetricModel"},
    "corpora": {"CORPORA": "testsets.corpora.corpus.Corpus"},
    "layouts": {"LAYOUTS": "tables.layouts.parts.Layout"},
    "plots": {"PLOTS": "plots.drawing.Plot"},
}

# Names that mean something else where those of a kind are given.
_TAKEN: dict[Kind, tuple[str, ...]] = {
    "corpora": ("quick", "debian-speech", "debian-music", "dac-table3"),
    "plots": ("all",),
}

Item = TypeVar("Item")


@dataclass(frozen=True)
class Origin:
    """Who brings a codec or a metric: a package, its version, and for plug-ins their module."""

    package: str
    version: str
    module: Path | None = None

    def __str__(self) -> str:
        return f"{self.package} {self.version}".strip()


OWN = Origin("snacbench", __version__)


@dataclass
class Discovered:
    """All of a kind: what is declared, by name, who brings it, and what is left out and why."""

    items: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def take(self, item: Any, origin: Origin) -> str:
        """Enter what a module declares; why not, if it cannot be, or nothing."""
        try:
            name, wrong = _name_of(item), _wrong(item)
        except Exception as error:  # noqa: BLE001 - what a plug-in declares may be anything
            return f"it declares what cannot be used ({type(error).__name__}: {error})"
        if wrong:
            return f"{name} is left out: {wrong}"
        if name in self.origins and self.items.get(name) is not item:
            return f"{name} is left out: that name belongs to {self.origins[name]}"
        self.items[name] = item
        self.origins.setdefault(name, origin)
        return ""


def codec_models() -> dict[str, CodecModel]:
    """Every discovered codec model by name, in alphabetical order."""
    return dict(sorted(declared("codecs", CodecModel).items()))


def codec_families() -> dict[str, CodecFamily]:
    """Families for which a bare name stands for a chosen list of operating points."""
    return declared("codecs", CodecFamily)


def codec_openers() -> dict[str, CodecOpener]:
    """Ways to make a codec of a path (``dac:runs/latest``), by prefix."""
    return {opener.prefix: opener for opener in declared("codecs", CodecOpener).values()}


def metrics() -> dict[str, Metric]:
    """Every discovered metric by name, in alphabetical order."""
    return dict(sorted(declared("metrics", Metric).items()))


def metric_models() -> dict[str, MetricModel]:
    """Every published model that some metric runs, by name, in alphabetical order."""
    return dict(sorted(declared("metrics", MetricModel).items()))


def declared(kind: Kind, type_: type[Item]) -> dict[str, Item]:
    """Everything of a kind that has a type, by name."""
    items = discovered(kind).items
    return {name: item for name, item in items.items() if isinstance(item, type_)}


def refused(*kinds: Kind) -> list[str]:
    """Plug-ins and names of theirs that are not used, and why; no kind given: of all kinds."""
    return [refusal for kind in kinds or KINDS for refusal in discovered(kind).refused]


def origin_of(item: CodecModel | Metric) -> Origin:
    """Who brings a codec or a metric; of a model that was opened at a path: who opens those."""
    if isinstance(item, Metric):
        return discovered("metrics").origins.get(item.spec.name, OWN)
    origins = discovered("codecs").origins
    prefix = item.selector.partition("=")[2].partition(":")[0]
    return origins.get(item.name) or origins.get(f"{prefix}:", OWN)


def select_metrics(names: Sequence[str]) -> tuple[Metric, ...]:
    """Metrics by name, in the order asked for; none named: the default set.

    Raises `UnknownName` if there is no metric of that name.
    """
    known = metrics()
    if not names:
        return tuple(metric for metric in known.values() if metric.spec.default)
    for name in names:
        if name not in known:
            text = f"no metric named {name!r}; {did_you_mean(name, known)}{left_out('metrics')}"
            raise UnknownName(text)
    return tuple(known[name] for name in dict.fromkeys(names))


def left_out(kind: Kind) -> str:
    """The tail of an error message about an unknown name: what could have brought it."""
    return "".join(f"; left out: {refusal}" for refusal in refused(kind))


@cache
def discovered(kind: Kind) -> Discovered:
    """Modules of this package, then plug-ins by name; who comes first keeps a name."""
    found = Discovered()
    package = importlib.import_module(f"snacbench.{_HOMES.get(kind, kind)}")
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        if not info.name.startswith("_"):
            module = importlib.import_module(f"{package.__name__}.{info.name}")
            for item in _declarations(module, kind):
                found.take(item, OWN)
    found.origins.update(dict.fromkeys(_TAKEN.get(kind, ()), OWN))
    for entry in sorted(entry_points(group=f"snacbench.{kind}"), key=lambda e: (e.name, e.value)):
        origin = Origin("an unknown package", "")
        if entry.dist:
            origin = Origin(entry.dist.name, entry.dist.version)
        try:
            module = entry.load()
            items = list(_declarations(module, kind))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever its code does at import, even exit
            text = " ".join(f"{type(error).__name__}: {error}".split())
            reasons = [f"it cannot be used: {text[:200]}"]
        else:
            file = getattr(module, "__file__", None)
            known = replace(origin, module=Path(file) if file else None)
            reasons = [found.take(item, known) for item in items]
            if not items:
                declares = " or ".join(_DECLARATIONS[kind])
                reasons = [f"it brings nothing: its module declares no {declares}"]
        told = f"plug-in {entry.name} ({kind}) of {origin}"
        found.refused += [f"{told}: {reason}" for reason in reasons if reason]
    return found


@contextmanager
def running(kind: Kind, name: str) -> Iterator[None]:
    """While what a plug-in declares is run: that it fails is no mistake of snacbench."""
    try:
        yield
    except Exception as error:
        origin = discovered(kind).origins.get(name, OWN)
        if origin == OWN or isinstance(error, SnacbenchError):
            raise
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        text = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise UserError(f"plug-in {name} ({kind}) of {origin} failed: {text} ({place})") from error


def _declarations(module: ModuleType, kind: Kind) -> Iterator[Any]:
    """What a module declares."""
    # Raises `TypeError` if it declares something else.
    for attribute, path in _DECLARATIONS[kind].items():
        home, _, type_ = path.rpartition(".")
        expected = getattr(importlib.import_module(f"snacbench.{home}"), type_)
        value = getattr(module, attribute, None)
        several = isinstance(value, Iterable) and not isinstance(value, expected)
        for item in () if value is None else tuple(value) if several else (value,):
            if isinstance(item, CodecModel | MetricModel) and not isinstance(item, expected):
                continue  # a module may bring codecs and metrics, and models of both
            if not isinstance(item, expected):
                text = f"{attribute} holds a {type(item).__name__}, expected {expected.__name__}"
                raise TypeError(text)
            yield item


def _name_of(item: Any) -> str:
    """The name that an item claims; a prefix ends in a colon, which no other name does."""
    if isinstance(item, Metric):
        return item.spec.name
    name: str = f"{item.prefix}:" if isinstance(item, CodecOpener) else item.name
    return name


def _wrong(item: Any) -> str:
    """What is wrong with what a plug-in declares, or nothing."""
    if not _NAME.fullmatch(_name_of(item)):
        return "it is no name; use letters, digits and . _ + -"
    if isinstance(item, Metric) and bool(item.embed) != (item.spec.distance in get_args(Distance)):
        return f"a set-level metric has embed, and a distance of {', '.join(get_args(Distance))}"
    if not isinstance(item, CodecModel):
        return ""
    if any(not isinstance(spec, CodecSpec) for spec in item.points):
        return "its points are not all of type CodecSpec"
    if found := next(filter(None, (wrong_point(item, spec) for spec in item.points)), ""):
        return found
    listed = {spec.name for spec in item.points} & set(item.default)
    return "" if listed else "none of its operating points is a default"


def wrong_point(model: CodecModel, spec: CodecSpec) -> str:
    """What is wrong with a point that would pass for another model's; or nothing."""
    if spec.model == model.name == spec.name.partition("@")[0]:
        return ""
    return f"it has the operating point {spec.name} of model {spec.model}"


def models_in_file(path: Path) -> tuple[CodecModel, ...]:
    """The codec models that a Python file of one's own declares; its code is run.

    Raises `UserError`, with the file and the line, if it fails or declares none that can be used.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror})") from error
    module = ModuleType(f"snacbench_file_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses look for it
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
        models = [item for item in _declarations(module, "codecs") if isinstance(item, CodecModel)]
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever its code does, even exit
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(path)]
        if isinstance(error, SyntaxError) and error.filename == str(path):
            lines = [error.lineno]
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        where = f"{path}, line {lines[-1]}" if lines and lines[-1] else str(path)
        raise UserError(f"{where}: {kind}{error}") from error
    if not models:
        raise UserError(f"{path} declares no codec: expected MODELS = (CodecModel(...), ...)")
    if wrong := next((f"{_name_of(m)}: {w}" for m in models if (w := _wrong(m))), ""):
        raise UserError(f"{path}: {wrong}")
    return tuple(_kept_to_its_file(model, path, source) for model in models)


def _kept_to_its_file(model: CodecModel, path: Path, source: bytes) -> CodecModel:
    """A model whose file is recorded as its weights are, so that no run mixes two versions."""
    here = hashlib.sha256(source).hexdigest()

    def load(spec: CodecSpec, weights: LocatedWeights | None, device: str) -> Codec:
        if weights and weights.info.sha256.get(path.name) != here:
            raise UserError(f"{path} has changed since this run began; start a new run")
        return model.load(spec, None, device)

    if model.source is not None:
        return model
    hosted = (HostedFile(path.name, str(path)),)
    return replace(model, load=load, source=WeightsSource("own", str(path), hosted, revision=""))
