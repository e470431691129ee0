"""Open data sets of rated audio on disk, read by a small YAML map of their files and columns.

Maps that come with snacbench are in ``rated``; docs/validity.md explains their fields.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal
from xml.etree import ElementTree

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, model_validator

from snacbench.errors import UnknownName, UserError, did_you_mean
from snacbench.rows import ListenerScore
from snacbench.textfile import read_table
from snacbench.types import DOMAINS, CodecSpec, Domain
from snacbench.yamlfile import read_yaml

_COLUMN = re.compile(r"\{([^{}:]+)(?::([^{}]*))?\}")
_TEXTS = (
    "reference", "degraded", "item", "condition", "score", "listener", "kbps", "family", "domain",
    "cluster",
)  # fmt: skip
Cells = Mapping[str, str]
Texts = Annotated[
    tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
]


class RatingMap(BaseModel):
    """Where a data set has what; an unknown field is a mistake.

    `files` are patterns below its folder, of CSV files, or of XML files whose rows are the elements
    named `rows`: their columns are the attributes of these, of the elements around them, and of
    those of their children that hold none. Columns of `lists` hold JSON lists in step, whose
    entries become rows. `values` replace whole cells, by column; `keep` has by column the only
    cells that are wanted. In the texts from `reference` to `cluster`, ``{column}`` stands for its
    cell, and ``{column:pattern}`` for the first group of a regular expression found there, or
    nothing. Without a `listener` scores are means. `rates` are by condition, in kbps, in place of
    `kbps`. `anchors` and `references` are regular expressions found in names of such conditions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    summary: str
    source: str
    files: Annotated[Texts, Field(min_length=1)]
    rows: str = ""
    lists: Texts = ()
    values: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)
    keep: Mapping[str, Texts] = Field(default_factory=dict)
    reference: str
    degraded: str
    item: str
    condition: str
    score: str
    listener: str = ""
    kbps: str = ""
    rates: Mapping[str, FiniteFloat] = Field(default_factory=dict)
    family: str = ""
    domain: str = "unknown"
    cluster: str = ""
    scale: tuple[FiniteFloat, FiniteFloat]
    better: Literal["higher", "lower"] = "higher"
    anchors: str = "(?!)"  # none
    references: str = "(?!)"

    @model_validator(mode="after")
    def _patterns_are_some(self) -> "RatingMap":
        inside = (found for name in _TEXTS for found in _COLUMN.findall(getattr(self, name)))
        for pattern in (self.anchors, self.references, *(pattern for _, pattern in inside)):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression ({error})") from error
        if self.scale[0] >= self.scale[1]:
            raise ValueError(f"scale: expected its lower end first, found {[*self.scale]}")
        return self


@dataclass(frozen=True)
class RatedSet:
    """Ratings, higher is better, and what they are of; `notes` say in words what was left out.

    `clips` have by id (``name/item``) the reference's file, domain and cluster; `decodes` are files
    by clip and codec, which is a condition.
    """

    name: str
    ratings: tuple[ListenerScore, ...]
    clips: Mapping[str, tuple[Path, Domain, str]]
    codecs: tuple[CodecSpec, ...]
    decodes: Mapping[tuple[str, str], Path]
    notes: tuple[str, ...] = ()


def shipped_maps() -> dict[str, Path]:
    """Name -> file of every map that comes with snacbench."""
    folder = Path(str(files("snacbench.listening"))) / "rated"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_rated_set(name: str, root: Path) -> RatedSet:
    """Read the data set in a folder by the map of a name, or in a YAML file of one's own.

    Hidden references are left out, as is what has no score or no file; the notes count that.
    UserError, with file and line, if there is no such map, or what it names is not there or not
    what it should be.
    """
    shipped, path = shipped_maps(), Path(name).expanduser()
    if name not in shipped and path.suffix.lower() not in (".yaml", ".yml"):
        raise UnknownName(
            f"no map named {name!r} (one of your own is named by its path, ending in .yaml); "
            f"{did_you_mean(name, shipped)}"
        )
    path = shipped.get(name, path)
    made = read_yaml(path, RatingMap, noun="map", docs="docs/validity.md")
    try:
        found = sorted({one for pattern in made.files for one in root.glob(pattern)})
    except (ValueError, NotImplementedError) as error:
        expected = "expected patterns below the data set's folder, such as results/*.csv"
        raise UserError(f"{path}: files: {expected}, found {[*made.files]} ({error})") from error
    if not found:
        raise UserError(f"{root} has no {' or '.join(made.files)}, which {path} looks for there")
    ratings, clips = list[ListenerScore](), dict[str, tuple[Path, Domain, str]]()
    codecs, decodes = dict[str, CodecSpec](), dict[tuple[str, str], Path]()
    left_out: Counter[str] = Counter()
    for at, told in (row for file in found for row in _told(made, file)):
        clip, condition = f"{path.stem}/{told['item']}", told["condition"]
        reference, degraded = root / told["reference"], root / told["degraded"]
        if re.search(made.references, condition):
            left_out["of hidden references"] += 1
        elif "" in (told["reference"], told["degraded"], told["score"].lower().replace("nan", "")):
            left_out["without score or file name"] += 1
        elif not (reference.is_file() and degraded.is_file()):
            left_out["of files that are not there"] += 1
        elif empty := [name for name in ("item", "condition") if not told[name]]:
            raise UserError(f"{at}: {empty[0]}: {getattr(made, empty[0])!r} finds nothing there")
        else:
            score = _number(told["score"], at, "score", *made.scale)
            score = sum(made.scale) - score if made.better == "lower" else score
            rated = (path.stem, told["listener"], told["item"], clip, condition, score)
            ratings.append(ListenerScore(*rated))
            codec, about = _codec(made, told, at), (reference, _domain(told, at), told["cluster"])
            if codecs.setdefault(condition, codec) != codec:
                raise UserError(f"{at}: another rate or family of {condition}: tell them apart")
            same = clips.setdefault(clip, about) == about
            if not same or decodes.setdefault((clip, condition), degraded) != degraded:
                what = "file" if same else "reference, domain or cluster"
                raise UserError(f"{at}: another {what} of {condition} of {clip}: tell them apart")
    notes = tuple(f"{n} ratings {what} left out" for what, n in left_out.items())
    if not ratings:
        raise UserError(f"{root}: nothing that {path} describes; {'; '.join(notes) or 'no rows'}")
    return RatedSet(path.stem, tuple(ratings), clips, tuple(codecs.values()), decodes, notes)


