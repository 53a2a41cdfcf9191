"""Tools offered to the model → [{"type", "name", "description", "parameters"}], unknown fields left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingest.normalise.content import keys
from ingest.normalise.content.view import Node, View
from ingest.normalise.values import Value, dump, mapping, parsed, sequence, text_of

_SCHEMAS: Final = (
    "parameters",
    "input_schema",
    "inputSchema",
    "parameters_json_schema",
    "json_schema",
    "schema",
)
_REQUESTS: Final = (
    "langfuse.observation.input", "gen_ai.prompt", "request_data", "llm.invocation_parameters", "input.value",
)  # fmt: skip
_HOLDERS: Final = keys.LANGFUSE | keys.PROMPT | keys.LOGFIRE | keys.PARAMETERS | keys.VALUE
_LISTS: Final = ("gen_ai.tool.definitions", "ai.prompt.tools", "gen_ai.agent.tools")


def tool_definitions(view: View) -> tuple[str, tuple[str, ...]]:
    """The tools as JSON text ('' when there are none), and the attribute keys that they repeat in full."""
    if view.signals & keys.TOOLS:
        text, used = _offered(view)
        if text:
            return text, used
    tools = _in_requests(view) if view.kind == "llm" and view.signals & _HOLDERS else []
    return (dump(tools) if tools else ""), ()


def _offered(view: View) -> tuple[str, tuple[str, ...]]:
    """Tools under keys made for them, whatever the kind of the span."""
    for key in _LISTS:
        value = view.attributes.get(key)
        if value is not None and (tools := definitions(value)):
            return dump(tools), (key,)
    for family, read in (("llm.tools", _openinference), ("llm.request.functions", _openllmetry)):
        if family in view.lists and (tools := definitions([read(entry) for entry in view.entries(family)])):
            return dump(tools), tuple(view.list_keys[family])
    tools = _in_parameters(view.attributes.get("model_request_parameters"))
    return (dump(tools) if tools else ""), ()


def definitions(value: Value) -> list[Value]:
    """Canonical definitions from a list of them in any provider's form: flat, nested, or just names."""
    found = parsed(value)
    if isinstance(found, dict):
        # {"get_weather": {"description": …}}
        found = [{"name": name, **body} for name, body in found.items() if isinstance(body, dict)]
    if not isinstance(found, list):
        return []
    tools: list[Value] = []
    for item in found:
        tools += _definition(parsed(item))
    return tools


def _definition(tool: Value) -> list[dict[str, Value]]:
    """One definition; a Gemini tool holds several."""
    if isinstance(tool, str):
        return [{"type": "function", "name": tool}] if tool else []
    if not isinstance(tool, dict):
        return []
    declared = tool.get("functionDeclarations", tool.get("function_declarations"))
    if isinstance(declared, list):
        return [one for item in declared for one in _definition(item if isinstance(item, dict) else None)]
    inner = tool.get("function", tool.get("toolSpec", tool))
    body: Mapping[str, Value] = inner if isinstance(inner, dict) else tool
    name = text_of(body.get("name", body.get("tool_name")))
    kind = _kind(tool)
    if not name and kind == "function":
        return []
    definition: dict[str, Value] = {"type": kind}
    definition["name"] = name or kind
    if body.get("description"):
        definition["description"] = text_of(body["description"])
    schema = _schema(body)
    if schema:
        definition["parameters"] = schema
    return [definition]


def _kind(tool: Mapping[str, Value]) -> str:
    """`custom` is Anthropic's word for a function with a schema of its own; built-in tools keep their type."""
    kind = tool.get("type")
    if not isinstance(kind, str) or not kind or "input_schema" in tool:
        return "function"
    return kind


def _schema(body: Mapping[str, Value]) -> dict[str, Value]:
    for name in _SCHEMAS:
        schema = mapping(body.get(name))
        if schema:
            inner = schema.get("json", schema.get("jsonSchema"))
            return inner if isinstance(inner, dict) else schema
    return {}


def _openinference(entry: Node) -> Value:
    schema = entry.leaf("json_schema")
    if schema is not None:
        return schema
    return {"name": entry.leaf("name"), "description": entry.leaf("description")}


def _openllmetry(entry: Node) -> Value:
    return {name: entry.leaf(name) for name in ("name", "description", "parameters", "input_schema")}


def _in_parameters(value: Value) -> list[Value]:
    """Pydantic AI: `model_request_parameters` with function tools and output tools."""
    if value is None:
        return []
    parameters = mapping(value)
    tools = definitions(parameters.get("function_tools")) + definitions(parameters.get("output_tools"))
    return [{**tool, "type": "function"} for tool in tools if isinstance(tool, dict)]


def _in_requests(view: View) -> list[Value]:
    for key in _REQUESTS:
        value = view.attributes.get(key)
        if value is None:
            continue
        # Looking for the word first spares the parse of a long conversation.
        if isinstance(value, str) and '"tools"' not in value and '"functions"' not in value:
            continue
        request = mapping(value)
        for name in ("tools", "functions"):
            if tools := definitions(sequence(request.get(name))):
                return tools
    return []
