"""Layouts: which columns a table has. One file each; `build.tables_of` makes the tables."""

from __future__ import annotations

from snacbench.tables.layouts import dac_table2, dac_table3, default, snac_paper

LAYOUTS = {
    layout.name: layout
    for layout in (default.LAYOUT, snac_paper.LAYOUT, dac_table3.LAYOUT, dac_table2.LAYOUT)
}
