"""Figures from run folders, one file per plot; they read rows and never run a codec.

A module that declares a ``PLOT`` is a plot; the others serve them. matplotlib is imported where a
figure is made and nowhere else, and never through pyplot: a figure belongs to whoever made it.
"""
