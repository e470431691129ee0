"""Statistics of a listening test: the listener is the unit, everybody rated every system.

Pure functions on a `Study`; `listening.screening` decided who counts. docs/listening-tests.md
explains the choices and how well they hold.
"""
