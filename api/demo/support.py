"""The support agent: a loop of model calls and tools, its own spans by OpenTelemetry's GenAI conventions.

Its model calls are traced by OpenLLMetry. Session, user, tenant and prompt stand on every span through the context, as
OpenLLMetry's SDK does it (`traceloop.association.properties.*`, `traceloop.prompt.*`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from openai.types.chat import (
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageFunctionToolCallParam,
    ChatCompletionMessageParam,
    ChatCompletionToolParam,
)
from opentelemetry import context

from api.demo.model_types import as_json
from api.demo.plan import Visit
from api.demo.prompts import Prompt
from api.demo.stage import Stage
from api.demo.telemetry import STAMP
from api.demo.tools import TOOLS, ToolFailure

MAX_STEPS = 5


@contextmanager
def stamped(attributes: Mapping[str, str]) -> Iterator[None]:
    """Spans begun inside carry these attributes, beside those of the surrounding block."""
    outer = context.get_value(STAMP)
    token = context.attach(
        context.set_value(STAMP, {**(outer if isinstance(outer, Mapping) else {}), **attributes})
    )
    try:
        yield
    finally:
        context.detach(token)


def associations(visit: Visit, feature: str) -> dict[str, str]:
    """Who is served, in OpenLLMetry's attributes."""
    customer = visit.session.customer
    prefix = "traceloop.association.properties"
    known = {"tenant": customer.tenant, "plan": customer.plan, "feature": feature}
    return {
        "session.id": visit.session.id,
        "user.id": customer.id,
        **{f"{prefix}.{key}": value for key, value in known.items()},
    }


def prompt_attributes(prompt: Prompt) -> dict[str, str]:
    """The prompt used, in OpenLLMetry's attributes."""
    return {"traceloop.prompt.key": prompt.name, "traceloop.prompt.version": prompt.version}


def message_json(role: str, text: str) -> str:
    """One text message as `gen_ai.input.messages` and `gen_ai.output.messages` hold it."""
    return as_json([{"role": role, "parts": [{"type": "text", "content": text}]}])


def run_agent(
    stage: Stage, model: str, prompt: Prompt, history: Iterable[tuple[str, str]], question: str
) -> str:
    """Asks the model, runs the tools that it wants, and again, until it answers."""
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "support-agent",
        "gen_ai.input.messages": message_json("user", question),
    }
    with (
        stamped(prompt_attributes(prompt)),
        stage.tracer.start_as_current_span("invoke_agent support-agent", attributes=attributes) as span,
    ):
        messages: list[ChatCompletionMessageParam] = [{"role": "system", "content": prompt.system}]
        for asked, answered in history:
            messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
        messages.append({"role": "user", "content": question})
        answer = _loop(stage, model, messages)
        span.set_attribute("gen_ai.output.messages", message_json("assistant", answer))
        return answer


def _loop(stage: Stage, model: str, messages: list[ChatCompletionMessageParam]) -> str:
    offered: list[ChatCompletionToolParam] = [
        {"type": "function", "function": tool.definition} for tool in TOOLS.values()
    ]
    for _ in range(MAX_STEPS):
        stage.clock.spend(0.003)
        message = (
            stage.openai.chat.completions.create(model=model, messages=messages, tools=offered)
            .choices[0]
            .message
        )
        calls = [call for call in message.tool_calls or () if call.type == "function"]
        if not calls:
            return message.content or ""
        messages.append({"role": "assistant", "tool_calls": [_as_param(call) for call in calls]})
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": run_tool(stage, call)} for call in calls
        ]
    return "I need a colleague's help for this. We will write to you today."


def _as_param(call: ChatCompletionMessageFunctionToolCall) -> ChatCompletionMessageFunctionToolCallParam:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.function.name, "arguments": call.function.arguments},
    }


def run_tool(stage: Stage, call: ChatCompletionMessageFunctionToolCall) -> str:
    """The tool's result as JSON for the model; a failing tool's span is an error, and the model is told so."""
    try:
        return _run_tool(stage, call)
    except ToolFailure as failure:
        return as_json({"error": str(failure)})


def _run_tool(stage: Stage, call: ChatCompletionMessageFunctionToolCall) -> str:
    name, arguments = call.function.name, call.function.arguments
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": call.id,
        "gen_ai.tool.call.arguments": arguments,
    }
    with stage.tracer.start_as_current_span(f"execute_tool {name}", attributes=attributes) as span:
        try:
            result = as_json(TOOLS[name].run(stage, json.loads(arguments)["order_id"]))
        except ToolFailure as failure:
            span.set_attribute("error.type", type(failure).__name__)
            raise
        span.set_attribute("gen_ai.tool.call.result", result)
        return result
