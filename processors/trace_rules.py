"""What follows for a span from the rest of its trace: who heads the trace, what is inherited, whose usage is the bill.

Pure and columnar: a table of span facts in (any number of whole traces, one row a span), columns out. Run it again on the same
rows, in any order, and the result is the same. Rules: mapping of instrumentation dialects, sections 2.1, 2.7, 4.1 and 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from processors.hashing import Ints, hex_numbers, trace_codes
from processors.metadata_rules import inherited_metadata
from processors.trace_forest import parent_rows
from processors.usage_rules import counted
from schemas.spans import INHERITED

Mask = npt.NDArray[np.bool_]
SIMPLE = tuple(name for name in INHERITED if name != "metadata")
CONTENT = ("input", "output", "tool_definitions", "finish_reason")
"""What log records can say about a span."""
BITS: Mapping[str, int] = {name: 1 << bit for bit, name in enumerate((*SIMPLE, "kind", *CONTENT))}
"""Fields that can come from elsewhere than the span itself, as bits of one integer a row."""
FACTS = (
    "project", "trace_id", "span_id", "parent_span_id", "name", "kind", "scope_name", "start_time", "total_tokens",
    "input_tokens", "output_tokens", "response_id", "response_model", "request_model", "cost", "_pending", "_title",
    "_trace_metadata", *INHERITED,
)  # fmt: skip
"""The columns that the rules look at."""
_OUTER_CALL = r"^ai\.(generateText|streamText|generateObject|streamObject|embed|embedMany)$"
_NONE = np.int64(2**62)


@dataclass(frozen=True, slots=True)
class Derived:
    """One element a row: the derived columns, the bits (`BITS`) of the fields whose value came from the trace, and the
    inherited metadata keys (None: no row has any).
    """

    columns: dict[str, pa.Array]
    inherited: Ints
    metadata_keys: pa.ListArray | None


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows in the order of their traces (in each: roots first, then by start, then by id), where each trace begins in it,
    and the number of each row's trace.
    """

    order: Ints
    begin: Ints
    of_row: Ints

    def first_where(self, wanted: Mask) -> Ints:
        """For each trace the first row (in that order) for which `wanted`; -1 where there is none."""
        places = np.where(wanted[self.order], np.arange(len(self.order)), _NONE)
        first = np.minimum.reduceat(places, self.begin) if len(self.begin) else places
        return np.where(first == _NONE, -1, self.order[np.minimum(first, len(self.order) - 1)])


def derive(facts: pa.Table, own_bits: Ints, talks: Mask) -> Derived:
    """Applies every rule.

    `own_bits`: the fields of a stored row that came from elsewhere (they count as unsaid now; `metadata` must come without its
    inherited keys); `talks`: rows that have messages.
    """
    spans = hex_numbers(facts["span_id"])
    groups = group(facts, spans)
    rank = np.empty(len(facts), np.int64)
    rank[groups.order] = np.arange(len(facts))
    parent = parent_rows(groups.of_row, spans, hex_numbers(facts["parent_span_id"]), rank)
    inherited = np.zeros(len(facts), np.int64)
    columns: dict[str, pa.Array] = {}
    for name in SIMPLE:
        columns[name] = _inherit(facts, name, groups, own_bits, inherited)
    kinds = _own_kinds(facts, own_bits)
    columns["kind"] = _with_agents(facts, kinds, parent, inherited)
    columns["metadata"], keys = inherited_metadata(facts, groups.order, groups.of_row)
    columns["usage_counted"] = pa.array(counted(facts, kinds, parent, talks))
    columns["_head"] = pa.array(_heads(facts, groups))
    return Derived(columns, inherited, keys)


def group(facts: pa.Table, spans: npt.NDArray[np.uint64]) -> Groups:
    """Sorts rows by trace, roots first, then by start, then by span id."""
    if not len(facts):
        nothing = np.zeros(0, np.int64)
        return Groups(nothing, nothing, nothing)
    codes = trace_codes(facts)
    start = facts["start_time"].cast(pa.int64()).to_numpy()
    child = pc.not_equal(facts["parent_span_id"], "").to_numpy(zero_copy_only=False)
    order = np.lexsort((spans, start, child, codes))
    ordered = codes[order]
    begin = np.nonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))[0]
    of_row = np.empty(len(order), np.int64)
    of_row[order] = np.repeat(np.arange(len(begin)), np.diff(np.append(begin, len(order))))
    return Groups(order, begin, of_row)


