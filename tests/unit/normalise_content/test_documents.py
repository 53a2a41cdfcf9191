"""Retrieved and reranked documents (mapping.md 2.6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.normalise_content.helpers import as_json, opened, read

LANGCHAIN = {"page_content": "Refunds take 5 days.", "metadata": {"source": "kb.md"}, "type": "Document"}
FULL = {"id": "doc-1", "content": "Refunds take 5 days.", "score": 0.92, "metadata": {"source": "kb.md"}}
PLAIN = {"content": "Refunds take 5 days.", "metadata": {"source": "kb.md"}}


@pytest.mark.parametrize(
    ("kind", "attributes", "documents"),
    [
        ("retriever", {"gen_ai.retrieval.documents": '[{"id":"doc-1","score":null}]'}, [{"id": "doc-1"}]),
        (
            "span",
            {
                "retrieval.documents.0.document.id": 7,
                "retrieval.documents.0.document.content": "Refunds take 5 days.",
                "retrieval.documents.0.document.score": 0.92,
                "retrieval.documents.0.document.metadata": '{"source": "kb.md"}',
            },
            [{**FULL, "id": "7"}],
        ),
        (
            "reranker",
            {
                "reranker.input_documents.0.document.content": "b",
                "reranker.output_documents.3.document.content": "a",
                "reranker.output_documents.3.document.score": 0.99,
            },
            [{"content": "a", "score": 0.99}],
        ),
        (
            "retriever",
            {
                "langfuse.observation.output": as_json(
                    [{"id": "doc-1", "score": 0.92, "text": "Refunds take 5 days.", "source": "kb.md"}]
                )
            },
            [FULL],
        ),
        ("retriever", {"traceloop.entity.output": as_json({"documents": [LANGCHAIN], "count": 1})}, [PLAIN]),
        ("retriever", {"gen_ai.completion": as_json({"output": [LANGCHAIN]})}, [PLAIN]),
        (
            "retriever",
            {"output.value": as_json({"documents": [{**LANGCHAIN, "id": "doc-1"}]})},
            [{**PLAIN, "id": "doc-1"}],
        ),
        (
            "retriever",
            {
                "output.value": as_json(
                    [{"lc": 1, "type": "constructor", "id": ["Document"], "kwargs": LANGCHAIN}]
                )
            },
            [PLAIN],
        ),
        ("retriever", {"output.value": as_json([[LANGCHAIN, 0.5]])}, [{**PLAIN, "score": 0.5}]),
        (
            "retriever",
            {"output.value": as_json(["Refunds take 5 days."])},
            [{"content": "Refunds take 5 days."}],
        ),
    ],
)
def test_documents(kind: str, attributes: Any, documents: Any) -> None:
    assert opened(read(kind, attributes).documents) == documents


def test_ids_that_stand_only_in_the_raw_output() -> None:
    content = read(
        "retriever",
        {
            "retrieval.documents.0.document.content": "Refunds take 5 days.",
            "retrieval.documents.0.document.metadata": '{"source": "kb.md"}',
            "output.value": as_json({"documents": [{**LANGCHAIN, "id": "doc-1"}]}),
        },
    )
    assert opened(content.documents) == [{**PLAIN, "id": "doc-1"}]


@pytest.mark.parametrize(
    ("kind", "output"),
    [
        ("chain", as_json([LANGCHAIN])),
        ("retriever", "none found"),
        ("retriever", "[]"),
        ("retriever", '{"a": 1}'),
        ("retriever", "[1, 2]"),
    ],
)
def test_no_documents(kind: str, output: str) -> None:
    content = read(kind, {"output.value": output})
    assert content.documents == ""
    assert content.output == output
