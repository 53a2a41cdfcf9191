-- One row a span; schemas/spans.py says what each column means. Measured choices: docs/decisions.
-- * A sort key that grows with arrival (_bucket) keeps the parts from overlapping: a merge then copies ranges, FINAL skips most of them.
-- * Inserts write compact parts (few files), merges write wide ones, column by column (vertical merge): 3 µs a row instead of 9.
-- * A larger merge_selector_base merges more parts at once, and merges end at 384 MiB: a row is rewritten less often.
--   Both limits bound the memory of a merge too: 8 MiB a part that goes in, and about the size of the result for the index of words.
-- * Texts have the default codec: LZ4 in small parts, ZSTD(1) in those that stay (chdb_config.py). On the other columns ZSTD costs
--   more than it saves.
-- * What is inserted or merged is on the disk (fsync) before it counts; a part that is broken at start was damaged later, and stops the start.
-- * The window lets a replayed insert be told by its token.
CREATE TABLE IF NOT EXISTS spans_raw
(
    project LowCardinality(String) CODEC(LZ4),
    trace_id String CODEC(LZ4),
    span_id String CODEC(LZ4),
    parent_span_id String CODEC(LZ4),
    name LowCardinality(String) CODEC(LZ4),
    kind LowCardinality(String) CODEC(LZ4),
    start_time DateTime64(9, 'UTC') CODEC(Delta, LZ4),
    end_time DateTime64(9, 'UTC') CODEC(Delta, LZ4),
    duration_ms Float64 CODEC(LZ4),
    status LowCardinality(String) CODEC(LZ4),
    status_message String,
    error_type LowCardinality(String) CODEC(LZ4),
    service LowCardinality(String) CODEC(LZ4),
    environment LowCardinality(String) CODEC(LZ4),
    release LowCardinality(String) CODEC(LZ4),
    scope_name LowCardinality(String) CODEC(LZ4),
    scope_version LowCardinality(String) CODEC(LZ4),
    trace_name LowCardinality(String) CODEC(LZ4),
    session_id String CODEC(LZ4),
    user_id String CODEC(LZ4),
    tags Array(LowCardinality(String)) CODEC(LZ4),
    metadata Map(LowCardinality(String), String) CODEC(LZ4),
    agent_name LowCardinality(String) CODEC(LZ4),
    workflow_name LowCardinality(String) CODEC(LZ4),
    provider LowCardinality(String) CODEC(LZ4),
    request_model LowCardinality(String) CODEC(LZ4),
    response_model LowCardinality(String) CODEC(LZ4),
    response_id String CODEC(LZ4),
    model_parameters Map(LowCardinality(String), String) CODEC(LZ4),
    response_format String,
    tool_definitions String,
    input String,
    output String,
    documents String,
    tool_name LowCardinality(String) CODEC(LZ4),
    tool_call_id String CODEC(LZ4),
    prompt_name LowCardinality(String) CODEC(LZ4),
    prompt_version LowCardinality(String) CODEC(LZ4),
    experiment LowCardinality(String) CODEC(LZ4),
    dataset_item String CODEC(LZ4),
    dataset_version LowCardinality(String) CODEC(LZ4),
    trial Nullable(UInt32) CODEC(LZ4),
    input_tokens Nullable(UInt64) CODEC(LZ4),
    output_tokens Nullable(UInt64) CODEC(LZ4),
    total_tokens Nullable(UInt64) CODEC(LZ4),
    cache_read_tokens Nullable(UInt64) CODEC(LZ4),
    cache_write_tokens Nullable(UInt64) CODEC(LZ4),
    reasoning_tokens Nullable(UInt64) CODEC(LZ4),
    usage Map(LowCardinality(String), UInt64) CODEC(LZ4),
    usage_raw Map(LowCardinality(String), String) CODEC(LZ4),
    usage_flags Array(LowCardinality(String)) CODEC(LZ4),
    usage_counted Bool CODEC(LZ4),
    cost Nullable(Decimal(38, 15)) CODEC(LZ4),
    cost_source LowCardinality(String) CODEC(LZ4),
    price_version LowCardinality(String) CODEC(LZ4),
    time_to_first_token_ms Nullable(Float64) CODEC(LZ4),
    streaming Bool CODEC(LZ4),
    finish_reason LowCardinality(String) CODEC(LZ4),
    attributes Map(LowCardinality(String), String) CODEC(LZ4),
    resource_attributes Map(LowCardinality(String), String) CODEC(LZ4),
    events String,
    links String,
    _trace_metadata Map(LowCardinality(String), String) CODEC(LZ4),
    _attribute_count UInt32 CODEC(LZ4),
    _pending Bool CODEC(LZ4),
    _title String CODEC(LZ4),
    _received_at DateTime64(9, 'UTC') CODEC(Delta, LZ4),
    _bucket DateTime64(3, 'UTC') CODEC(LZ4),
    _head Bool CODEC(LZ4),
    _inherited Array(LowCardinality(String)) CODEC(LZ4),
    _first_position UInt64 CODEC(LZ4),
    _revision UInt32 CODEC(LZ4),
    _version UInt128 CODEC(LZ4),
    INDEX start_time_range start_time TYPE minmax GRANULARITY 1,
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX session_id_bloom session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX user_id_bloom user_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX response_id_bloom response_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version)
PARTITION BY toDate(_bucket)
ORDER BY (project, _bucket, trace_id, span_id)
SETTINGS
    min_level_for_wide_part = 1,
    min_bytes_for_wide_part = 33554432,
    merge_selector_base = 20,
    max_parts_to_merge_at_once = 20,
    max_bytes_to_merge_at_max_space_in_pool = 402653184,
    vertical_merge_algorithm_min_rows_to_activate = 32768,
    auto_statistics_types = '',
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    max_suspicious_broken_parts = 0,
    non_replicated_deduplication_window = 1000;

