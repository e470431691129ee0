"""Statistics of scores: intervals, paired comparisons, rate curves, correlation.

Pure functions on arrays and mappings, small frozen results; nothing here reads a run. Clips of one
speaker or one track resemble each other, so every function takes *clusters* and resamples or tests
those; without them it takes the clips as independent, and its result says so. docs/statistics.md
explains the choices and how well they hold.
"""
