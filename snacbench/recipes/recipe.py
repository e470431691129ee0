"""A recipe, as its file has it and as a run takes it up."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, FiniteFloat, model_validator

from snacbench.errors import UnknownName, did_you_mean
from snacbench.files import sha256_of_file
from snacbench.recipes import shipped_recipes
from snacbench.request import REFERENCE, Expected
from snacbench.types import Domain
from snacbench.yamlfile import read_yaml


def _never_falls_back(value: tuple[str, ...]) -> tuple[str, ...]:
    if "auto" in value:
        text = "a recipe never falls back to other weights; write published, embedded, or a folder"
        raise ValueError(text)
    return value


# One name stands for a list of one.
_LISTED = BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
Names = Annotated[tuple[str, ...], _LISTED]
Count = Annotated[int, Field(strict=True, ge=1)]
Positive = Annotated[FiniteFloat, Field(gt=0)]
Limit = Literal["kbps", "delay_ms", "mmac_per_s", "decode_mmac_per_s"]


class Figures(BaseModel, extra="forbid", frozen=True):
    """Means that are published in one place: by operating point (or ``reference``) and metric.

    `tolerance` is by metric how far from them a sound run may be; without one, they are only shown.
    """

    source: str
    domain: Domain | Literal["all"] = "all"
    tolerance: Mapping[str, Positive] = Field(default_factory=dict)
    figures: Mapping[str, Mapping[str, FiniteFloat]]

    @model_validator(mode="after")
    def _tolerances_are_of_figures(self) -> "Figures":
        named = {metric for of in self.figures.values() for metric in of}
        if beyond := sorted(self.tolerance.keys() - named):
            raise ValueError(f"there is no figure for the tolerance of {', '.join(beyond)}")
        return self

    def each(self) -> Iterator[Expected]:
        """The figures one by one."""
        for codec, of in self.figures.items():
            for metric, value in of.items():
                point, near = "" if codec == REFERENCE else codec, self.tolerance.get(metric)
                yield Expected(metric, value, near, self.source, point, self.domain)


class Recipe(BaseModel, extra="forbid", frozen=True):
    """A recipe as its file has it; an unknown field is a mistake, not a wish.

    `summary` is what it is, in a line, `source` whose comparison it repeats. Where `codecs` is
    None, whoever runs it must name them, and `hint` says what to name. Paths of `data` start at the
    recipe's own folder; `table` is a layout. `expect` are published figures that a run should come
    near, `limits` what its codecs may take at most. The other fields are the options of
    ``snacbench run`` of the same names.
    """

    summary: str
    source: str = ""
    codecs: Annotated[Names, Field(min_length=1)] | None
    hint: str = ""
    data: str
    conditions: Names = ()
    metrics: Names = ()
    allow_missing_metrics: bool = False
    weights: Annotated[Names, Field(min_length=1), AfterValidator(_never_falls_back)]
    seed: Annotated[int, Field(strict=True)] = 0
    channels: Literal["mono", "stereo"] = "mono"
    reference: Literal["source", "codec-input"] = "source"
    segments: Count | None = None
    segment_s: Positive | None = None
    min_lufs: float | None = None
    limit: Count | None = None
    domain: Domain = "unknown"
    asr: str | None = None
    table: Literal["default", "snac-paper", "dac-table3", "dac-table2", "speech-codec"] = "default"
    expect: tuple[Figures, ...] = ()
    limits: Mapping[Limit, Positive] = Field(default_factory=dict)


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe, the name that it goes by, and the digest of its file."""

    name: str
    path: Path
    sha256: str
    recipe: Recipe

    def options(self) -> dict[str, Any]:
        """What it asks of a run, by the options of ``snacbench run``; what it leaves open is out.

        `codecs` is one text, as on the command line; paths of data start at the recipe's folder.
        """
        about = {"summary", "source", "hint", "table", "expect", "limits"}
        told = self.recipe.model_dump(exclude=about)
        told["codecs"] = ",".join(self.recipe.codecs or ()) or None
        if "/" in told["data"] or told["data"].endswith(".csv"):
            told["data"] = str(self.path.parent / Path(told["data"]).expanduser())
        return {name: value for name, value in told.items() if value is not None}


def find_recipe(text: str) -> NamedRecipe:
    """The recipe of a name, or in a YAML file of one's own: it goes by the name of its file."""
    shipped = shipped_recipes()
    path = shipped.get(text) or Path(text).expanduser()
    if text not in shipped and path.suffix.lower() not in (".yaml", ".yml"):
        raise UnknownName(
            f"no recipe named {text!r} (one of your own is named by its path, ending in .yaml); "
            f"{did_you_mean(text, shipped)}"
        )
    recipe = read_yaml(path, Recipe, noun="recipe", docs="docs/recipes.md")
    return NamedRecipe(path.stem, path, sha256_of_file(path), recipe)
