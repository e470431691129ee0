"""What nearly every job imports: workers are forked from a process that has done so once."""

from contextlib import suppress

import snacbench.runner.schedule  # noqa: F401 - imported for those who come after

with suppress(Exception):  # not installed or broken: a run that needs it has been told before
    import librosa.filters  # noqa: F401
    import scipy.signal  # noqa: F401
    import torch  # noqa: F401
