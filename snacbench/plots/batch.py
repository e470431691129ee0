"""Many plots of the same runs, drawn by several processes at once.

matplotlib takes a sixth of a second for a figure, all of it on one core. A helper is a fresh
interpreter of our own, not a fork (which the threads of numerical libraries do not survive
everywhere) and none of `multiprocessing`'s (which would run the caller's main program again). What
a helper could not draw, for whatever reason, is drawn by the caller, who then also sees why.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from snacbench.plots._data import PlotData
from snacbench.plots.plot import Options, plots
from snacbench.plots.save import write_plot

_WORTH_A_HELPER = 12  # plots: to start one takes as long as to draw eight
_MOST_HELPERS = 7
Wanted = tuple[str, Options]
"""Name of a plot, and what is chosen about it."""
Helper = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Share:
    """What one process is to draw, and from what."""

    data: PlotData
    wanted: Sequence[Wanted]
    formats: Sequence[str]
    folder: Path

    def draw(self) -> Iterator[list[Path]]:
        """Draw plot after plot; the files of each."""
        for name, options in self.wanted:
            yield write_plot(self.data, plots()[name], options, self.formats, self.folder)


@contextmanager
def helpers_for(count: int) -> Iterator[list[Helper]]:
    """Processes that will help to draw so many plots; they get ready while the data is read."""
    wanted = min(_cores(), 1 + _MOST_HELPERS, count // _WORTH_A_HELPER) - 1
    helpers = [_start() for _ in range(wanted)]
    try:
        yield helpers
    finally:
        for helper in helpers:
            helper.kill()
            helper.communicate()


def draw_all(whole: Share, helpers: Sequence[Helper]) -> Iterator[list[Path]]:
    """Draw everything, the helpers their shares; the files of each plot, in no special order."""
    step = 1 + len(helpers)
    mine, *theirs = [replace(whole, wanted=whole.wanted[start::step]) for start in range(step)]
    for helper, share in zip(helpers, theirs, strict=True):
        _send(helper, share)
    yield from mine.draw()
    for helper, share in zip(helpers, theirs, strict=True):
        found = _received(helper)
        yield from share.draw() if found is None else found


def _cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _start() -> Helper:
    """An interpreter that waits for its share, with our paths to import from."""
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", f"from {__name__} import _serve; _serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what goes wrong there comes up again here
        env={**os.environ, "PYTHONPATH": paths},
    )


def _send(helper: Helper, share: Share) -> None:
    assert helper.stdin is not None
    with suppress(OSError):  # it has died: nothing will come back
        pickle.dump(share, helper.stdin)
        helper.stdin.flush()


def _received(helper: Helper) -> list[list[Path]] | None:
    """The files that a helper wrote; None if it failed."""
    assert helper.stdout is not None
    try:
        found: list[list[Path]] = pickle.loads(helper.stdout.read())
    except (EOFError, OSError, pickle.UnpicklingError):
        return None
    return found


def _serve() -> None:
    """What a helper does: get ready, take a share, draw it, and say which files it wrote."""
    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401 - all three take their time, which is now

    plots()
    share: Share = pickle.load(sys.stdin.buffer)
    found = list(share.draw())
    pickle.dump(found, sys.stdout.buffer)
