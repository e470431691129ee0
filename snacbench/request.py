"""What a run was asked for: what ``run.json`` keeps, and what ``--resume`` takes up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from snacbench.types import MIN_LUFS, Domain, MetricOptions

Channels = Literal["mono", "stereo"]
ReferenceRule = Literal["source", "codec-input"]
Precision = Literal["fp32", "tf32", "bf16", "fp16"]
DEFAULT_SPEED_BUDGET_S = 4.0
REFERENCE = "reference"  # in place of a codec: what metrics say of the untouched clips


@dataclass(frozen=True)
class Expected:
    """A published mean that a run of a recipe should come near.

    It is of `metric` over the clips of `domain` (``all``: of all), through the operating point
    `codec`; empty: of the untouched reference. A sound run misses it by `tolerance` at most; None:
    it is shown, and not expected.
    """

    metric: str
    value: float
    tolerance: float | None
    source: str
    codec: str = ""
    domain: str = "all"


@dataclass(frozen=True)
class FromRecipe:
    """The recipe that a request began as.

    `sha256` is that of its file, `table` the layout of its table, and `overridden` what the recipe
    says where the request says otherwise. `limits` are what its codecs may take at most.
    """

    name: str
    sha256: str = ""
    table: str = "default"
    overridden: Mapping[str, Any] = field(default_factory=dict)
    expect: tuple[Expected, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)

    @property
    def changed(self) -> frozenset[str]:
        """Fields by which the request is another run than the recipe."""
        # With other options of a machine, of what is kept, or of points beside it is the same run.
        same = {"root", "device", "batch", "keep_codes", "keep_decoded", "speed_budget_s"}
        return frozenset(self.overridden) - same - {"conditions", "allow_missing_metrics"}


@dataclass(frozen=True)
class OutsideFiles:
    """Decodes that another program made of the clips of `Request.data`.

    `name` is what to call the codec, `kbps` its rate as its maker states it; `align` asks for its
    delay to be taken away from every file before anything is scored.
    """

    degraded: Path
    name: str
    kbps: float | None = None
    align: bool = False


@dataclass(frozen=True)
class Request:
    """Everything that a run was asked for; numbers of seconds end in `_s`.

    Which clips are used (`segments` to `domain`) is explained in `testsets.Choice`.
    """

    codecs: str = ""  # selectors: ``snac,dac-44khz@2.67,NAME=dac:PATH``
    data: str = "quick"  # named set, corpus, manifest or folder
    root: tuple[str, ...] = ()  # where corpora lie: ``DIR`` or ``CORPUS=DIR``
    conditions: tuple[str, ...] = ()  # beside none: ``loss@1%,5%``, ``noise:pink@10dB``
    metrics: tuple[str, ...] = ()  # empty: the default set, each on the domains it is meant for
    allow_missing_metrics: bool = False  # those whose model or package is not here are left out
    weights: tuple[str, ...] = ("auto",)  # or ``published``, ``embedded``, ``DIR``, ``MODEL=DIR``
    offline: bool = False  # nothing is asked of the network
    asr: str | None = None  # recogniser of the metrics of words; None: the user's setting
    seed: int = 0
    segments: int | None = None
    segment_s: float | None = None
    min_lufs: float = MIN_LUFS
    limit: int | None = None
    shard: str = ""  # ``i/n``: the i-th of n parts of the set; of a merged run all that it has
    domain: Domain = "unknown"
    channels: Channels = "mono"
    reference: ReferenceRule = "source"
    device: str = "cpu"  # where PyTorch codecs compute
    precision: Precision = "fp32"
    batch: int | None = None  # signals at once; None: as many as fit
    keep_codes: bool = False  # as ``.sncb`` files
    keep_decoded: bool = True  # once it is scored
    speed_budget_s: float = DEFAULT_SPEED_BUDGET_S  # for each operating point; 0: not measured
    out: Path | None = None  # the run folder; None: a new one below ``runs``
    jobs: int | None = None  # worker processes; None: one per core
    from_recipe: FromRecipe | None = None
    outside: OutsideFiles | None = None  # decodes made elsewhere, in place of codecs
    merged: tuple[str, ...] = ()  # ids of the runs that a run was merged of

    @property
    def metric_options(self) -> MetricOptions:
        """What its metrics are given."""
        return MetricOptions(self.asr or "", self.weights, self.offline)


def request_of_schema_1(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `Request` in what ``run.json`` kept as ``recipe`` before it was typed."""
    told = {**recipe, "from_recipe": recipe.get("from_recipe") or None}
    if isinstance(outside := recipe.get("outside"), Mapping):  # which held everything as text
        kbps = outside.get("kbps")
        told["outside"] = {**outside, "kbps": None if kbps == "None" else kbps}
    return told
