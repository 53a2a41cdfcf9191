"""A customer wants products compared: a wide search, a reranker, and Claude with a cached system prompt."""

from __future__ import annotations

from anthropic.types import MessageParam, TextBlockParam
from openinference.instrumentation import using_attributes, using_prompt_template

from api.demo.plan import Visit
from api.demo.prompts import Prompt, prompt
from api.demo.retrieval import Found, rerank, search_handbook
from api.demo.shop import COMPARISONS
from api.demo.stage import Scenario, Stage


def play(stage: Stage, visit: Visit) -> None:
    """One comparison."""
    question = COMPARISONS[(visit.session.topic + visit.turn) % len(COMPARISONS)]
    customer = visit.session.customer
    with (
        using_attributes(
            session_id=visit.session.id,
            user_id=customer.id,
            metadata={"tenant": customer.tenant, "plan": customer.plan, "feature": "compare"},
            tags=["shop", "compare"],
        ),
        stage.oi_tracer.start_as_current_span("compare-products", openinference_span_kind="chain") as root,
    ):
        root.set_input(question)
        found = rerank(stage, question, search_handbook(stage, question, top_k=6), top_k=4)
        answer = compare(stage, visit, question, found)
        visit.session.history.append((question, answer))
        root.set_output(answer)


def compare(stage: Stage, visit: Visit, question: str, found: list[Found]) -> str:
    """Claude's answer; the better model for customers who pay."""
    chosen = prompt("shop-compare", stage.deployment)
    context = "\n".join(f"[{hit.document.id}] {hit.document.title}: {hit.document.text}" for hit in found)
    variables = {"context": context, "question": question}
    messages: list[MessageParam] = [{"role": "user", "content": chosen.template.format(**variables)}]
    model = "claude-sonnet-5" if visit.session.customer.plan == "pro" else "claude-haiku-4-5"
    with using_prompt_template(template=chosen.template, version=chosen.version, variables=variables):
        return ask_claude(stage, model, chosen, messages)


def ask_claude(stage: Stage, model: str, chosen: Prompt, messages: list[MessageParam]) -> str:
    """The streamed answer's text; the SDK retries what fails before the stream begins."""
    system: list[TextBlockParam] = [
        {"type": "text", "text": chosen.system, "cache_control": {"type": "ephemeral"}}
    ]
    pieces: list[str] = []
    for event in stage.anthropic.messages.create(
        model=model, max_tokens=500, system=system, messages=messages, stream=True
    ):
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            pieces.append(event.delta.text)
            stage.pace.spend_chunk()
    return "".join(pieces)


SCENARIO = Scenario("compare_products", "shop-assistant", weight=1.5, turns=2, play=play)
