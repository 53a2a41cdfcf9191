"""Images, audio and files of every provider → blob (bytes inside), uri (bytes elsewhere) or file (an id) parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingest.normalise.content.model import Part
from ingest.normalise.values import Value, text_of

MEDIA_TYPES: Final = (
    "image_url", "input_image", "image", "image-url", "input_audio", "audio", "audio-url", "audio_url", "video",
    "video-url", "video_url", "file", "input_file", "document", "document-url", "binary", "blob", "uri", "media",
)  # fmt: skip
_CANONICAL: Final = {"blob": "content", "uri": "uri", "file": "file_id"}
_MODALITIES: Final = frozenset(("image", "audio", "video"))
_LANGFUSE: Final = "@@@langfuseMedia:"
_ADDRESSES: Final = ("http://", "https://", "data:", "gs://", "s3://", _LANGFUSE)
_WRAPPERS: Final = (
    "image_url",
    "input_audio",
    "audio",
    "file",
    "image",
    "source",
    "video",
    "video_url",
    "document",
)
_URLS: Final = ("url", "uri", "image_url", "file_uri", "fileUri", "file_url")
_BYTES: Final = ("data", "bytes", "base64", "file_data", "content", "image")
_MIMES: Final = ("mime_type", "media_type", "mediaType", "mimeType")
_IDS: Final = ("file_id", "fileId")


def media_part(block: Mapping[str, Value]) -> Part | None:
    """A block that names its kind in `type` (or `kind`)."""
    kind = text_of(block.get("type", block.get("kind")))
    if isinstance(block.get(_CANONICAL.get(kind, "")), str):
        return {key: value for key, value in block.items() if value is not None}
    return _media(block, _modality(kind)) or {**_generic(block), "type": kind}


def gemini_media(block: Mapping[str, Value]) -> Part | None:
    """Gemini: {"inlineData": {mimeType, data}} and {"fileData": {mimeType, fileUri}}."""
    for name in ("inlineData", "inline_data", "fileData", "file_data"):
        inner = block.get(name)
        if isinstance(inner, dict):
            return _media(inner, "")
    return None


def bedrock_media(block: Mapping[str, Value]) -> Part | None:
    """Bedrock: {"image": {"format": "png", "source": {"bytes": …}}}, and the same for documents and videos."""
    for name in ("image", "document", "video", "audio"):
        inner = block.get(name)
        if isinstance(inner, dict):
            return _media(inner, _modality(name)) or {"type": "generic", "content": _generic(block)}
    return None


def _media(block: Mapping[str, Value], modality: str) -> Part | None:
    """Look for an address, bytes or an id on the block and one or two levels below it."""
    levels = _levels(block)
    mime = _find(levels, _MIMES)
    if not mime and modality:
        suffix = _find(levels, ("format",))
        mime = f"{modality}/{suffix}" if suffix else ""
    address = _find(levels, _URLS) or _bare_address(block)
    if address:
        return _at(address, mime, modality)
    data = _find(levels, _BYTES)
    if data:
        return _at(data, mime, modality) if data.startswith(_ADDRESSES) else _blob(data, mime, modality)
    identity = _find(levels, _IDS)
    return _part("file", mime, modality, file_id=identity) if identity else None


def _levels(block: Mapping[str, Value]) -> list[Mapping[str, Value]]:
    levels = [block]
    for level in levels:
        if len(levels) < 4:
            levels += [inner for name in _WRAPPERS if isinstance(inner := level.get(name), dict)]
    return levels


def _find(levels: list[Mapping[str, Value]], names: tuple[str, ...]) -> str:
    for level in levels:
        for name in names:
            value = level.get(name)
            if isinstance(value, (str, bytes)) and value:
                return text_of(value)
    return ""


def _bare_address(block: Mapping[str, Value]) -> str:
    """An address straight under a wrapper's name: {"type": "image", "image": "https://…"}."""
    for name in _WRAPPERS:
        value = block.get(name)
        if isinstance(value, str) and value.startswith(_ADDRESSES):
            return value
    return ""


def _at(address: str, mime: str, modality: str) -> Part:
    if address.startswith("data:") and "," in address:
        head, data = address[5:].split(",", 1)
        return _blob(data, head.split(";", 1)[0] or mime, modality)
    if address.startswith(_LANGFUSE):
        # The media itself went to Langfuse; its reference names the type.
        mime = address[len(_LANGFUSE) :].partition("type=")[2].partition("|")[0] or mime
    return _part("uri", mime, modality, uri=address)


def _blob(data: str, mime: str, modality: str) -> Part:
    return _part("blob", mime, modality, content=data)


def _part(kind: str, mime: str, modality: str, **where: str) -> Part:
    part: Part = {"type": kind}
    if mime:
        part["mime_type"] = mime
    part["modality"] = _modality(mime) or modality or "document"
    part.update(where)
    return part


def _modality(name: str) -> str:
    for modality in _MODALITIES:
        if modality in name:
            return modality
    return ""


def _generic(block: Mapping[str, Value]) -> dict[str, Value]:
    return {key: value for key, value in block.items() if value is not None}
