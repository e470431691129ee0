"""Layouts: which columns a table has. Each `Layout` of a file here is one."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from snacbench.tables.layouts._parts import Layout


def find_layouts() -> dict[str, Layout]:
    """Every file's layouts, by name."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    modules = [import_module(f"{__name__}.{name}") for name in names if name[0] != "_"]
    found = [one for of in modules for one in vars(of).values() if isinstance(one, Layout)]
    return {layout.name: layout for layout in sorted(found, key=lambda one: one.name)}


LAYOUTS = find_layouts()
"""By name; the one with everything is ``default``."""
