-- Words of a span's texts, for full-text search: one index over all of them, so that a search is one condition (api/reading/search.py).
-- Inserts leave it out (Store.insert); merges build it. It costs about 1.6 µs a row and merge.
ALTER TABLE spans_raw ADD INDEX IF NOT EXISTS words
    lower(replaceAll(replaceAll(replaceAll(replaceAll(concat(input, ' ', output, ' ', name, ' ', status_message, ' ', error_type), '\\\\', ' '), '\\n', ' '), '\\t', ' '), '\\r', ' '))
    TYPE text(tokenizer = 'splitByNonAlpha');
