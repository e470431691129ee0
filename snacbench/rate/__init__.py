"""Bit rate as it really is: bits of one coded clip, histograms, entropy over a corpus."""