-- One row a log record, kept whether or not its span ever comes. _id is the hash of the content: a retried record falls on itself.
CREATE TABLE IF NOT EXISTS logs_raw
(
    project LowCardinality(String),
    time DateTime64(9, 'UTC') CODEC(Delta, LZ4),
    trace_id String,
    span_id String,
    event_name LowCardinality(String),
    severity LowCardinality(String),
    body String CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String),
    joined Bool,
    _id String,
    _content String CODEC(ZSTD(1)),
    _response_id String,
    _received_at DateTime64(9, 'UTC') CODEC(Delta, LZ4),
    _version UInt64,
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX response_id_bloom _response_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version)
ORDER BY (project, time, _id)
SETTINGS
    auto_statistics_types = '',
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    max_suspicious_broken_parts = 0,
    non_replicated_deduplication_window = 1000;

-- One row an evaluation result or piece of feedback, unique by (project, id); a change is a row with a higher _version.
CREATE TABLE IF NOT EXISTS scores_raw
(
    project LowCardinality(String),
    id String,
    name LowCardinality(String),
    target_type LowCardinality(String),
    trace_id String,
    span_id String,
    session_id String,
    dataset_item String,
    experiment LowCardinality(String),
    value Nullable(Float64),
    label String,
    explanation String CODEC(ZSTD(1)),
    outcome LowCardinality(String),
    reason String,
    stddev Nullable(Float64),
    samples Nullable(UInt32),
    revision Nullable(UInt64),
    rule LowCardinality(String),
    trial Nullable(UInt32),
    raw_value Nullable(Float64),
    calibration_version LowCardinality(String),
    findings String CODEC(ZSTD(1)),
    annotator String,
    shadow Bool,
    deleted Bool,
    source LowCardinality(String),
    evaluator LowCardinality(String),
    evaluator_version LowCardinality(String),
    judge_model LowCardinality(String),
    cost Nullable(Decimal(38, 15)),
    latency_ms Nullable(Float64),
    metadata Map(LowCardinality(String), String),
    created_at DateTime64(9, 'UTC') CODEC(Delta, LZ4),
    _version UInt64,
    INDEX created_at_range created_at TYPE minmax GRANULARITY 1,
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX session_id_bloom session_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version)
ORDER BY (project, id)
SETTINGS
    auto_statistics_types = '',
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    max_suspicious_broken_parts = 0,
    non_replicated_deduplication_window = 1000;

-- What could not be stored, with its bytes. kind: rejected (refused at the door) or dead (acknowledged, then not writable).
CREATE TABLE IF NOT EXISTS dead_letters
(
    project LowCardinality(String),
    id String,
    kind LowCardinality(String),
    topic LowCardinality(String),
    reason String,
    time DateTime64(9, 'UTC'),
    payload String CODEC(ZSTD(1)),
    replayed Bool,
    dropped Bool,
    _version UInt64
)
ENGINE = ReplacingMergeTree(_version)
ORDER BY (project, id)
SETTINGS
    auto_statistics_types = '',
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    max_suspicious_broken_parts = 0,
    non_replicated_deduplication_window = 1000;

-- Traces that were deleted: a late retry of one of their spans is dropped by the span writer. spans: how many rows went, so that a
-- deletion that is done again after a crash counts the same.
CREATE TABLE IF NOT EXISTS deleted_traces
(
    project LowCardinality(String),
    trace_id String,
    deleted_at DateTime64(9, 'UTC'),
    spans UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (project, trace_id, deleted_at)
SETTINGS
    auto_statistics_types = '',
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    max_suspicious_broken_parts = 0;
