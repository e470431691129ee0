"""The only place where codec, metric, test set and store meet.

`plan` turns a request into what will be done; `execute` does it: calibration, coding, scoring,
each clip in a worker process with one thread, each finished row on disk at once.
"""
