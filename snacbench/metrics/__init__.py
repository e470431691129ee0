"""Metrics: one file each, found by scanning this folder; docs/metrics.md defines them."""