def _told(made: RatingMap, file: Path) -> Iterator[tuple[str, Cells]]:
    """What each row that is wanted says by the map's fields, and where it stands."""
    for at, row in _xml(file, made.rows) if made.rows else _csv(file, made.lists):
        cells = {name: made.values.get(name, {}).get(text, text) for name, text in row.items()}

        def filled(found: re.Match[str], at: str = at, cells: Cells = cells) -> str:
            if found[1] not in cells:
                raise UserError(f"{at}: no column {found[1]!r}; {did_you_mean(found[1], cells)}")
            inside = re.search(found[2] or "(?s)(.*)", cells[found[1]])
            return (inside[1] if inside.re.groups else inside[0]) if inside else ""

        wanted = ((_COLUMN.sub(filled, f"{{{column}}}"), of) for column, of in made.keep.items())
        if all(text in of for text, of in wanted):
            yield at, {name: _COLUMN.sub(filled, getattr(made, name)) for name in _TEXTS}


def _csv(file: Path, lists: Texts) -> Iterator[tuple[str, Cells]]:
    for line, row in read_table(file, (), noun="ratings").rows:
        at, cells = f"{file}, line {line}", {name: text.strip() for name, text in row.items()}
        try:
            columns = [json.loads(cells[name]) for name in lists]
            entries = list(zip(*columns, strict=True)) if lists else [()]
        except (KeyError, ValueError, TypeError) as error:
            expected = f"expected lists of one length in {', '.join(lists)}"
            raise UserError(f"{at}: {expected}, such as [1, 2] ({error})") from error
        for entry in entries:
            yield at, cells | dict(zip(lists, map(str, entry), strict=True))


def _xml(file: Path, name: str) -> Iterator[tuple[str, Cells]]:
    def rows(node: ElementTree.Element, above: Cells) -> Iterator[tuple[str, Cells]]:
        leaves = (child for child in node if not len(child) and child.tag != name)
        cells = {k: v for one in (above, *(leaf.attrib for leaf in leaves)) for k, v in one.items()}
        cells |= node.attrib
        if node.tag == name:
            yield f"{file}, {name}", cells
        for child in node:
            yield from rows(child, cells)

    try:
        yield from rows(ElementTree.parse(file).getroot(), {})
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
        raise UserError(f"{file}: not XML, or not to be read ({error})") from error


def _codec(made: RatingMap, told: Cells, at: str) -> CodecSpec:
    name, kbps = told["condition"], str(made.rates.get(told["condition"], told["kbps"]))
    return CodecSpec(
        name, name, told["family"] or "outside", None, (),
        nominal_kbps=_number(kbps, at, "kbps", 0.0, 1e6) if kbps else None,
        anchor=bool(re.search(made.anchors, name)),
        citation=f"decoded outside snacbench; {made.source}",
    )  # fmt: skip


def _domain(told: Cells, at: str) -> Domain:
    for domain in DOMAINS:
        if domain == told["domain"]:
            return domain
    raise UserError(f"{at}: domain: expected one of {', '.join(DOMAINS)}; found {told['domain']!r}")


def _number(text: str, at: str, field: str, low: float, high: float) -> float:
    with suppress(ValueError):
        if low <= (value := float(text)) <= high:
            return value
    raise UserError(f"{at}: {field}: expected a number from {low:g} to {high:g}, found {text!r}")
