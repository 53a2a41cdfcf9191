-- One row a span; schemas/spans.py says what each column means. Measured choices: docs/decisions.
-- * A sort key that grows with arrival (_bucket) keeps the parts from overlapping: a merge then copies ranges, FINAL skips most of them.
-- * Inserts write compact parts (few files), merges write wide ones, column by column (vertical merge): 3 µs a row instead of 9.
-- * A larger merge_selector_base merges more parts at once, so that a row is rewritten less often.
-- * What is inserted or merged is on the disk (fsync) before it counts; a part that is broken at start was damaged later, and stops the start.
-- * The window lets a replayed insert be told by its token.
CREATE TABLE IF NOT EXISTS spans_raw
(
    project LowCardinality(String),
    trace_id String,
    span_id String,
    parent_span_id String,
    name LowCardinality(String),
    kind LowCardinality(String),
    start_time DateTime64(9, 'UTC') CODEC(Delta, LZ4),
    end_time DateTime64(9, 'UTC') CODEC(Delta, LZ4),
    duration_ms Float64,
    status LowCardinality(String),
    status_message String CODEC(ZSTD(1)),
    error_type LowCardinality(String),
    service LowCardinality(String),
    environment LowCardinality(String),
    release LowCardinality(String),
    scope_name LowCardinality(String),
    scope_version LowCardinality(String),
    trace_name LowCardinality(String),
    session_id String,
    user_id String,
    tags Array(LowCardinality(String)),
    metadata Map(LowCardinality(String), String),
    agent_name LowCardinality(String),
    workflow_name LowCardinality(String),
    provider LowCardinality(String),
    request_model LowCardinality(String),
    response_model LowCardinality(String),
    response_id String,
    model_parameters Map(LowCardinality(String), String),
    response_format String CODEC(ZSTD(1)),
    tool_definitions String CODEC(ZSTD(1)),
    input String CODEC(ZSTD(1)),
    output String CODEC(ZSTD(1)),
    documents String CODEC(ZSTD(1)),
    tool_name LowCardinality(String),
    tool_call_id String,
    prompt_name LowCardinality(String),
    prompt_version LowCardinality(String),
    experiment LowCardinality(String),
    dataset_item String,
    dataset_version LowCardinality(String),
    trial Nullable(UInt32),
    input_tokens Nullable(UInt64),
    output_tokens Nullable(UInt64),
    total_tokens Nullable(UInt64),
    cache_read_tokens Nullable(UInt64),
    cache_write_tokens Nullable(UInt64),
    reasoning_tokens Nullable(UInt64),
    usage Map(LowCardinality(String), UInt64),
    usage_raw Map(LowCardinality(String), String),
    usage_flags Array(LowCardinality(String)),
    usage_counted Bool,
    cost Nullable(Decimal(38, 15)),
    cost_source LowCardinality(String),
    price_version LowCardinality(String),
    time_to_first_token_ms Nullable(Float64),
    streaming Bool,
    finish_reason LowCardinality(String),
    attributes Map(LowCardinality(String), String),
    resource_attributes Map(LowCardinality(String), String),
    events String CODEC(ZSTD(1)),
    links String CODEC(ZSTD(1)),
    _trace_metadata Map(LowCardinality(String), String),
    _attribute_count UInt32,
    _pending Bool,
    _title String,
    _received_at DateTime64(9, 'UTC') CODEC(Delta, LZ4),
    _bucket DateTime64(3, 'UTC'),
    _head Bool,
    _inherited Array(LowCardinality(String)),
    _first_position UInt64,
    _revision UInt32,
    _version UInt128,
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
