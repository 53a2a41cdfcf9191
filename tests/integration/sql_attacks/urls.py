"""Attacks by the parameters of the URL: settings that are not a client's to choose, and values with more in them than a value."""

from __future__ import annotations

from tests.integration.sql_attacks.kinds import Url

SETTINGS = {
    name: Url({name: value})
    for name, value in {
        "log_comment": "bank", "readonly": "0", "max_execution_time": "0", "max_memory_usage": "0", "max_threads": "100000",
        "max_result_rows": "0", "role": "owner", "roles": "owner", "profile": "default", "quota_key": "bank",
        "session_id": "bank",
        "session_check": "1", "session_timeout": "100000000", "allow_ddl": "1", "allow_introspection_functions": "1",
        "additional_table_filters": "{'spans': '1'}", "additional_result_filter": "1", "final": "0",
        "send_logs_level": "trace",
        "send_progress_in_http_headers": "1", "http_response_headers": "{'X-Evil': '1'}",
        "http_headers_progress_interval_ms": "0",
        "output_format_write_statistics": "1", "format_template_row": "<file>", "format_schema": "<file>:M",
        "format_schema_source": "file",
        "format_avro_schema_registry_url": "<url>", "default_format": "Template", "dialect": "kusto", "enable_analyzer": "0",
        "use_query_cache": "1", "query_cache_share_between_users": "1", "additional_settings": "x", "stacktrace": "1",
        "param_": "x", "param_x": "1", "replace_running_query": "1", "replace_running_query_max_wait_ms": "0",
        "workload": "x",
        "wait_end_of_query": "1", "buffer_size": "99999999999999", "http_write_exception_in_output_format": "1",
        "extremes": "1",
        "limit": "1", "offset": "1", "max_rows_to_read": "4", "max_bytes_to_read": "1", "force_primary_key": "1",
        "query_plan_enable_optimizations": "0",
        "optimize_move_to_prewhere": "1", "sql_security": "invoker", "allow_experimental_analyzer": "0",
        "client_protocol_version": "99999999999999999999",
        "max_block_size": "1", "max_insert_block_size": "0", "async_insert": "1", "compile_expressions": "1",
        "calculate_text_stack_trace": "1",
        "send_timeout": "0", "receive_timeout": "0", "network_compression_method": "x", "transform_null_in": "1",
        "join_use_nulls": "1",
        "session_timezone": "'; DROP TABLE spans_raw; --",
        "format_csv_delimiter": "'", "output_format_json_quote_64bit_integers": "1, readonly = 0",
        "date_time_output_format": "iso', readonly = '0", "bool_true_representation": "', log_comment = 'bank",
        "query_id": "' OR 1 --",
        "query": "; DROP TABLE spans_raw", "database": "bank", "user": "bank", "password": "es_project_" + "a" * 40,
        "compress": "2", "decompress": "2", "enable_http_compression": "x", "http_zlib_compression_level": "99999",
    }.items()
}  # fmt: skip
PARAMETERS = {
    "database of the system": Url({"database": "system"}, "SELECT * FROM processes"),
    "database with a quote": Url({"database": "default'; DROP TABLE spans_raw; --"}),
    "database of nothing": Url({"database": "\0"}),
    "query id with a line break": Url({"query_id": "x\r\nX-Evil: 1"}),
    "query id of another": Url({"query_id": "*/ SELECT 1 /*"}),
    "query id, very long": Url({"query_id": "x" * 50_000}),
    "format with a line break": Url({"default_format": "JSON\r\nX-Evil: 1"}),
    "format with more": Url({"default_format": "JSON INTO OUTFILE '<out>'"}),
    "format with settings": Url({"default_format": "JSON SETTINGS log_comment='bank'"}),
    "parameter with a text's end": Url(
        {"param_x": "'; DROP TABLE spans_raw; --"}, "SELECT {x:String} AS x, name FROM spans"
    ),
    "parameter with a backslash": Url(
        {"param_x": "\\' OR 1 = 1 --"}, "SELECT count() FROM spans WHERE name = {x:String}"
    ),
    "parameter that is no number": Url(
        {"param_x": "1 OR 1"}, "SELECT count() FROM spans WHERE duration_ms = {x:UInt64}"
    ),
    "parameter with an array's end": Url({"param_x": "['a'], file('<file>')"}, "SELECT {x:Array(String)}"),
    "parameter with a NUL": Url({"param_x": "\0"}, "SELECT {x:String}"),
    "parameter, tab": Url({"param_x": "a\tb"}, "SELECT {x:String}"),
    "parameter of a table": Url({"param_x": "spans_raw"}, "SELECT * FROM {x:Identifier}"),
    "parameter named as ours": Url({"param__project": "bank"}, "SELECT {_project:String}, name FROM spans"),
    "two thousand parameters": Url({f"param_{n}": "x" for n in range(2_000)}),
    "a huge parameter": Url({"param_x": "x" * 60_000}, "SELECT length({x:String})"),
    "a setting twice": Url({"max_threads": "1", "max_threads ": "100"}),
    "a setting in capitals": Url({"READONLY": "0", "Log_Comment": "bank"}),
    "a setting with a prefix": Url({"merge_tree_index_granularity": "1", "SQL_x": "1", "custom_x": "1"}),
}
