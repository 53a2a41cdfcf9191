"""How the embedded engine is configured: memory, caches, what every query starts with, and the two roles.

chDB takes roles and server settings only from a configuration file that its first connection names (`CREATE ROLE` is not
supported there). The user holds no grant of its own, so that `SET ROLE reader` really takes everything else away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.sax.saxutils import escape

OWNER, READER = "owner", "reader"
PROJECT_SETTING = "log_comment"
"""The setting that carries the project into the views (0002_views.sql says why this one)."""
VIEWS = ("spans", "logs", "scores", "traces", "sessions")
"""All that the reader role may select from."""

UNSEEN = frozenset(
    "asynchronous_inserts asynchronous_loader azure_queue_metadata azure_queue_metadata_cache azure_queue_settings "
    "background_schedule_pool backups certificates clusters constraints current_roles dashboards database_replicas detached_parts "
    "detached_tables dimensional_metrics disks distributed_ddl_queue distribution_queue dns_cache dropped_tables dropped_tables_parts "
    "enabled_roles errors events fail_points filesystem_cache filesystem_cache_settings grants handlers histogram_metrics "
    "hypothetical_indexes hypothetical_projections iceberg_files iceberg_history jemalloc_arena_bins jemalloc_bins "
    "jemalloc_profile_text jemalloc_sampled_allocations jemalloc_stats kafka_consumers masking_policies merges metrics moves mutations "
    "named_collections part_moves_between_shards parts parts_columns processes projection_parts projection_parts_columns query_cache "
    "query_condition_cache quota_limits quota_usage quotas quotas_usage remote_data_paths replicas replicated_fetches "
    "replication_queue resources rocksdb role_grants roles row_policies s3_queue_metadata s3_queue_settings s3queue_metadata_cache "
    "scheduler schema_inference_cache server_settings session_query_ids settings_changes settings_profile_elements "
    "settings_profiles stack_trace storage_policies symbols user_defined_functions user_directories user_processes user_query_log "
    "users view_refreshes warnings workloads".split()
)
"""Tables of `system` about this server and what runs in it: empty for a reader (whose connection alone is `readonly`). The engine
lets every role read them all, and gives no way to take that right away."""

_PROFILE: Mapping[str, object] = {
    "session_timezone": "UTC",
    # The views read with FINAL, and a row's partition follows from its key: no need to look for its versions elsewhere.
    "do_not_merge_across_partitions_select_final": 1,
    # Merging the block already while it is inserted doubles the cost of an insert; FINAL and merges do it anyway.
    "optimize_on_insert": 0,
    # One block an insert, hence one part a partition, whatever its size; a batch may span years.
    "min_insert_block_size_rows": 1 << 30,
    "min_insert_block_size_bytes": 0,
    "max_partitions_per_insert_block": 0,
    # Results stay in this process: compressing them would be work for nothing.
    "output_format_arrow_compression_method": "none",
}


_COMPRESSION = (
    "<compression><case><min_part_size>67108864</min_part_size><min_part_size_ratio>0</min_part_size_ratio>"
    "<method>zstd</method><level>1</level></case></compression>"
)
"""Columns without a codec of their own: LZ4 in the small parts that are soon merged, ZSTD(1) in those that stay."""

_KEEP_FREE_BYTES = 256 << 20
_DISK = (
    "<storage_configuration><disks><default>"
    f"<keep_free_space_bytes>{_KEEP_FREE_BYTES}</keep_free_space_bytes>"
    "</default></disks></storage_configuration>"
)
"""Inserts and merges ask for their space before they begin; this much of the disk is not given, for what others write meanwhile."""


@contextmanager
def connection_string(folder: Path, memory_bytes: int) -> Iterator[str]:
    """What the first connection to the engine is opened with; the configuration files are needed only while it opens."""
    with TemporaryDirectory(prefix="evalstream-") as temporary:
        users, server = Path(temporary, "users.xml"), Path(temporary, "config.xml")
        users.write_text(_users(), encoding="utf-8")
        server.write_text(_server(users, memory_bytes), encoding="utf-8")
        yield f"{folder}?config-file={server}"


def _server(users: Path, memory_bytes: int) -> str:
    settings = {
        "users_config": users,
        "max_server_memory_usage": memory_bytes,
        "merges_mutations_memory_usage_soft_limit": memory_bytes // 2,
        # The defaults (5 GB each) suit a machine that does nothing else.
        "mark_cache_size": memory_bytes // 32,
        "primary_index_cache_size": memory_bytes // 64,
        "index_mark_cache_size": memory_bytes // 64,
        "vector_similarity_index_cache_size": memory_bytes // 64,
        "text_index_tokens_cache_size": memory_bytes // 128,
        "text_index_header_cache_size": memory_bytes // 128,
        "text_index_postings_cache_size": memory_bytes // 64,
        "query_condition_cache_size": memory_bytes // 128,
    }
    return f"<clickhouse>{_elements(settings)}{_COMPRESSION}{_DISK}</clickhouse>"


def _users() -> str:
    roles = _role(OWNER, ["GRANT ALL ON *.* WITH GRANT OPTION"])
    roles += _role(READER, [f"GRANT SELECT ON default.{view}" for view in VIEWS])
    held = _grants([f"GRANT {OWNER}", f"GRANT {READER}"])
    return (
        f"<clickhouse><profiles><default>{_elements(_PROFILE)}</default></profiles><quotas><default/></quotas>"
        "<users><default><password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>"
        f"{held}{_row_policies()}</default></users><roles>{roles}</roles></clickhouse>"
    )


def _row_policies() -> str:
    filters = (f"<{name}><filter>getSetting('readonly') = 0</filter></{name}>" for name in sorted(UNSEEN))
    return f"<databases><system>{''.join(filters)}</system></databases>"


def _role(name: str, grants: list[str]) -> str:
    return f"<{name}>{_grants(grants)}</{name}>"


def _grants(statements: list[str]) -> str:
    return f"<grants>{''.join(f'<query>{escape(text)}</query>' for text in statements)}</grants>"


def _elements(values: Mapping[str, object]) -> str:
    return "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in values.items())
