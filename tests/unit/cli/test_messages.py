"""Messages as lines, also those that a list has cut."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from api.cli.messages import Said, messages_of, preview

CONVERSATION = [
    {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
    {
        "role": "assistant",
        "parts": [
            {"type": "reasoning", "content": "hm"},
            {"type": "text", "content": "Looking."},
            {"type": "tool_call", "id": "1", "name": "find", "arguments": {"q": "ü"}},
        ],
    },
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": "no\nbody"}]},
    {"role": "user", "parts": [{"type": "blob", "mime_type": "image/png"}]},
]


def test_every_kind_of_part_has_a_text() -> None:
    assert messages_of(json.dumps(CONVERSATION)) == [
        Said("system", "Be brief."),
        Said("assistant", '(reasoning) hm\nLooking.\n[calls find({"q": "ü"})]'),
        Said("tool", "[answers no\nbody]"),
        Said("user", "[blob]"),
    ]


def test_a_raw_value_is_shown_as_it_is() -> None:
    assert messages_of('{"a": 1}') == [Said("", '{"a": 1}')]
    assert messages_of("") == []
    assert preview('{"a":\n1}') == '{"a": 1}'


def test_the_preview_is_the_last_thing_said() -> None:
    assert preview(json.dumps(CONVERSATION[:3])) == "[answers no body]"


def test_the_preview_of_a_cut_value_is_the_last_text_that_is_there() -> None:
    whole = json.dumps([{"role": "user", "parts": [{"type": "text", "content": 'say "hi"\nand more'}]}])
    assert preview(whole[: whole.index("more")] + "…") == 'say "hi" and …'


@given(st.text(max_size=300), st.integers(0, 400))
def test_a_preview_never_fails(text: str, cut: int) -> None:
    whole = json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}], ensure_ascii=False)
    assert len(preview(whole[:cut], 40)) <= 40
    assert len(preview(text, 40)) <= 40
