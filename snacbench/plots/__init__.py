"""Figures from run folders; they read rows and never run a codec.

Modules declare plots, each a `Plot`; the others serve them. matplotlib is imported where a
figure is made and nowhere else, and never through pyplot: a figure belongs to whoever made it.
"""
