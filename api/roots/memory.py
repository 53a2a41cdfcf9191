"""How the process asks the system for memory: keep what was used, since every batch needs as much again."""

from __future__ import annotations

import ctypes

import pyarrow as pa

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h of glibc
_KEEP, _STEP = 256 << 20, 16 << 20


def keep_pages() -> None:
    """Lets glibc, for Arrow too, reuse large blocks instead of returning them: fresh pages cost a fault each, 1–2 µs a span."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return
    for option, value in ((_MMAP_THRESHOLD, _KEEP), (_TRIM_THRESHOLD, _KEEP), (_TOP_PAD, _STEP)):
        mallopt(option, value)
    pa.set_memory_pool(pa.system_memory_pool())
