"""A batch on its way from wire to columns, and the few column builders that every field uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.normalise import aliases
from ingest.normalise.attribute_values import utf8
from ingest.normalise.attributes import AttributeTable
from ingest.normalise.keyvalues import Mask
from ingest.normalise.resources import Resource, Scope
from ingest.wire import Ints, WireSpans

_TOGETHER: tuple[tuple[str, ...], ...] = (
    *aliases.TEXTS.values(), aliases.FINISH_REASON, aliases.TOOL_CALL_ID,
    (aliases.INPUT_MESSAGES,), (aliases.OUTPUT_MESSAGES,),
)  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """Decoded spans with their attributes; every column built from it has `rows` elements in the order sent."""

    wire: WireSpans
    table: AttributeTable
    resources: Sequence[Resource]
    scopes: Sequence[Scope]

    @property
    def rows(self) -> int:
        """Number of spans."""
        return self.wire.rows

    def text(self, keys: tuple[str, ...]) -> pa.StringArray:
        """The text of the first of these attribute keys that a span has, else ''."""
        if not self.table.keys.present(keys):
            return constant("", self.rows)
        found = self._gathered.get(keys)
        return self.table.text(self.table.first(keys)) if found is None else found

    @cached_property
    def _gathered(self) -> dict[tuple[str, ...], pa.StringArray]:
        """The columns of texts that nearly every batch has, gathered in one go: a column by itself costs some twenty array calls."""
        fields = [keys for keys in _TOGETHER if self.table.keys.present(keys)]
        chosen = np.full((len(fields), self.rows), -1, np.int64)
        for row, keys in zip(chosen, fields, strict=True):
            self.table.choose(keys, row)
        texts = self.table.text(chosen.ravel())
        return {keys: texts.slice(i * self.rows, self.rows) for i, keys in enumerate(fields)}

    def by_resource(self, get: Callable[[Resource], str]) -> pa.StringArray:
        """A text that depends on the resource alone."""
        return spread([get(r) for r in self.resources], self.wire.resource, self.rows)

    def by_scope(self, get: Callable[[Scope], str]) -> pa.StringArray:
        """A text that depends on the instrumentation scope alone."""
        return spread([get(s) for s in self.scopes], self.wire.scope, self.rows)

    def labelled(self, keys: tuple[str, ...], translate: Callable[[str], str | None]) -> Labels:
        """For each span the translation of the first key whose text translates to something."""
        result = Labels(self.rows)
        for key in reversed(self.table.keys.present(keys)):
            found = self.table.positions(key)
            if len(found):
                result.put(self.table.owner[found], self.table.text(found), translate)
        return result

    def name_of(self, row: int) -> str:
        """One span's name."""
        return (self.wire.name[row].as_py() or b"").decode("utf-8", "replace")

    @cached_property
    def names(self) -> pa.StringArray:
        """The spans' names."""
        return utf8(self.wire.name)

    @cached_property
    def is_root(self) -> Mask:
        """Spans without a parent: its id is none, all zeros, of a wrong length, or the span's own."""
        parents, own = (ids.view("<u8").ravel() for ids in (self.wire.parent_span_id, self.wire.span_id))
        result: Mask = (parents == 0) | (parents == own)
        return result


class Labels:
    """A column of few distinct texts as codes; code -1 is nothing."""

    def __init__(self, rows: int, names: Sequence[str] = ()) -> None:
        self.codes = np.full(rows, -1, np.int32)
        self.names = list(names)

    def code(self, name: str) -> int:
        """The code of a text, made on first use."""
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)

    def put(self, rows: Ints, texts: pa.StringArray, translate: Callable[[str], str | None]) -> None:
        """Labels these rows by the translation of their texts, where there is one."""
        encoded = texts.dictionary_encode()
        labels = [translate(text) for text in encoded.dictionary.to_pylist()]
        codes = np.array([-1 if label is None else self.code(label) for label in labels], np.int32)
        found = codes[encoded.indices.to_numpy()]
        self.codes[rows[found >= 0]] = found[found >= 0]

    def is_any(self, names: Iterable[str]) -> Mask:
        """The rows with one of these labels."""
        wanted = [self.names.index(name) for name in names if name in self.names]
        return np.isin(self.codes, wanted) if wanted else np.zeros(len(self.codes), np.bool_)

    def at(self, row: int) -> str:
        """The label of one row; '' for nothing."""
        return self.names[self.codes[row]] if self.codes[row] >= 0 else ""

    def column(self) -> pa.StringArray:
        """As a text column; nothing is ''."""
        return pa.array([*self.names, ""], pa.string()).take(
            pa.array(np.where(self.codes < 0, len(self.names), self.codes))
        )


def renamed(texts: pa.StringArray, translate: Callable[[str], str]) -> pa.StringArray:
    """`translate` applied once to each distinct text."""
    encoded = texts.dictionary_encode()
    names = [translate(text) for text in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(encoded.indices)


def distinct(texts: pa.StringArray, translate: Callable[[str], Any]) -> npt.NDArray[np.object_]:
    """`translate` applied once to each distinct text, as an object array of the texts' length."""
    encoded = texts.dictionary_encode()
    values = np.empty(len(encoded.dictionary), object)
    values[:] = [translate(text) for text in encoded.dictionary.to_pylist()]
    return values[encoded.indices.to_numpy()] if len(values) else np.empty(0, object)


def constant(value: str, rows: int) -> pa.StringArray:
    """One text, `rows` times."""
    return pa.repeat(pa.scalar(value, pa.string()), rows) if value else _empty_texts(rows)


@lru_cache(maxsize=64)
def _empty_texts(rows: int) -> pa.StringArray:
    return pa.StringArray.from_buffers(rows, pa.py_buffer(np.zeros(rows + 1, np.int32)), pa.py_buffer(b""))


def spread(values: Sequence[str], index: Ints, rows: int) -> pa.StringArray:
    """`values[index]` as a column."""
    if len(values) == 1:
        return constant(values[0], rows)
    return pa.array(values, pa.string()).take(pa.array(index)) if values else constant("", rows)


def coalesce(first: pa.StringArray, second: pa.StringArray) -> pa.StringArray:
    """`second` where `first` is ''."""
    empty = lengths(first) == 0
    if empty.all():
        return second
    return pc.if_else(pa.array(empty), second, first) if empty.any() else first


def bounds(texts: pa.Array) -> npt.NDArray[np.int32]:
    """The offsets of a text or binary column, one more than it has elements."""
    if not len(texts):
        return np.zeros(1, np.int32)
    return np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]


def lengths(texts: pa.Array) -> npt.NDArray[np.int32]:
    """Bytes of each element of a text or binary column."""
    return np.diff(bounds(texts))


def overlay(column: pa.Array, rows: Sequence[int], values: Sequence[Any]) -> pa.Array:
    """The column with other values at some rows."""
    if not rows:
        return column
    index = np.arange(len(column))
    index[np.asarray(rows)] = len(column) + np.arange(len(rows))
    return pa.concat_arrays([column, pa.array(values, column.type)]).take(pa.array(index))


@lru_cache(maxsize=64)
def empty_map(kind: pa.MapType, rows: int) -> pa.MapArray:
    """A map column without entries."""
    offsets = pa.array(np.zeros(rows + 1, np.int32))
    return pa.MapArray.from_arrays(offsets, pa.array([], kind.key_type), pa.array([], kind.item_type))


@lru_cache(maxsize=64)
def empty_list(rows: int) -> pa.ListArray:
    """A text-list column without elements."""
    return pa.ListArray.from_arrays(pa.array(np.zeros(rows + 1, np.int32)), pa.array([], pa.string()))
