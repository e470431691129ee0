"""Statistics of scores: intervals, paired comparisons, rate curves, correlation."""
