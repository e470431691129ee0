"""The run folder: rows that are appended, never changed, and how they were made.

``run.json`` is written first; ``clips.jsonl``, ``spot_checks.jsonl``, ``calibrations.jsonl``,
``agreements.jsonl``, ``measures.jsonl``, ``coded.jsonl``, ``histograms.jsonl``,
``delays.jsonl``, ``scores.jsonl`` and ``speeds.jsonl`` hold one row a line; ``decoded/`` holds the
audio that every metric and every listener gets.
"""
