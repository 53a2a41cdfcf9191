"""Parents as row numbers: each trace as a tree, whatever its spans claim. Pure and columnar.

A parent that is not there is none. A chain of parents that bites its own tail is cut above the first of its members (in the
order that the caller gives), so that no rule runs in circles, and the cut does not depend on the order of arrival.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from processors.hashing import Ints, Words

Mask = npt.NDArray[np.bool_]


def parent_rows(trace: Ints, span: Words, parent: Words, order: Ints) -> Ints:
    """The row of each row's parent in the same trace; -1 where there is none. One row a span.

    trace, span, parent: of each row an integer a trace, the span's id and its parent's (0: none). `order` ranks the rows.
    """
    if not len(span):
        return np.zeros(0, np.int64)
    by_span = np.argsort(span, kind="stable")
    place = np.minimum(np.searchsorted(span[by_span], parent), len(span) - 1)
    found = by_span[place]
    named = (parent != 0) & (span[found] == parent)
    rows = np.where(named & (trace[found] == trace), found, -1)
    elsewhere = np.nonzero(named & (rows < 0))[0]
    if len(elsewhere):  # the same span id in several traces: look each up by both
        exact = {(int(t), int(s)): row for row, (t, s) in enumerate(zip(trace, span, strict=True))}
        rows[elsewhere] = [exact.get((int(trace[row]), int(parent[row])), -1) for row in elsewhere]
    return _without_cycles(rows, order)


def nearest(parent: Ints, wanted: Mask) -> Ints:
    """Of each row the nearest row above it for which `wanted`; -1 where there is none. `parent` has no cycles."""
    above = parent.copy()
    while len(climbing := np.nonzero((above >= 0) & ~wanted[above])[0]):
        # each step doubles the distance: a row that is passed over points on to where it has come itself
        above[climbing] = above[above[climbing]]
    return above


def depths(parent: Ints) -> Ints:
    """How many rows lie above each row. `parent` has no cycles."""
    depth = (parent >= 0).astype(np.int64)
    above = parent.copy()
    while len(climbing := np.nonzero(above >= 0)[0]):
        depth[climbing] += depth[above[climbing]]
        above[climbing] = above[above[climbing]]
    return depth


def _without_cycles(parent: Ints, order: Ints) -> Ints:
    itself = parent == np.arange(len(parent))
    parent[itself] = -1
    above, steps = parent.copy(), 1
    while steps <= len(parent) and len(climbing := np.nonzero(above >= 0)[0]):
        above[climbing] = above[above[climbing]]
        steps *= 2
    # after more steps than there are rows, whoever still has someone above points into a cycle
    for start in np.unique(above[above >= 0]).tolist():
        _cut(parent, start, order)
    return parent


def _cut(parent: Ints, start: int, order: Ints) -> None:
    members = [start]
    while (row := int(parent[members[-1]])) not in (-1, start):
        members.append(row)
    if parent[members[-1]] == start:
        first = min(members, key=lambda member: int(order[member]))
        parent[first] = -1
