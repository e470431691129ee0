"""The run folder: rows that are appended, never changed, and how they were made.

``run.json`` is written first; ``coded.jsonl``, ``scores.jsonl`` and others hold one row a line;
``decoded/`` holds the audio that every metric and every listener gets.
"""
