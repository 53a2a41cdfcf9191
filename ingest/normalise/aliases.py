"""The alias table: which attribute keys, in which order, mean which canonical field. Data only, in one place.

Sources: OpenTelemetry GenAI semantic conventions 1.28–1.43 (old and new names), OpenInference, OpenLLMetry 0.47 and 0.62,
Langfuse SDKs 3–5, Logfire, Pydantic AI, OpenLIT, LiteLLM, Strands, LangSmith, Vercel AI SDK 5–7, Anthropic SDK.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

VERSION = "2026-11-20"
"""Changes whenever an entry changes; recorded nowhere but in the code's history, so that a replay can be explained."""

TEXTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "response_id": ("gen_ai.response.id", "ai.response.id", "llm.response.id"),
        "request_model": (
            "gen_ai.request.model",
            "llm.request.model_name",
            "ai.model.id",
            "litellm.provider.model",
        ),
        "response_model": (
            "langfuse.observation.model.name",
            "gen_ai.response.model",
            "llm.response.model_name",
            "llm.model_name",
            "embedding.model_name",
            "ai.response.model",
            "reranker.model_name",
        ),
        "session_id": (
            "session.id",
            "langfuse.session.id",
            "gen_ai.conversation.id",
            "traceloop.association.properties.session_id",
            "traceloop.association.properties.thread_id",
            "traceloop.association.properties.chat_id",
            "ai.telemetry.metadata.sessionId",
            "ai.settings.context.sessionId",
            "langsmith.metadata.session_id",
            "langsmith.metadata.thread_id",
        ),
        "user_id": (
            "user.id",
            "langfuse.user.id",
            "enduser.id",
            "traceloop.association.properties.user_id",
            "ai.telemetry.metadata.userId",
            "ai.settings.context.userId",
            "langsmith.metadata.user_id",
        ),
        "trace_name": ("langfuse.trace.name", "traceloop.workflow.name", "gen_ai.workflow.name"),
        "agent_name": ("gen_ai.agent.name", "agent.name", "agent_name", "ai.telemetry.functionId"),
        "workflow_name": ("gen_ai.workflow.name", "traceloop.workflow.name"),
        "environment": ("langfuse.environment", "deployment.environment.name", "deployment.environment"),
        "release": ("langfuse.release", "service.version"),
        "prompt_name": ("langfuse.observation.prompt.name", "traceloop.prompt.key", "gen_ai.prompt.name"),
        "prompt_version": (
            "langfuse.observation.prompt.version",
            "traceloop.prompt.version",
            "llm.prompt_template.version",
        ),
        "experiment": ("evalstream.experiment", "langfuse.experiment.name"),
        "dataset_item": ("evalstream.dataset_item", "langfuse.experiment.item.id"),
        "dataset_version": ("evalstream.dataset_version", "langfuse.experiment.dataset.version"),
        "error_type": ("error.type",),
    }
)
"""Fields that are a text, with their keys in order of precedence."""

LATE_SESSION = ("session_id",)
LATE_USER = ("user_id", "gen_ai.user", "llm.user", "gen_ai.request.user")
"""Keys that count only after the `metadata` JSON has been asked."""

PROVIDER = ("llm.provider", "gen_ai.provider.name", "gen_ai.system", "llm.system", "ai.model.provider")
NO_PROVIDER = frozenset({"", "langchain", "langgraph", "strands-agents", "inmemoryvectorstore"})
"""Frameworks and stores that some instrumentations send as the provider."""

