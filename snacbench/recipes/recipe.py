"""What a recipe says: codecs, data, metrics, seed, rules, and the layout of its table.

What belongs to a machine (device, workers, where corpora lie) is in no recipe.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt

from snacbench.types import Domain


def _as_list(value: Any) -> Any:
    """One name stands for a list of one."""
    return (value,) if isinstance(value, str) else value


def _never_falls_back(value: tuple[str, ...]) -> tuple[str, ...]:
    if "auto" in value:
        raise ValueError(
            "a recipe never falls back to other weights; write published, embedded, or a folder"
        )
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
Count = Annotated[StrictInt, Field(ge=1)]


class Recipe(BaseModel):
    """A recipe as its file has it; an unknown field is a mistake, not a wish.

    Attributes
    ----------
    summary, source : str
        What it is, in a line; whose comparison it repeats.
    codecs : tuple of str or None
        Selectors as ``--codecs`` takes them; None: whoever runs it must name them.
    hint : str
        What to name, where `codecs` is None.
    data : str
        A named set, a corpus, a manifest or a folder; paths start at the recipe's own folder.
    table : str
        Layout of its table.

    The other fields are the options of ``snacbench run`` of the same names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    summary: str
    source: str = ""
    codecs: Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1)] | None
    hint: str = ""
    data: str
    metrics: Names = ()
    weights: Annotated[Names, Field(min_length=1), AfterValidator(_never_falls_back)]
    seed: StrictInt = 0
    channels: Literal["mono", "stereo"] = "mono"
    reference: Literal["source", "codec-input"] = "source"
    segments: Count | None = None
    segment_s: Annotated[float, Field(gt=0)] | None = None
    min_lufs: float | None = None
    limit: Count | None = None
    domain: Domain = "unknown"
    asr: str | None = None
    table: Literal["default", "snac-paper", "dac-table3", "dac-table2"] = "default"

    def options(self) -> dict[str, Any]:
        """What it asks of a run, by the options of ``snacbench run``; what it leaves open is out.

        `codecs` is one text, as on the command line.
        """
        told = self.model_dump(exclude={"summary", "source", "hint", "table"})
        told["codecs"] = ",".join(self.codecs or ()) or None
        return {name: value for name, value in told.items() if value is not None}
