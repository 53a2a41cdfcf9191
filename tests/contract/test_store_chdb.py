"""What only the embedded store does: its folder, its one engine a process, its errors, its memory."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from infra import chdb_engine
from infra.chdb_config import UNSEEN
from infra.chdb_errors import insert_error, query_error
from infra.migrations import migrate
from infra.store_chdb import ChdbStore
from schemas.errors import InvalidQuery, InvalidRequest, QueryLimit, StartupError, Unavailable
from schemas.settings import Settings
from tests.contract.store_rows import span, spans

OTHER = """
import sys
from pathlib import Path
from infra.store_chdb import ChdbStore
from schemas.settings import Settings
store = ChdbStore.open(Path(sys.argv[1]), Settings())
print("open", flush=True)
sys.stdin.read()
store.close()
"""


def opened(folder: Path) -> ChdbStore:
    """A migrated store."""
    store = ChdbStore.open(folder, Settings())
    migrate(store)
    return store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a folder & its 'store'"


@pytest.fixture
def store(folder: Path) -> Iterator[ChdbStore]:
    store = opened(folder)
    yield store
    store.close()


def test_a_folder_in_use_names_its_holder(folder: Path, repository: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(folder)],
        cwd=repository,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout
        assert holder.stdin
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(StartupError, match=f"in use by process {holder.pid}"):
            ChdbStore.open(folder, Settings())
        holder.stdin.close()
        assert holder.wait(30) == 0
    opened(folder).close()


def test_a_store_that_is_open_here_is_in_use_too(store: ChdbStore, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="in use"):
        ChdbStore.open(folder, Settings())
    with pytest.raises(StartupError, match="cannot be opened"):
        ChdbStore.open(tmp_path / "another", Settings())
    assert store.query("SELECT 1 AS one")["one"].to_pylist() == [1]


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StartupError, match="cannot be written"):
            ChdbStore.open(folder, Settings())


def test_a_full_disk_is_told_at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 (as shutil's own)
    monkeypatch.setattr(chdb_engine, "disk_usage", lambda _: usage(10, 10, 0))
    with pytest.raises(StartupError, match="the disk is full"):
        ChdbStore.open(tmp_path, Settings())


@pytest.mark.parametrize("pattern", ["spans_raw.sql", "data.bin", "checksums.txt"])
def test_a_damaged_folder_does_not_open(folder: Path, pattern: str) -> None:
    store = opened(folder)
    store.insert("spans_raw", spans(span()))
    store.close()
    for file in (folder / "data" / "store").rglob(pattern):
        file.write_text("garbage")
    with pytest.raises(
        StartupError, match="the database cannot be opened: .*(garbage|broken parts)"
    ) as refused:
        ChdbStore.open(folder, Settings())
    assert "\n" not in refused.value.detail
    # nothing is left locked or open
    shutil.rmtree(folder)
    opened(folder).close()


def test_without_its_roles_the_store_does_not_open(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="configuration"):
        ChdbStore.open(tmp_path / "what?", Settings())


def test_a_full_disk_later_is_a_passing_fault(store: ChdbStore) -> None:
    store.command(
        "ALTER TABLE spans_raw MODIFY SETTING min_free_disk_bytes_to_perform_insert = 1000000000000000000"
    )
    with pytest.raises(Unavailable):
        store.insert("spans_raw", spans(span()))


def test_a_stream_has_flat_memory(store: ChdbStore) -> None:
    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

    def megabytes(rows: int) -> int:
        sql = "SELECT repeat(toString(number), 100) AS text FROM numbers({rows:UInt64})"
        sizes: list[int] = [batch.nbytes for batch in store.stream(sql, {"rows": rows})]
        return sum(sizes) >> 20

    megabytes(100_000)
    before = peak()
    assert megabytes(2_000_000) > 1000
    assert peak() - before < 200


def test_left_out_columns_hold_their_defaults(store: ChdbStore) -> None:
    store.insert("spans_raw", spans(span(name="")))
    empty = pa.table(
        {
            "project": ["shop"],
            "name": pa.array([""]).dictionary_encode(),
            "cost": pa.nulls(1, pa.decimal128(38, 15)),
        }
    )
    store.insert("spans_raw", empty)
    rows = store.query("SELECT name, cost, tags, usage, streaming FROM spans_raw").to_pylist()
    assert rows == [{"name": "", "cost": None, "tags": [], "usage": [], "streaming": False}] * 2


@pytest.mark.parametrize(
    ("text", "asked", "inserted"),
    [
        (
            "Code: 241. DB::Exception: Query memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)",
            QueryLimit,
            Unavailable,
        ),
        ("Code: 62. DB::Exception: Syntax error. (SYNTAX_ERROR)", InvalidQuery, InvalidRequest),
        (
            "Code: 497. DB::Exception: default: Not enough privileges. (ACCESS_DENIED)",
            InvalidQuery,
            Unavailable,
        ),
        ("Code: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS)", Unavailable, Unavailable),
        ("Code: 243. DB::Exception: Cannot reserve. (NOT_ENOUGH_SPACE)", Unavailable, Unavailable),
        ("something else altogether", Unavailable, Unavailable),
    ],
)
def test_errors_are_told_apart(text: str, asked: type[Exception], inserted: type[Exception]) -> None:
    assert type(query_error(RuntimeError(text))) is asked
    assert type(insert_error(RuntimeError(text))) is inserted


def test_an_error_names_no_file_and_no_inner_query() -> None:
    text = (
        "Code: 47. DB::Exception: Code: 47. DB::Exception: Unknown identifier 'nope' in '/data/store/abc/x.sql'. Maybe you meant: "
        "['_version']: In scope SELECT nope FROM spans_raw. (UNKNOWN_IDENTIFIER) (version 26.9.2.1)"
    )
    assert query_error(RuntimeError(text)).detail == "Unknown identifier 'nope' in '…'."
    division = query_error(RuntimeError("Code: 43. DB::Exception: a/b and (x)/y/z. (ILLEGAL)"))
    assert division.detail == "a/b and (x)/y/z."


SHOWN = frozenset(
    "aggregate_function_combinators build_options codecs collations columns completions contributors data_skipping_index_types "
    "data_skipping_indices data_type_families database_engines databases dictionaries dictionary_layouts dictionary_sources disk_types "
    "documentation formats functions graphite_retentions keywords licenses macros merge_tree_settings numbers numbers_mt one primes "
    "privileges projections replicated_merge_tree_settings settings statements table_engines table_functions tables time_zones "
    "tokenizers unicode zeros zeros_mt".split()
)
"""Facts of the engine, the same everywhere, or of what the role may read."""


def test_each_system_table_is_for_readers_or_empty_for_them(store: ChdbStore) -> None:
    names = set(store.query("SELECT name FROM system.tables WHERE database = 'system'")["name"].to_pylist())
    assert not SHOWN & UNSEEN
    assert names - SHOWN - UNSEEN == set(), "new in this engine: judge them in infra/chdb_config.py"
    for name in sorted(UNSEEN & names):
        try:
            assert store.read("shop", f"SELECT 1 FROM system.{name}").num_rows == 0, name
        except InvalidQuery as refused:  # the engine has a grant for this one, or a server that is not here
            assert "not allowed" in refused.detail or "Zookeeper" in refused.detail  # noqa: PT017