MODEL_FAMILIES = (
    ("gpt-", "openai"),
    ("chatgpt", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("text-embedding-", "openai"),
    ("claude", "anthropic"),
    ("gemini", "google"),
    ("mistral", "mistral_ai"),
    ("command-", "cohere"),
    ("deepseek", "deepseek"),
    ("grok", "xai"),
)
"""Provider by the beginning of a model's name, where nothing else tells."""

LANGFUSE_KINDS = MappingProxyType(
    {
        "generation": "llm",
        "span": "span",
        "embedding": "embedding",
        "tool": "tool",
        "retriever": "retriever",
        "agent": "agent",
        "chain": "chain",
        "guardrail": "guardrail",
        "evaluator": "evaluator",
        "event": "event",
    }
)
OPENINFERENCE_KINDS = MappingProxyType(
    {
        k: k
        for k in (
            "llm",
            "embedding",
            "chain",
            "retriever",
            "reranker",
            "tool",
            "agent",
            "guardrail",
            "evaluator",
            "prompt",
        )
    }
)
LANGSMITH_KINDS = MappingProxyType(
    {
        "llm": "llm",
        "chain": "chain",
        "tool": "tool",
        "retriever": "retriever",
        "embedding": "embedding",
        "prompt": "prompt",
        "parser": "chain",
    }
)
OPERATION_KINDS = MappingProxyType(
    {
        **dict.fromkeys(("chat", "text_completion", "completion", "generate_content", "responses", "acompletion", "fetch_response"), "llm"),
        **dict.fromkeys(("embeddings", "embedding", "aembedding"), "embedding"),
        "execute_tool": "tool",
        **dict.fromkeys(("retrieval", "vector_db_retrieve", "search_memory"), "retriever"),
        "rerank": "reranker",
        **dict.fromkeys(("invoke_agent", "create_agent"), "agent"),
        **dict.fromkeys(("invoke_workflow", "agent_step", "execute_event_loop_cycle", "execute_task", "handoff", "plan", "chain"), "chain"),
        "apply_guardrail": "guardrail",
    }
)  # fmt: skip
TRACELOOP_KINDS = MappingProxyType({"workflow": "chain", "task": "chain", "agent": "agent", "tool": "tool", "handoff": "chain"})  # fmt: skip
VERCEL_KINDS = MappingProxyType(
    {
        **dict.fromkeys((f"ai.{call}.{step}" for call, step in (("generateText", "doGenerate"), ("generateObject", "doGenerate"), ("streamText", "doStream"), ("streamObject", "doStream"))), "llm"),
        **dict.fromkeys(("ai.embed.doEmbed", "ai.embedMany.doEmbed"), "embedding"),
        "ai.toolCall": "tool",
        **dict.fromkeys((f"ai.{call}" for call in ("generateText", "streamText", "generateObject", "streamObject", "embed", "embedMany")), "chain"),
    }
)  # fmt: skip
REQUEST_TYPE_KINDS = MappingProxyType(
    {
        **dict.fromkeys(("chat", "completion", "acompletion", "responses"), "llm"),
        "embedding": "embedding",
        "rerank": "reranker",
    }
)

INPUT_TOKENS = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens")  # fmt: skip
OUTPUT_TOKENS = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion", "ai.usage.outputTokens", "ai.usage.completionTokens")  # fmt: skip
TOTAL_TOKENS = ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total", "ai.usage.totalTokens", "gen_ai.client.token.usage")  # fmt: skip
CACHE_READ_TOKENS = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.details.cache_read_tokens",
    "llm.token_count.prompt_details.cache_read",
    "ai.usage.cachedInputTokens",
    "ai.usage.inputTokenDetails.cacheReadTokens",
)
CACHE_WRITE_TOKENS = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write_input_tokens",
    "gen_ai.usage.details.cache_write_tokens",
    "llm.token_count.prompt_details.cache_write",
    "ai.usage.inputTokenDetails.cacheWriteTokens",
)
CACHE_WRITE_5M_TOKENS = ("anthropic.usage.cache_creation.ephemeral_5m_input_tokens",)
CACHE_WRITE_1H_TOKENS = ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens",)
REASONING_TOKENS = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "llm.usage.reasoning_tokens",
    "gen_ai.usage.details.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
    "ai.usage.reasoningTokens",
    "ai.usage.outputTokenDetails.reasoningTokens",
)
INPUT_AUDIO_TOKENS = ("gen_ai.usage.details.input_audio_tokens", "llm.token_count.prompt_details.audio")
OUTPUT_AUDIO_TOKENS = ("gen_ai.usage.details.output_audio_tokens", "llm.token_count.completion_details.audio")
USAGE_PREFIXES = ("gen_ai.usage.", "llm.token_count.", "llm.usage.", "ai.usage.", "anthropic.usage.", "gen_ai.client.token.usage")  # fmt: skip
USAGE_JSON = (
    "langfuse.observation.usage_details",
    "gen_ai.usage.raw",
    "metadata.usage_object",
    "gen_ai.usage.input_token_details",
    "gen_ai.usage.output_token_details",
    "langsmith.metadata.usage_metadata",
)
"""Usage as JSON (or Python's repr): read span by span. The first one outranks every flat key, the others only fill gaps."""

COST = ("gen_ai.cost.total_cost", "operation.cost", "gen_ai.usage.cost", "llm.cost.total")
COST_JSON = "langfuse.observation.cost_details"

