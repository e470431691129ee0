"""Conditions that a codec runs under: what they are, and what they do to audio and to codes."""
