"""The shop assistant's calls of a model, with the fallback that careful applications have."""

from __future__ import annotations

from collections.abc import Iterable

import anthropic
import httpx
import openai
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionStreamOptionsParam
from opentelemetry import trace

from api.demo.plan import Session
from api.demo.prompts import Prompt
from api.demo.stage import Stage

MODEL_FAILURES = (openai.APIError, anthropic.APIError, httpx.TransportError)
"""How a model call fails for good: the service said no, or the connection broke in mid-stream."""
WITH_USAGE: ChatCompletionStreamOptionsParam = {"include_usage": True}
FALLBACK = {"gpt-4o-mini": "gpt-4o", "gpt-4o": "gpt-4o-mini"}


def messages_for(session: Session, prompt: Prompt, user_text: str) -> list[ChatCompletionMessageParam]:
    """System prompt, what was said so far, and the user's new message."""
    messages: list[ChatCompletionMessageParam] = [{"role": "system", "content": prompt.system}]
    for question, answer in session.history:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return [*messages, {"role": "user", "content": user_text}]


def complete(
    stage: Stage, model: str, messages: Iterable[ChatCompletionMessageParam], *, streamed: bool
) -> str:
    """The answer's text, from the fallback model when this one fails. Raises one of MODEL_FAILURES when both do."""
    try:
        return _complete(stage, model, messages, streamed=streamed)
    except MODEL_FAILURES as error:
        trace.get_current_span().add_event(
            "fallback", {"model": FALLBACK[model], "reason": type(error).__name__}
        )
        stage.clock.spend(0.2)
        return _complete(stage, FALLBACK[model], messages, streamed=False)


def _complete(
    stage: Stage, model: str, messages: Iterable[ChatCompletionMessageParam], *, streamed: bool
) -> str:
    chat = stage.openai.chat.completions
    if not streamed:
        answer = chat.create(model=model, messages=messages, temperature=0.2, max_tokens=400)
        return answer.choices[0].message.content or ""
    pieces: list[str] = []
    stream = chat.create(
        model=model,
        messages=messages,
        temperature=0.2,
        max_tokens=400,
        stream=True,
        stream_options=WITH_USAGE,
    )
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            pieces.append(chunk.choices[0].delta.content)
            stage.pace.spend_chunk()
    return "".join(pieces)
