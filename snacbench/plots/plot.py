"""What a plot file declares in ``PLOT``, and finding all of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

from snacbench.errors import UnknownName, did_you_mean
from snacbench.tables.run_rows import ALL_DOMAINS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from snacbench.plots._data import PlotData

Rate = Literal["actual", "nominal", "entropy", "coded", "conditional"]
Width = Literal["single", "double"]
RATES: tuple[Rate, ...] = get_args(Rate)
WIDTHS: tuple[Width, ...] = get_args(Width)
Uses = Literal["metric", "rate", "domain", "baseline"]


@dataclass(frozen=True)
class Options:
    """What can be chosen about a plot; each plot reads what it has a use for.

    Attributes
    ----------
    metric : str
    rate : {"actual", "nominal", "entropy", "coded", "conditional"}
        Which rate runs along the axis; the last two are of bytes that entropy coders wrote.
    domain : str
        ``all`` for all clips together.
    width : {"single", "double"}
        One column of a paper (3.5 in) or two (7 in).
    baseline : str
        Codec to compare with; empty: the first of the run that is no anchor.
    """

    metric: str = ""
    rate: Rate = "actual"
    domain: str = ALL_DOMAINS
    width: Width = "single"
    baseline: str = ""


@dataclass(frozen=True)
class Plot:
    """A plot: its name on the command line, what it shows, and the function that draws it.

    `uses` are the options that it reads, which also name its files; a plot that does not use a
    metric is drawn once and not for each of them.
    """

    name: str
    description: str
    draw: Callable[[PlotData, Options], Figure]
    uses: frozenset[Uses] = frozenset({"metric", "domain"})

    def stem(self, options: Options) -> str:
        """Name of its files without extension; choices that are the default go unnamed."""
        parts = [self.name]
        if "metric" in self.uses:
            parts.append(options.metric)
        if "rate" in self.uses and options.rate != "actual":
            parts.append(options.rate)
        if "domain" in self.uses and options.domain != ALL_DOMAINS:
            parts.append(options.domain)
        if "baseline" in self.uses and options.baseline:
            parts.append(f"vs-{options.baseline.replace('/', '-')}")
        return "-".join(parts)


@cache
def plots() -> dict[str, Plot]:
    """Every plot by name, in alphabetical order: modules of this package with a ``PLOT``."""
    package = importlib.import_module("snacbench.plots")
    names = sorted(i.name for i in pkgutil.iter_modules(package.__path__) if i.name[0] != "_")
    modules = (importlib.import_module(f"{package.__name__}.{name}") for name in names)
    found = (getattr(module, "PLOT", None) for module in modules)
    return dict(sorted((plot.name, plot) for plot in found if isinstance(plot, Plot)))


def select_plots(name: str) -> tuple[Plot, ...]:
    """The plot of a name, or with ``all`` every one.

    Raises
    ------
    UnknownName
        If there is no plot of that name.
    """
    known = plots()
    if name == "all":
        return tuple(known.values())
    if name not in known:
        raise UnknownName(f"no plot named {name!r}; {did_you_mean(name, [*known, 'all'])}")
    return (known[name],)