def _heads(facts: pa.Table, groups: Groups) -> Mask:
    """The earliest span of each trace, the first in order among equals."""
    start = facts["start_time"].cast(pa.int64()).to_numpy()[groups.order]
    earliest = np.minimum.reduceat(start, groups.begin) if len(groups.begin) else start
    is_earliest = np.zeros(len(facts), np.bool_)
    is_earliest[groups.order] = start == np.repeat(earliest, np.diff(np.append(groups.begin, len(start))))
    head = np.zeros(len(facts), np.bool_)
    head[groups.first_where(is_earliest)] = True
    return head


def _said(column: pa.ChunkedArray) -> Mask:
    """Rows with a value: a text that is not '', a list that is not empty, a number that is not NULL."""
    if pa.types.is_string(column.type):
        lengths = pc.binary_length(column)
    elif pa.types.is_list(column.type):
        lengths = pc.list_value_length(column)
    else:
        return np.asarray(pc.is_valid(column).to_numpy(zero_copy_only=False), np.bool_)
    return np.asarray(lengths.to_numpy(zero_copy_only=False) > 0, np.bool_)


def _inherit(facts: pa.Table, name: str, groups: Groups, own_bits: Ints, inherited: Ints) -> pa.Array:
    """A column with the gaps filled from the first row of the trace that says something; notes them in `inherited`."""
    column = facts[name].combine_chunks()
    borrowed = own_bits & BITS[name] != 0
    said = _said(facts[name]) & ~borrowed
    donors, candidates = _trace_names(facts, said) if name == "trace_name" else (column, said)
    if not borrowed.any() and (said.all() or not candidates.any()):
        return column
    donor = groups.first_where(said)
    if name == "trace_name":
        donor = np.where(donor >= 0, donor, groups.first_where(candidates))
    donor = donor[groups.of_row]
    takes = ~said & (donor >= 0)
    inherited[takes] |= BITS[name]
    nothing = pa.array([_nothing(column.type)], column.type)
    index = np.where(takes, donor + len(column), np.where(said, np.arange(len(column)), 2 * len(column)))
    return pa.concat_arrays([column, donors, nothing]).take(pa.array(index))


def _nothing(kind: pa.DataType) -> str | list[str] | None:
    if pa.types.is_string(kind):
        return ""
    return [] if pa.types.is_list(kind) else None


def _trace_names(facts: pa.Table, said: Mask) -> tuple[pa.Array, Mask]:
    """Where nobody names the trace its root's title does."""
    titles = facts["_title"].combine_chunks()
    donors = pc.if_else(pa.array(said), facts["trace_name"].combine_chunks(), titles)
    return donors, said | _said(facts["_title"])


def _own_kinds(facts: pa.Table, own_bits: Ints) -> pa.ChunkedArray:
    raised = own_bits & BITS["kind"] != 0
    return pc.if_else(pa.array(raised), "chain", facts["kind"]) if raised.any() else facts["kind"]


def _with_agents(facts: pa.Table, kinds: pa.ChunkedArray, parent: Ints, inherited: Ints) -> pa.Array:
    """An outer call of the Vercel AI SDK is an agent when a tool call lies right below it (2.1, row 6)."""
    outer = pc.and_(pc.equal(facts["scope_name"], "ai"), pc.equal(kinds, "chain"))
    if not pc.any(outer).as_py():
        return kinds.combine_chunks()
    outer = pc.and_(outer, pc.match_substring_regex(facts["name"], _OUTER_CALL))
    tools = np.nonzero(pc.equal(kinds, "tool").to_numpy(zero_copy_only=False))[0]
    raised = np.zeros(len(facts), np.bool_)
    raised[parent[tools][parent[tools] >= 0]] = True
    raised &= outer.to_numpy(zero_copy_only=False)
    inherited[raised] |= BITS["kind"]
    return pc.if_else(pa.array(raised), "agent", kinds).combine_chunks()
