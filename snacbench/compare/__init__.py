"""Run against run, and codec against codec over their rates: what a paper or a gate asks.

`pairs` compares two runs clip by clip, `verdict` says what the difference means for a gate,
`rates` says how much rate a codec saves, `formats` writes both down. docs/comparing.md explains the
rules.
"""
