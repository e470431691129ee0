"""Statistics of a listening test: the listener is the unit, everybody rated every system.

Pure functions on a `Study`. Who is counted was decided before (`listening.screening`).
docs/listening-tests.md explains the choices and how well they hold.
"""
