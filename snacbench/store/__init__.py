"""The run folder: rows that are only ever appended, and how they were made.

``run.json`` is written first; ``clips.jsonl``, ``calibrations.jsonl``, ``agreements.jsonl``,
``measures.jsonl``, ``coded.jsonl``, ``histograms.jsonl``, ``delays.jsonl`` and ``scores.jsonl``
hold one row a line; ``decoded/`` holds the audio that every metric and every listener gets.
"""
