"""The attribute keys of a batch. What follows from them alone is worked out once for each set of keys, not once a batch:
the spans of an application carry the same few sets again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from ingest.normalise.keyvalues import Mask

Rule = Callable[[str], str | None]
"""Gives a key the name under which a column keeps it; None leaves it out. A function of a module, since it is remembered."""
_REMEMBERED_BYTES = 32_768


@dataclass(frozen=True, slots=True, eq=False)
class Renamed:
    """What a rule makes of a set of keys, by their codes: which it takes, and under which names."""

    taken: Mask
    names: tuple[str | None, ...]
    labels: pa.StringArray

    def __bool__(self) -> bool:
        return bool(self.taken.any())


class Keys:
    """Distinct keys in the order of their codes."""

    def __init__(self, raw: tuple[bytes, ...]) -> None:
        self.names = tuple(name.decode("utf-8", "replace") for name in raw)
        self._codes = {name: code for code, name in enumerate(self.names)}
        self._renamed: dict[Rule, Renamed] = {}
        self._present: dict[tuple[str, ...], tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: str) -> bool:
        return name in self._codes

    def code(self, name: str) -> int | None:
        """The code of a key; None for one that does not occur."""
        return self._codes.get(name)

    def present(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of these keys that occur, in the order given."""
        found = self._present.get(names)
        if found is None:
            found = self._present[names] = tuple(name for name in names if name in self._codes)
        return found

    def renamed(self, rule: Rule) -> Renamed:
        """What `rule` makes of the keys."""
        found = self._renamed.get(rule)
        if found is None:
            names = tuple(rule(name) for name in self.names)
            taken = np.array([name is not None for name in names], np.bool_)
            found = self._renamed[rule] = Renamed(
                taken, names, pa.array([n or "" for n in names], pa.string())
            )
        return found


def keys_of(raw: tuple[bytes, ...]) -> Keys:
    """The keys of these bytes; bytes that are no UTF-8 become U+FFFD."""
    return _remembered(raw) if sum(map(len, raw)) <= _REMEMBERED_BYTES else Keys(raw)


@lru_cache(maxsize=256)
def _remembered(raw: tuple[bytes, ...]) -> Keys:
    return Keys(raw)
