"""Metrics: one file each, found by scanning this folder; docs/metrics.md defines them.

A metric file declares ``METRICS``, a tuple of `snacbench.types.Metric`. Files whose names start
with an underscore hold what several metrics share. Heavy packages are imported inside functions,
so that listing metrics costs nothing.
"""
