"""Test sets: a folder, a manifest, or a named set, as lists of clips.

`open_test_set` is the one entry. Files that cannot be read stay in the set as `BrokenClip`, so
that they become ``failed`` rows and are not silently missing from a mean.
"""

from snacbench.testsets.opening import NAMED_SETS, open_chosen, open_test_set, set_names
from snacbench.testsets.segments import Choice
from snacbench.testsets.testset import BrokenClip, TestSet

__all__ = [
    "NAMED_SETS", "BrokenClip", "Choice", "TestSet", "open_chosen", "open_test_set", "set_names",
]  # fmt: skip
