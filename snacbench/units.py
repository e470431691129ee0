"""Units and their conversions: 1 kbps is 1000 bit/s, everywhere."""

import math

BITS_PER_KILOBIT = 1000
BITS_PER_BYTE = 8
MS_PER_S = 1000


def kbps(bits: float, duration_s: float) -> float:
    """Bit rate in kbps (1000 bit/s) of `bits` spent over `duration_s`; lower is cheaper."""
    if duration_s <= 0:
        raise ValueError(f"a rate needs a duration above 0 s, found {duration_s} s")
    return bits / duration_s / BITS_PER_KILOBIT


def bits_per_code(codebook_size: int) -> int:
    """Whole bits that one index into a codebook of so many entries, at least two, takes."""
    if codebook_size < 2:
        raise ValueError(f"a codebook needs 2 entries or more, found {codebook_size}")
    return math.ceil(math.log2(codebook_size))


def lateness(delay_s: float) -> str:
    """A delay in words, in milliseconds: ``25.0 ms late``, ``0.04 ms early``, ``in time``."""
    if not delay_s:
        return "in time"
    digits = 1 if abs(delay_s) >= 1 / MS_PER_S else 2
    return f"{abs(delay_s) * MS_PER_S:.{digits}f} ms {'late' if delay_s > 0 else 'early'}"
