"""Retrieved and reranked documents of every source → [{"id", "content", "score", "metadata"}], unknown fields left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingest.normalise.content import keys
from ingest.normalise.content.view import Node, View
from ingest.normalise.values import Value, dump, mapping, number, parsed, sequence, text_of

_ID: Final = ("id", "_id", "document_id", "doc_id", "chunk_id", "documentId")
_CONTENT: Final = ("content", "page_content", "pageContent", "text", "document", "chunk", "body")
_SCORE: Final = ("score", "relevance_score", "relevanceScore", "similarity", "similarity_score")
_METADATA: Final = ("metadata", "meta")
_LISTS: Final = (
    "documents",
    "docs",
    "output",
    "outputs",
    "results",
    "matches",
    "source_documents",
    "chunks",
    "hits",
)
_RAW: Final = ("langfuse.observation.output", "gen_ai.completion", "traceloop.entity.output", "output.value")
_MAX_NESTING = 3


def documents_of(view: View) -> tuple[str, tuple[str, ...]]:
    """The documents as JSON text ('' when there are none), and the attribute keys that they repeat in full."""
    if view.signals & keys.DOCUMENTS:
        text, used = _explicit(view)
        if text:
            return text, used
    if view.kind in ("retriever", "reranker"):
        for key in _RAW:
            if found := _listed(parsed(view.attributes.get(key)), 0):
                return dump(found), ()
    return "", ()


def _explicit(view: View) -> tuple[str, tuple[str, ...]]:
    """Documents under keys made for them, whatever the kind of the span."""
    explicit = view.attributes.get("gen_ai.retrieval.documents")
    if explicit is not None and (found := _listed(parsed(explicit), 0)):
        return dump(found), ("gen_ai.retrieval.documents",)
    for family in ("retrieval.documents", "reranker.output_documents"):
        if family in view.lists:
            found = [_flattened(entry) for entry in view.entries(family)]
            return dump(_with_ids(found, view)), tuple(view.list_keys[family])
    return "", ()


def _flattened(entry: Node) -> dict[str, Value]:
    return _document({key: entry.leaf(key) for key in ("id", "content", "score", "metadata")}) or {}


def _with_ids(documents: list[dict[str, Value]], view: View) -> list[dict[str, Value]]:
    """LangChain through OpenInference flattens the documents without ids: they stand in the raw output."""
    if any("id" in document for document in documents):
        return documents
    raw = _listed(parsed(view.attributes.get("output.value")), 0)
    if len(raw) != len(documents):
        return documents
    pairs = list(zip(documents, raw, strict=True))
    if any(document.get("content") != other.get("content") for document, other in pairs):
        return documents
    return [{**other, **document} for document, other in pairs]


def _listed(value: Value, depth: int) -> list[dict[str, Value]]:
    """The documents in a list, or under one of the names that frameworks use for the list."""
    if isinstance(value, dict) and depth < _MAX_NESTING:
        for name in _LISTS:
            if name in value:
                return _listed(parsed(value[name]), depth + 1)
        return []
    if not isinstance(value, list):
        return []
    found = [_document(item) for item in value]
    return [document for document in found if document is not None] if all(found) else []


def _document(item: Value) -> dict[str, Value] | None:
    """One document; None when the item is none. LangChain pairs some with their score: [document, 0.9]."""
    if isinstance(item, str):
        return {"content": item}
    if isinstance(item, list) and len(item) == 2:
        document, score = _document(item[0]), number(item[1])
        return None if document is None or score is None else {**document, "score": score}
    if not isinstance(item, dict):
        return None
    inner = item.get("kwargs") if "lc" in item else item.get("document", item)
    if isinstance(inner, dict) and inner is not item:
        return _fields({**inner, **{key: item[key] for key in _SCORE if key in item}})
    return _fields(item)


def _fields(item: Mapping[str, Value]) -> dict[str, Value] | None:
    document: dict[str, Value] = {}
    identity, content, score = _first(item, _ID), _first(item, _CONTENT), number(_first(item, _SCORE))
    if identity is not None:
        document["id"] = text_of(identity)
    if content is not None:
        document["content"] = text_of(content)
    if not document:
        return None
    if score is not None:
        document["score"] = score
    metadata = _metadata(item)
    if metadata:
        document["metadata"] = metadata
    return document


def _metadata(item: Mapping[str, Value]) -> dict[str, Value]:
    """The document's metadata, else whatever else the free form holds."""
    given = _first(item, _METADATA)
    if given is not None:
        found = mapping(given)
        return found or ({"value": given} if not sequence(given) and given not in ("", "{}", {}) else {})
    used = {*_ID, *_CONTENT, *_SCORE, *_METADATA, "type", "lc"}
    return {key: value for key, value in item.items() if key not in used and value is not None}


def _first(item: Mapping[str, Value], names: tuple[str, ...]) -> Value:
    for name in names:
        value = item.get(name)
        if value is not None:
            return value
    return None
