"""Renderers: one file per format, from the same tables."""
