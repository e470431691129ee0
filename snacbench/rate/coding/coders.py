"""Coders by name.

========  =======  ================================================================================
name      tables   what it knows of the codes
========  =======  ================================================================================
packed    none     their codebook's size: whole bits per code
static    needed   how often each code occurred in other clips
adaptive  if any   the same, and how often each occurred in this clip so far
previous  if any   the same, after the same code in the frame before
coarser   if any   the same, under the same code of the next coarser stream (for SNAC: the parent)
========  =======  ================================================================================

A context model falls back on what ``adaptive`` knows, so the difference between them is what the
context tells.
"""

from __future__ import annotations

from snacbench.errors import UnknownName, UserError, did_you_mean
from snacbench.rate.coding.coder import Coder
from snacbench.rate.coding.learning import Context, LearningCoder
from snacbench.rate.coding.packed import PACKED
from snacbench.rate.coding.static import StaticCoder
from snacbench.rate.coding.tables import Tables
from snacbench.rate.coding.written import MeasuredCoder

_LEARNING: dict[str, Context] = {"adaptive": "", "previous": "previous", "coarser": "coarser"}
ENTROPY_CODERS = ("static", *_LEARNING)
CONTEXT_CODERS = ("previous", "coarser")
CODERS = (PACKED.name, *ENTROPY_CODERS)


def coder_named(name: str, tables: Tables | None = None) -> Coder:
    """A coder, which has the tables if they are of any use to it.

    Raises
    ------
    UnknownName
        If there is none of that name.
    UserError
        If it needs tables and none are given.
    """
    if name == PACKED.name:
        return PACKED
    if name not in CODERS:
        raise UnknownName(f"no coder {name!r}; {did_you_mean(name, CODERS)}")
    return entropy_coder(name, tables)


def entropy_coder(name: str, tables: Tables | None = None) -> MeasuredCoder:
    """One of `ENTROPY_CODERS`, which also tells ideal code lengths; raises as `coder_named`."""
    if name not in ENTROPY_CODERS:
        raise UnknownName(f"no entropy coder {name!r}; {did_you_mean(name, ENTROPY_CODERS)}")
    if name in _LEARNING:
        return LearningCoder(name, _LEARNING[name], tables)
    if tables is None:
        raise UserError(
            f"the coder {name} needs tables that were trained on other clips; "
            "'snacbench entropy RUN --save-tables DIR' writes some, or take adaptive"
        )
    return StaticCoder(tables)
