"""Listening tests: design, stimuli, the page and its server, answers, analysis.

A run becomes a `ListeningTest` (`test.yaml`) with stimuli beside it; listeners answer on the page;
their answers are a `Study`, whoever collected them; analysis makes figures, text and rows of it.
"""
