"""Which keys are known already: a filter that never forgets one, and is wrong about a new one less than once in a thousand times.

The span writer asks it before it asks the store: almost all spans of a busy stream belong to traces that are new in their
batch, and for those no look-up is needed. A blocked Bloom filter (Putze, Sanders, Singler 2007, "Cache-, hash- and
space-efficient Bloom filters"): a key has two bits in each of the four words of one block. It grows in generations that
double; 4 to 8 bytes a key.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from processors.hashing import Words

_WORDS = 4
_KEYS_A_BLOCK = 8
_FIRST_BLOCKS = 1 << 14


class TraceIndex:
    """A set of keys by hash. `contains` may say yes to an unknown one, never no to a known one."""

    def __init__(self) -> None:
        self._blocks = [np.zeros((_FIRST_BLOCKS, _WORDS), np.uint64)]
        self._room = _FIRST_BLOCKS * _KEYS_A_BLOCK
        self._empty = True

    def __bool__(self) -> bool:
        return not self._empty

    def contains(self, hashes: Words) -> npt.NDArray[np.bool_]:
        """Which of these are (almost surely) known."""
        result = np.zeros(len(hashes), np.bool_)
        if self._empty:
            return result
        mask = _mask(hashes)
        for blocks in self._blocks:
            result |= ((blocks[_place(hashes, blocks)] & mask) == mask).all(axis=1)
        return result

    def add(self, hashes: Words) -> None:
        """Makes these known. Those that seem known already take no room."""
        distinct = np.sort(hashes)
        distinct = distinct[np.concatenate([[True], distinct[1:] != distinct[:-1]])[: len(distinct)]]
        new = distinct[~self.contains(distinct)]
        if not len(new):
            return
        self._empty = False
        if len(new) > self._room:
            size = max(2 * len(self._blocks[-1]), 1 << int(len(new) // _KEYS_A_BLOCK).bit_length())
            self._blocks.append(np.zeros((size, _WORDS), np.uint64))
            self._room = size * _KEYS_A_BLOCK
        blocks = self._blocks[-1]
        np.bitwise_or.at(blocks, _place(new, blocks), _mask(new))
        self._room -= len(new)


def _place(hashes: Words, blocks: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """The block of each key, from the upper half of its hash."""
    return ((hashes >> np.uint64(32)) & np.uint64(len(blocks) - 1)).astype(np.int64)


def _mask(hashes: Words) -> npt.NDArray[np.uint64]:
    """Two of 64 bits in each word, mixed from the whole hash so that they do not depend on the block."""
    mixed = hashes * np.uint64(0x9E3779B97F4A7C15)
    one = np.uint64(1)
    shifts = [(mixed >> np.uint64(16 + 6 * k)) & np.uint64(63) for k in range(2 * _WORDS)]
    words = [one << shifts[2 * k] | one << shifts[2 * k + 1] for k in range(_WORDS)]
    return np.stack(words, axis=1)
