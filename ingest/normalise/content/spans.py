"""`content_of`: all nested content of one span."""

from __future__ import annotations

from typing import Final

from ingest.normalise.content.documents import documents_of
from ingest.normalise.content.evaluations import evaluations_of
from ingest.normalise.content.finish import finish_reason
from ingest.normalise.content.model import Content, RawSpan
from ingest.normalise.content.parameters import model_parameters, response_format
from ingest.normalise.content.sources import Found, found_on
from ingest.normalise.content.toolcalls import tool_call_id, tool_name
from ingest.normalise.content.tools import tool_definitions
from ingest.normalise.content.view import view_of
from ingest.normalise.values import dump


def content_of(span: RawSpan) -> Content:
    """Input, output, documents, tools, parameters and evaluations of a span, from whatever dialect it speaks.

    Pure, and total: no span makes it raise. What it does not understand stays in the attributes.
    """
    view = view_of(span)
    asked, answered = found_on(view, "input"), found_on(view, "output")
    documents, document_keys = documents_of(view)
    tools, tool_keys = tool_definitions(view)
    used = {*asked.keys, *answered.keys, *document_keys, *tool_keys}
    return Content(
        input=_text(asked),
        output=_text(answered),
        documents=documents,
        tool_definitions=tools,
        model_parameters=model_parameters(view),
        response_format=response_format(view),
        tool_name=tool_name(view),
        tool_call_id=tool_call_id(view),
        finish_reason=finish_reason(view, answered.messages),
        evaluations=evaluations_of(view),
        consumed=frozenset(used.intersection(span.attributes)) if used else _NONE,
    )


def _text(found: Found) -> str:
    return dump(found.messages) if found.messages else found.text


_NONE: Final[frozenset[str]] = frozenset()
