"""The nested content of spans and log records, row by row: messages, tools, documents, parameters, evaluations.

The slow path of the normaliser, for rows whose content is not canonical JSON text already. Pure functions; nothing
raises on any input. The rules are those of docs/reference/columns.md.
"""

from ingest.normalise.content.logs import join_logs, log_content
from ingest.normalise.content.model import Content, Evaluation, LogContent, Message, Part, RawEvent, RawSpan
from ingest.normalise.content.spans import content_of
from ingest.normalise.values import Value

__all__ = [
    "Content", "Evaluation", "LogContent", "Message", "Part", "RawEvent", "RawSpan", "Value",
    "content_of", "join_logs", "log_content",
]  # fmt: skip
