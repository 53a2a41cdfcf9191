"""Content blocks of every provider become canonical parts."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.normalise.content.parts import is_blocks, part_of, parts_of, response_value
from tests.unit.normalise_content.helpers import answer, call, text, thought

PIXEL = "iVBORw0KGgo="
PNG = {"type": "blob", "mime_type": "image/png", "modality": "image", "content": PIXEL}
WEB = {"type": "uri", "modality": "image", "uri": "https://x.test/a.png"}


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ("plain", text("plain")),
        ({"type": "text", "content": "canonical"}, text("canonical")),
        ({"type": "text", "text": "OpenAI and Anthropic", "citations": None}, text("OpenAI and Anthropic")),
        ({"type": "input_text", "text": "Responses in"}, text("Responses in")),
        ({"type": "output_text", "text": "Responses out", "annotations": []}, text("Responses out")),
        ({"text": "Bedrock or Gemini"}, text("Bedrock or Gemini")),
        ({"text": "Gemini thinks", "thought": True}, thought("Gemini thinks")),
        ({"type": "refusal", "refusal": "no"}, {"type": "refusal", "content": "no"}),
        ({"type": "thinking", "thinking": "hm", "signature": "s"}, thought("hm", signature="s")),
        (
            {"type": "reasoning", "text": "OpenInference", "signature": "s"},
            thought("OpenInference", signature="s"),
        ),
        ({"type": "reasoning", "content": '[{"text": "a", "type": "summary_text"}]'}, thought("a")),
        (
            {"type": "reasoning", "summary": [{"text": "a"}, {"text": "b"}], "content": None},
            thought("a\nb"),
        ),
        (
            {"reasoningContent": {"reasoningText": {"text": "Bedrock", "signature": "s"}}},
            thought("Bedrock", signature="s"),
        ),
        ({"type": "reasoning", "summary": [], "encrypted_content": "x"}, None),
        ({"cachePoint": {"type": "default"}}, None),
        ({"type": "text", "text": ""}, None),
    ],
)
def test_words(block: Any, part: Any) -> None:
    assert part_of(block) == part


@pytest.mark.parametrize(
    "block",
    [
        {"type": "tool_call", "id": "c1", "name": "f", "arguments": {"a": 1}},
        {"type": "tool_call", "id": "c1", "name": "f", "arguments": '{"a": 1}'},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
        {
            "type": "function_call",
            "id": "fc1",
            "call_id": "c1",
            "name": "f",
            "arguments": '{"a":1}',
            "status": "completed",
        },
        {"type": "tool-call", "toolCallId": "c1", "toolName": "f", "input": {"a": 1}},
        {"type": "tool-call", "toolCallId": "c1", "toolName": "f", "args": {"a": 1}},
        {"type": "function", "id": "c1", "function": {"name": "f", "arguments": '{"a":1}'}},
        {"toolUse": {"toolUseId": "c1", "name": "f", "input": {"a": 1}}},
        {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}},
    ],
)
def test_tool_calls(block: Any) -> None:
    assert part_of(block) == call("c1", "f", {"a": 1})


def test_arguments_that_are_no_json_stay_text() -> None:
    block: Any = {"type": "tool_call", "id": "c", "name": "f", "arguments": '{"city": "Par'}
    assert part_of(block) == call("c", "f", '{"city": "Par')


@pytest.mark.parametrize(
    "block",
    [
        {"type": "tool_call_response", "id": "c1", "response": "21C"},
        {"type": "tool_call_response", "id": "c1", "result": "21C"},
        {"type": "tool_result", "tool_use_id": "c1", "content": "21C"},
        {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "21C"}]},
        {"type": "function_call_output", "call_id": "c1", "output": "21C"},
        {"type": "tool-result", "toolCallId": "c1", "output": {"type": "text", "value": "21C"}},
        {"type": "tool-result", "toolCallId": "c1", "result": "21C"},
        {"toolResult": {"toolUseId": "c1", "content": [{"text": "21C"}], "status": "success"}},
    ],
)
def test_tool_answers(block: Any) -> None:
    assert part_of(block) == answer("c1", "21C")


def test_structured_answers_stay_structured() -> None:
    assert part_of({"toolResult": {"toolUseId": "c", "content": [{"json": {"t": 21}}]}}) == answer(
        "c", {"t": 21}
    )
    assert response_value([1, 2]) == [1, 2]
    assert response_value([{"id": "row"}]) == [{"id": "row"}]
    failed: Any = {"type": "tool_result", "tool_use_id": "c", "content": "boom", "is_error": True}
    assert part_of(failed) == answer("c", "boom", is_error=True)


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}, PNG),
        ({"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}, PNG),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}, PNG),
        ({"type": "file", "mediaType": "image/png", "data": PIXEL}, PNG),
        ({"type": "image", "image": PIXEL, "mediaType": "image/png"}, PNG),
        ({"type": "binary", "media_type": "image/png", "content": PIXEL}, PNG),
        ({"kind": "binary", "media_type": "image/png", "data": PIXEL}, PNG),
        ({"inlineData": {"mimeType": "image/png", "data": PIXEL}}, PNG),
        ({"image": {"format": "png", "source": {"bytes": PIXEL}}}, PNG),
        ({"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}, WEB),
        ({"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}}, WEB),
        ({"type": "image-url", "url": "https://x.test/a.png"}, WEB),
        ({"type": "image", "image": "https://x.test/a.png"}, WEB),
        (
            {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
            {"type": "blob", "mime_type": "audio/wav", "modality": "audio", "content": "UklG"},
        ),
        (
            {"type": "file", "file": {"file_id": "file-1"}},
            {"type": "file", "modality": "document", "file_id": "file-1"},
        ),
        (
            {
                "type": "image_url",
                "image_url": {"url": "@@@langfuseMedia:type=image/png|id=m1|source=base64_data_uri@@@"},
            },
            {
                "type": "uri",
                "mime_type": "image/png",
                "modality": "image",
                "uri": "@@@langfuseMedia:type=image/png|id=m1|source=base64_data_uri@@@",
            },
        ),
        (
            {"type": "uri", "uri": "gs://b/v.mp4", "modality": "video", "mime_type": None},
            {"type": "uri", "uri": "gs://b/v.mp4", "modality": "video"},
        ),
    ],
)
def test_media(block: Any, part: Any) -> None:
    assert part_of(block) == part


def test_server_tools() -> None:
    search: Any = {"type": "web_search_call", "id": "ws1", "status": "completed", "action": {"query": "q"}}
    assert part_of(search) == {
        "type": "server_tool_call",
        "id": "ws1",
        "name": "web_search_call",
        "arguments": {"query": "q"},
    }
    found: Any = {
        "type": "web_search_tool_result",
        "tool_use_id": "s1",
        "content": [{"type": "web_search_result"}],
    }
    part = part_of(found)
    assert part is not None
    assert (part["type"], part["id"]) == ("server_tool_call_response", "s1")


def test_unknown_blocks_stay_as_they_are() -> None:
    assert part_of({"type": "redacted_thinking", "data": "x", "n": None}) == {
        "type": "redacted_thinking",
        "data": "x",
    }
    assert part_of({"odd": 1}) == {"type": "generic", "content": {"odd": 1}}
    assert part_of(7) == text("7")


def test_json_that_a_model_wrote_is_no_block() -> None:
    assert is_blocks([{"type": "text", "text": "a"}])
    assert not is_blocks([{"id": "doc-1", "score": 0.9, "text": "x", "page": 3}])
    assert not is_blocks([{"type": "cat"}])
    assert not is_blocks([])
    assert parts_of(None) == []
