"""Codec adapters, one file per family; every file that declares ``MODELS`` is discovered.

Files whose names start with an underscore are shared helpers, not codecs.
"""
