"""Memory that was freed stays with the process, so that the next large array needs no fresh pages."""

import ctypes
from functools import cache

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


@cache
def keep_freed_memory() -> bool:
    """Have the C library keep what is freed; whether it could be told so.

    A training step frees and asks for arrays of tens of megabytes all the time. By default each goes back to the system
    and comes back page by page, at a tenth of the speed of memory that is used again: up to a third of a step's time.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    settings = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 1 << 26}
    return all([mallopt(name, value) == 1 for name, value in settings.items()])
