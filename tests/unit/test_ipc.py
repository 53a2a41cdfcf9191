"""Tables as payloads: the same table comes back, and damage is noticed."""

from __future__ import annotations

import decimal
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import ipc
from infra.ipc import Encoder, compact, decode
from schemas.errors import TooLarge
from schemas.spans import NORMALISED, STORED


def encoded(table: pa.Table) -> bytes:
    """The payload in one piece."""
    payload = Encoder().encode(table)
    whole: bytes = payload.head + payload.body.to_pybytes()
    assert len(whole) == payload.size
    return whole


@given(
    st.lists(
        st.tuples(st.text(), st.none() | st.floats(allow_nan=False), st.dictionaries(st.text(), st.text()))
    )
)
def test_round_trip(rows: list[tuple[str, float | None, dict[str, str]]]) -> None:
    table = pa.table(
        {
            "text": pa.array([row[0] for row in rows], pa.string()),
            "number": pa.array([row[1] for row in rows], pa.float64()),
            "map": pa.array([list(row[2].items()) for row in rows], pa.map_(pa.string(), pa.string())),
        }
    )
    assert decode(encoded(table)).equals(table)


@pytest.mark.parametrize("schema", [NORMALISED, STORED])
def test_every_column_of_a_span(schema: pa.Schema) -> None:
    rows = [{}, {"input": "x" * 100_000, "cost": decimal.Decimal("0.000000000000001"), "tags": ["a"]}]
    table = pa.Table.from_pylist(rows, schema=schema).replace_schema_metadata({"key": "value"})
    back = decode(encoded(table))
    assert back.equals(table, check_metadata=True)


def test_slices_and_tables_larger_than_the_first_scratch() -> None:
    encoder = Encoder()
    table = pa.table({"n": pa.array(range(1_000_000), pa.int64())})
    for part in (table, table.slice(999_990), table.slice(10, 0)):
        payload = encoder.encode(part)
        assert decode(payload.head + payload.body.to_pybytes()).equals(part)


def test_threads_do_not_share_their_scratch() -> None:
    encoder = Encoder()
    tables = [pa.table({"n": [n] * 1_000}) for n in range(200)]
    with ThreadPoolExecutor(4) as pool:
        payloads = list(pool.map(encoder.encode, tables))
    assert [decode(p.head + p.body.to_pybytes())["n"][0].as_py() for p in payloads] == list(range(200))


def test_small_batches_are_put_together() -> None:
    small = pa.concat_tables([pa.table({"n": [n]}) for n in range(50)])
    assert len(compact(small).to_batches()) == 1
    assert compact(small).equals(small)
    large = pa.concat_tables([pa.table({"n": range(5_000)})] * 2)
    assert compact(large) is large


@given(st.integers(0), st.integers(0, 7))
def test_a_flipped_bit_is_noticed(place: int, bit: int) -> None:
    damaged = bytearray(encoded(pa.table({"text": ["some words"] * 100})))
    damaged[place % len(damaged)] ^= 1 << bit
    with pytest.raises(ValueError, match=r"checksum|starts with"):
        decode(bytes(damaged))


@given(st.binary(max_size=200))
def test_what_is_no_payload(junk: bytes) -> None:
    with pytest.raises(ValueError, match=r"too short|starts with"):
        decode(junk)


def test_a_cut_payload_is_noticed() -> None:
    with pytest.raises(ValueError, match="checksum"):
        decode(encoded(pa.table({"n": [1]}))[:-1])


def test_a_table_too_large_for_one_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipc, "MAX_PAYLOAD", 100)
    with pytest.raises(TooLarge, match="event log"):
        Encoder().encode(pa.table({"n": [1]}))
