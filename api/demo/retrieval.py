"""The shop assistant's own steps, traced by hand with OpenInference's conventions: guardrail, retrieval, reranking."""

from __future__ import annotations

from dataclasses import dataclass

from openinference.semconv.trace import DocumentAttributes, RerankerAttributes, SpanAttributes

from api.demo.clock import jitter
from api.demo.shop import ATTACKS, HANDBOOK, Document
from api.demo.shop_bot import embed
from api.demo.stage import Stage

DIMENSIONS = 64
EMBEDDING_MODEL = "text-embedding-3-small"


@dataclass(frozen=True, slots=True)
class Found:
    """A page with its score (cosine similarity, 0 to 1)."""

    document: Document
    score: float


class InputRefused(Exception):
    """The guardrail did not let the customer's message pass."""


def check_input(stage: Stage, text: str) -> None:
    """A guardrail span. Raises InputRefused for an attack."""
    with stage.oi_tracer.start_as_current_span("check-input", openinference_span_kind="guardrail") as span:
        span.set_input(text)
        stage.clock.spend(jitter(stage.rng, 0.006))
        refused = text in ATTACKS
        span.set_output({"flagged": refused, "policy": "prompt-injection"})
    if refused:
        raise InputRefused("The message looks like a prompt injection")


def search_handbook(stage: Stage, question: str, top_k: int) -> list[Found]:
    """The best pages for a question, best first: a retriever span around the embedding of the question."""
    with stage.oi_tracer.start_as_current_span(
        "search-handbook", openinference_span_kind="retriever"
    ) as span:
        span.set_input(question)
        answer = stage.openai.embeddings.create(
            model=EMBEDDING_MODEL, input=question, dimensions=DIMENSIONS, encoding_format="float"
        )
        stage.clock.spend(jitter(stage.rng, 0.012))
        found = nearest(answer.data[0].embedding, top_k)
        span.set_attributes(document_attributes(SpanAttributes.RETRIEVAL_DOCUMENTS, found))
        return found


def nearest(vector: list[float], top_k: int) -> list[Found]:
    """The handbook's pages nearest to a vector."""
    hits = [Found(page, score(vector, embed(f"{page.title} {page.text}", DIMENSIONS))) for page in HANDBOOK]
    return sorted(hits, key=lambda hit: -hit.score)[:top_k]


def score(left: list[float], right: tuple[float, ...]) -> float:
    """Cosine similarity of two unit vectors, rounded."""
    return round(sum(a * b for a, b in zip(left, right, strict=True)), 4)


def rerank(stage: Stage, question: str, found: list[Found], top_k: int) -> list[Found]:
    """The pages in a second, slower order: a reranker span."""
    with stage.oi_tracer.start_as_current_span("rerank", openinference_span_kind="reranker") as span:
        best = sorted(
            found, key=lambda hit: (-len(set(question.split()) & set(hit.document.text.split())), -hit.score)
        )[:top_k]
        stage.clock.spend(jitter(stage.rng, 0.045))
        span.set_attributes(
            {
                RerankerAttributes.RERANKER_MODEL_NAME: "shop-cross-encoder-v1",
                RerankerAttributes.RERANKER_QUERY: question,
                RerankerAttributes.RERANKER_TOP_K: top_k,
                **document_attributes(RerankerAttributes.RERANKER_INPUT_DOCUMENTS, found),
                **document_attributes(RerankerAttributes.RERANKER_OUTPUT_DOCUMENTS, best),
            }
        )
        return best


def document_attributes(prefix: str, found: list[Found]) -> dict[str, str | float]:
    """Pages as flattened attributes: `{prefix}.{n}.document.id`, `.content`, `.score`."""
    attributes: dict[str, str | float] = {}
    for at, hit in enumerate(found):
        attributes[f"{prefix}.{at}.{DocumentAttributes.DOCUMENT_ID}"] = hit.document.id
        attributes[f"{prefix}.{at}.{DocumentAttributes.DOCUMENT_CONTENT}"] = (
            f"{hit.document.title}: {hit.document.text}"
        )
        attributes[f"{prefix}.{at}.{DocumentAttributes.DOCUMENT_SCORE}"] = hit.score
    return attributes
