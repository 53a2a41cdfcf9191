-- What people see: one project, exact under retries (FINAL), without internal columns. The project is the query's `log_comment`:
-- the one free-text setting that the engine has (the embedded one accepts no settings of our own); a reader cannot change it,
-- and without it a view is empty. SQL SECURITY DEFINER lets a role that may read nothing but the views read through them.
CREATE OR REPLACE VIEW spans DEFINER = default SQL SECURITY DEFINER AS
SELECT COLUMNS('^[^_]')
FROM spans_raw FINAL
WHERE project = getSetting('log_comment');

CREATE OR REPLACE VIEW logs DEFINER = default SQL SECURITY DEFINER AS
SELECT COLUMNS('^[^_]')
FROM logs_raw FINAL
WHERE project = getSetting('log_comment');

-- A deleted score is gone for readers; the row stays, so that a late retry does not bring it back.
CREATE OR REPLACE VIEW scores DEFINER = default SQL SECURITY DEFINER AS
SELECT COLUMNS('^[^_]')
FROM scores_raw FINAL
WHERE project = getSetting('log_comment') AND NOT deleted;

-- One row a trace, from the spans that are there now. `place` puts the roots first, then the earliest span.
-- * name: what the client or workflow called it, else the first span's name; input: the first span's that has one; output: the last root's, else the last span's.
-- * status: error when a root failed, or when any span did and no root has come yet; else the root's own.
-- * tokens and cost: the bill, that is the sums over usage_counted; NULL when nothing is known.
CREATE OR REPLACE VIEW traces DEFINER = default SQL SECURITY DEFINER AS
WITH (s.parent_span_id != '', s.start_time, s.span_id) AS place, (s.parent_span_id = '', s.end_time, s.span_id) AS last_place
SELECT
    s.project AS project,
    s.trace_id AS trace_id,
    argMin(if(s.trace_name != '', s.trace_name, s.name), (s.trace_name = '', place)) AS name,
    min(s.start_time) AS start_time,
    max(s.end_time) AS end_time,
    greatest(0, toUnixTimestamp64Nano(max(s.end_time)) - toUnixTimestamp64Nano(min(s.start_time))) / 1e6 AS duration_ms,
    multiIf(
        countIf(s.parent_span_id = '' AND s.status = 'error') > 0, 'error',
        countIf(s.parent_span_id = '') > 0, argMin(s.status, place),
        countIf(s.status = 'error') > 0, 'error',
        'unset') AS status,
    count() AS span_count,
    countIf(s.status = 'error') AS error_count,
    argMin(s.session_id, (s.session_id = '', place)) AS session_id,
    argMin(s.user_id, (s.user_id = '', place)) AS user_id,
    argMin(s.environment, (s.environment = '', place)) AS environment,
    argMin(s.release, (s.release = '', place)) AS release,
    argMin(s.tags, (empty(s.tags), place)) AS tags,
    argMin(s.input, (s.input = '', place)) AS input,
    argMax(s.output, (s.output != '', last_place)) AS output,
    sumIf(s.input_tokens, s.usage_counted) AS input_tokens,
    sumIf(s.output_tokens, s.usage_counted) AS output_tokens,
    sumIf(s.total_tokens, s.usage_counted) AS total_tokens,
    sumIf(s.cost, s.usage_counted) AS cost,
    arraySort(groupUniqArrayIf(
        if(s.request_model != '', s.request_model, s.response_model),
        s.request_model != '' OR s.response_model != '')) AS models
FROM spans_raw AS s FINAL
WHERE s.project = getSetting('log_comment')
GROUP BY s.project, s.trace_id;

-- One row a session: the spans that carry its id (their own or inherited from their trace).
CREATE OR REPLACE VIEW sessions DEFINER = default SQL SECURITY DEFINER AS
SELECT
    s.project AS project,
    s.session_id AS session_id,
    argMin(s.user_id, (s.user_id = '', s.start_time, s.span_id)) AS user_id,
    min(s.start_time) AS start_time,
    max(s.end_time) AS end_time,
    uniqExact(s.trace_id) AS trace_count,
    count() AS span_count,
    countIf(s.status = 'error') AS error_count,
    sumIf(s.input_tokens, s.usage_counted) AS input_tokens,
    sumIf(s.output_tokens, s.usage_counted) AS output_tokens,
    sumIf(s.total_tokens, s.usage_counted) AS total_tokens,
    sumIf(s.cost, s.usage_counted) AS cost
FROM spans_raw AS s FINAL
WHERE s.project = getSetting('log_comment') AND s.session_id != ''
GROUP BY s.project, s.session_id;