STREAMING = (
    "gen_ai.request.stream",
    "gen_ai.is_streaming",
    "llm.is_streaming",
    "langsmith.request.streaming",
)
FIRST_TOKEN_SECONDS = ("gen_ai.response.time_to_first_chunk", "gen_ai.client.operation.time_to_first_chunk")
FIRST_TOKEN_IF_STREAMING = "gen_ai.server.time_to_first_token"
"""Seconds, except from Strands (milliseconds); on non-streams it is merely the duration."""
FIRST_TOKEN_MILLISECONDS = ("ai.response.msToFirstChunk",)
FIRST_TOKEN_AT = "langfuse.observation.completion_start_time"

FINISH_REASON = ("gen_ai.response.finish_reasons", "llm.finish_reason", "ai.response.finishReason", "anthropic.message.stop_reason")  # fmt: skip
FINISH_REASONS = MappingProxyType(
    {
        **dict.fromkeys(("tool_calls", "tool_call", "tool-calls", "tool_use", "function_call"), "tool_calls"),
        **dict.fromkeys(("end_turn", "completed", "stop", "stop_sequence"), "stop"),
        **dict.fromkeys(("max_tokens", "length", "max_output_tokens"), "length"),
        "content-filter": "content_filter",
    }
)

TOOL_NAME = ("gen_ai.tool.name", "tool.name", "ai.toolCall.name", "traceloop.entity.name")
TOOL_CALL_ID = ("gen_ai.tool.call.id", "ai.toolCall.id", "tool.id")

TAGS = ("langfuse.trace.tags", "langfuse.tags", "tag.tags", "ai.telemetry.metadata.tags", "ai.settings.context.tags", "langsmith.span.tags", "logfire.tags", "tags")  # fmt: skip
TAGS_INSIDE = "traceloop.entity.input"
"""LangChain under OpenLLMetry sends its tags within this JSON only."""
METADATA_JSON = "metadata"
TRACE_METADATA_PREFIXES = ("langfuse.trace.metadata.", "ai.telemetry.metadata.", "ai.settings.context.", "traceloop.association.properties.", "langsmith.metadata.")  # fmt: skip
SPAN_METADATA_PREFIXES = ("langfuse.observation.metadata.", "metadata.")
RUN_METADATA_PREFIXES = ("ls_", "lc_", "langgraph_", "checkpoint_")
"""What LangChain adds to the metadata of each run; it says nothing about the trace."""
NO_METADATA_PREFIXES = (
    "langsmith.metadata.LANGSMITH_",
    "langsmith.metadata.LANGCHAIN_",
    "langsmith.metadata.usage_metadata",
)

INPUT_MESSAGES, OUTPUT_MESSAGES = "gen_ai.input.messages", "gen_ai.output.messages"
PARAMETER_PREFIX = "gen_ai.request."
NO_PARAMETERS = frozenset({"gen_ai.request.model", "gen_ai.request.stream", "gen_ai.request.user"})
PARAMETER_NAMES = MappingProxyType({"choice.count": "n", "stop_sequences": "stop"})

CONTENT_PREFIXES = (
    "langfuse.observation.input", "langfuse.observation.output", "langfuse.observation.model.parameters",
    "gen_ai.system_instructions", "gen_ai.tool.", "gen_ai.agent.tools", "gen_ai.prompt", "gen_ai.completion",
    "gen_ai.task.", "gen_ai.retrieval.", "gen_ai.evaluation", "gen_ai.output.type",
    "llm.input_messages", "llm.output_messages", "llm.tools", "llm.request.functions", "llm.invocation_parameters",
    "llm.prompts", "llm.completions", "llm.prompt_template", "llm.frequency_penalty", "llm.presence_penalty",
    "llm.request.reasoning_effort", "llm.top_k", "llm.headers",
    "embedding.", "retrieval.", "reranker.", "evaluations.", "annotations.", "input.", "output.", "tool.",
    "ai.prompt", "ai.response.", "ai.toolCall", "ai.value", "ai.embedding", "ai.settings.", "ai.schema",
    "tool_arguments", "tool_response", "events", "all_messages_events", "pydantic_ai.all_messages", "final_result",
    "model_request_parameters", "request_data", "response_data", "traceloop.entity.", "query", "documents",
)  # fmt: skip
"""A span with such a key (or with span events) has its content assembled one by one; others take the columnar way."""
