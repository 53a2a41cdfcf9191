"""What `scores['name']` means, as SQL joins.

The value is the newest scored one of that name on the span, else on its trace; people (`human`, `user`) come before machines,
whatever their age; shadow rows and deleted ones never count. Joins, because a correlated subquery would run for each span.
"""

from __future__ import annotations

from collections.abc import Sequence

TYPE = "Nullable(Float64)"
"""Type of a score's column: NULL where there is no scored value."""


def column(place: int) -> str:
    """The name under which a filter's text refers to the score at this place of `Filter.scores`."""
    return f"_score_{place}"


def joins(names: Sequence[str], *, spans: str = "spans", scores: str = "scores") -> str:
    """Two LEFT JOINs to follow `FROM … AS spans`: the scores of the span and those of its trace; '' for no names.

    `spans` is the alias of the rows to which they belong (with `trace_id` and `span_id`), `scores` the table, or a subquery in
    parentheses, of the scores that may be seen. All names that they bring in begin with `_`.
    """
    if not names:
        return ""
    listed = ", ".join(map(quoted, names))
    counted = f"FROM {scores} WHERE name IN ({listed}) AND outcome = 'scored' AND NOT shadow AND NOT deleted"
    newest = ", ".join(
        f"argMaxOrNullIf(value, (source IN ('human', 'user'), created_at), name = {quoted(name)}) AS _value_{place}"
        for place, name in enumerate(names)
    )
    return (
        f"LEFT JOIN (SELECT trace_id AS _trace_id, span_id AS _span_id, {newest} {counted} AND span_id != ''"
        f" GROUP BY trace_id, span_id) AS _of_span ON _of_span._trace_id = {spans}.trace_id AND _of_span._span_id = {spans}.span_id"
        f" LEFT JOIN (SELECT trace_id AS _trace_id, {newest} {counted} AND span_id = '' AND trace_id != ''"
        f" GROUP BY trace_id) AS _of_trace ON _of_trace._trace_id = {spans}.trace_id"
    )


def columns(names: Sequence[str]) -> str:
    """The part of a WITH clause that defines the columns of the names, read from the joins: `ifNull(…) AS _score_0, …`."""
    return ", ".join(
        f"ifNull(_of_span._value_{place}, _of_trace._value_{place}) AS {column(place)}"
        for place in range(len(names))
    )


def quoted(text: str) -> str:
    """A text as a literal of ClickHouse SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
