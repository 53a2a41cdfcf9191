"""Settings of a request: some are fixed, some may only be lowered, some are taken as they are, all others are ignored.

Clients send many settings, most of them without need, so an unknown one is no error. What is taken is spelled out here with the
form of its value: nothing reaches the engine unlooked-at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from api.sql_http.problems import BAD_ARGUMENTS, NOT_ALLOWED, ProtocolError
from schemas.ports import ReadLimits

_FLAG = re.compile(r"[01]|true|false", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,12}")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+\-/]{0,60}")
_CHARACTER = re.compile(r"[^\\'\0\r\n]|\\t")
_TEXT = re.compile(r"[^\0]{0,100}")


def _one_of(*values: str) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, values)), re.IGNORECASE)


_FLAGS = """
    join_use_nulls group_by_use_nulls transform_null_in extremes aggregate_functions_null_for_empty cast_keep_nullable
    allow_suspicious_types_in_order_by allow_suspicious_types_in_group_by use_variant_as_common_type
    output_format_json_quote_64bit_integers output_format_json_quote_64bit_floats output_format_json_quote_denormals
    output_format_json_quote_decimals output_format_json_escape_forward_slashes output_format_json_named_tuples_as_objects
    output_format_json_array_of_rows output_format_json_validate_utf8 output_format_json_skip_null_value_in_named_tuples
    output_format_json_map_as_array_of_tuples output_format_csv_crlf_end_of_line output_format_tsv_crlf_end_of_line
    output_format_csv_serialize_tuple_into_separate_columns output_format_binary_write_json_as_string
    output_format_native_encode_types_in_binary_format output_format_native_write_json_as_string
    output_format_native_use_flattened_dynamic_and_json_serialization output_format_binary_encode_types_in_binary_format
    output_format_arrow_string_as_string output_format_arrow_fixed_string_as_fixed_byte_array
    output_format_arrow_low_cardinality_as_dictionary output_format_arrow_use_signed_indexes_for_dictionary
    output_format_arrow_use_64_bit_indexes_for_dictionary output_format_arrow_unsupported_types_as_binary
    output_format_parquet_string_as_string output_format_parquet_fixed_string_as_fixed_byte_array
    output_format_orc_string_as_string output_format_pretty_row_numbers output_format_pretty_color
    output_format_pretty_highlight_digit_groups output_format_markdown_escape_special_characters
    output_format_sql_insert_include_column_names output_format_sql_insert_use_replace
    output_format_decimal_trailing_zeros
"""
_NUMBERS = """
    limit offset
    output_format_pretty_max_rows output_format_pretty_max_column_pad_width output_format_pretty_max_value_width
    output_format_sql_insert_max_batch_size
"""
_TAKEN: dict[str, re.Pattern[str]] = {
    **dict.fromkeys(_FLAGS.split(), _FLAG),
    **dict.fromkeys(_NUMBERS.split(), _NUMBER),
    "session_timezone": _ZONE,
    "date_time_output_format": _one_of("simple", "iso", "unix_timestamp", "unix_timestamp_millis"),
    "format_csv_delimiter": _CHARACTER,
    "format_csv_null_representation": _TEXT,
    "format_tsv_null_representation": _TEXT,
    "bool_true_representation": _TEXT,
    "bool_false_representation": _TEXT,
    "output_format_pretty_grid_charset": _one_of("UTF-8", "ASCII"),
    "output_format_arrow_compression_method": _one_of("none", "lz4_frame", "zstd"),
    "output_format_parquet_compression_method": _one_of("none", "snappy", "lz4", "brotli", "zstd", "gzip"),
    "output_format_orc_compression_method": _one_of("none", "snappy", "lz4", "zlib", "zstd"),
    "output_format_avro_codec": _one_of("null", "deflate", "snappy", "zstd"),
    "result_overflow_mode": _one_of("throw", "break"),
}
_FIELDS = {
    "max_execution_time": "seconds",
    "max_memory_usage": "memory_bytes",
    "max_result_rows": "result_rows",
    "max_result_bytes": "result_bytes",
    "max_threads": "threads",
}
"""Setting → the field of `ReadLimits` that it may lower; 0 means no limit of the client's own."""

CHANGEABLE = frozenset({*_TAKEN, *_FIELDS})
"""The settings that a client may send."""

REFUSED = frozenset({"additional_table_filters", "additional_result_filter"})
"""Settings that would change an answer and are not taken: to ignore them would be to answer another question."""

FIXED = {"output_format_write_statistics": "0"}
"""Set for every query: statistics tell how many rows of the tables below the views were read."""


def taken(given: Mapping[str, object]) -> dict[str, str]:
    """Those of the given settings that are handed to the engine.

    Raises ProtocolError for a value that is none, and for a setting in `REFUSED`.
    """
    chosen = dict(FIXED)
    for name, value in given.items():
        if name in REFUSED and _text(value) not in ("", "{}"):
            raise ProtocolError(NOT_ALLOWED, f"{name} is not allowed: write the condition in the query")
        form = _TAKEN.get(name)
        if form is not None:
            text = _text(value)
            if not form.fullmatch(text):
                raise ProtocolError(BAD_ARGUMENTS, f"{text[:60]!r} is not a value of the setting {name}")
            chosen[name] = text
    return chosen


def lowered(limits: ReadLimits, given: Mapping[str, object]) -> ReadLimits:
    """The limits, where the client asks for less. Raises ProtocolError for a value that is no number."""
    changes: dict[str, float] = {}
    for name, field in _FIELDS.items():
        if name in given:
            asked, most = _number(name, _text(given[name])), getattr(limits, field)
            if asked and (not most or asked < most):
                changes[field] = asked if field == "seconds" else max(1, int(asked))
    return replace(limits, **changes) if changes else limits  # type: ignore[arg-type]


def _number(name: str, text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,20}(\.[0-9]{0,9})?", text):
        raise ProtocolError(BAD_ARGUMENTS, f"{text[:60]!r} is not a value of the setting {name}")
    return float(text)


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
