"""Entropy coding of code indices: models of their statistics, and the range coder that uses them."""
