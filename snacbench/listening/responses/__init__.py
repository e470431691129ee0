"""Where responses are kept: one SQLite file per test, ``answers.sqlite``.

Every function here is one transaction: what it has returned is on the disk, and what it refused
has left no trace. Nothing in the file tells where a listener came from; tokens are kept as digests.
"""
