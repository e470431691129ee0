"""Entropy coding of code indices: models of their statistics, and a range coder for them."""
