# SPDX-License-Identifier: BSD-3-Clause
"""The APIs of three providers, as far as an agent needs them to call tools.

Our server is called `jupyter` in the agent's configuration.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from model_stand_in import FAREWELL, Call, Conversation, Received
from starlette.responses import JSONResponse, Response, StreamingResponse

Json = Mapping[str, Any]


def _stream(events: Iterable[Json]) -> Response:
    """Server-sent events, named by their type where they have one."""

    def lines() -> Iterator[str]:
        for event in events:
            name = f"event: {event['type']}\n" if "type" in event else ""
            yield f"{name}data: {json.dumps(event)}\r\n\r\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


class Anthropic:
    """The Messages API.

    Args:
        server: What the agent puts before the names of our tools.
    """

    def __init__(self, server: str = "mcp__jupyter__") -> None:
        self._prefix = server

    def conversation(self, path: str, body: Json) -> Conversation | None:
        if path != "/v1/messages":
            return None
        names = (tool["name"] for tool in body.get("tools", ()))
        blocks = [
            block for message in body["messages"] for block in self._blocks(message["content"])
        ]
        return Conversation(
            frozenset(n.removeprefix(self._prefix) for n in names if n.startswith(self._prefix)),
            tuple(map(self._received, (b for b in blocks if b["type"] == "tool_result"))),
            _said((body.get("system"), [b for b in blocks if b["type"] == "text"])),
        )

    def _blocks(self, content: str | list[Json]) -> list[Json]:
        return [{"type": "text", "text": content}] if isinstance(content, str) else content

    def _received(self, block: Json) -> Received:
        content = self._blocks(block["content"])
        return Received(
            tuple(part["text"] for part in content if part["type"] == "text"),
            tuple(
                base64.b64decode(part["source"]["data"])
                for part in content
                if part["type"] == "image"
            ),
            block.get("is_error", False),
        )

    def answer(self, body: Json, call: Call | None, number: int) -> Response:
        block: dict[str, Any] = {"type": "text", "text": ""}
        delta: dict[str, Any] = {"type": "text_delta", "text": FAREWELL}
        if call is not None:
            name = self._prefix + call.tool
            block = {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": {}}
            arguments = json.dumps(call.arguments)
            delta = {"type": "input_json_delta", "partial_json": arguments}
        stop = {"stop_reason": "tool_use" if call is not None else "end_turn"}
        message = {
            "id": f"msg_{number}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        if not body.get("stream"):
            whole = {"type": "text", "text": FAREWELL}
            if call is not None:
                whole = block | {"input": dict(call.arguments)}
            return JSONResponse(message | stop | {"content": [whole]})
        return _stream(
            [
                {"type": "message_start", "message": message},
                {"type": "content_block_start", "index": 0, "content_block": block},
                {"type": "content_block_delta", "index": 0, "delta": delta},
                {"type": "content_block_stop", "index": 0},
                {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 1}},
                {"type": "message_stop"},
            ]
        )


class OpenAI:
    """The Responses API."""

    NAMESPACE = "mcp__jupyter"
    HEADER = re.compile(r"Wall time: [\d.]+ seconds\nOutput:")
    """What Codex puts before each answer."""

    def conversation(self, path: str, body: Json) -> Conversation | None:
        if path != "/v1/responses":
            return None
        spaces = [tool for tool in body["tools"] if tool.get("name") == self.NAMESPACE]
        items = [item for item in body["input"] if isinstance(item, dict)]
        return Conversation(
            frozenset(tool["name"] for space in spaces for tool in space["tools"]),
            tuple(self._received(i) for i in items if i["type"] == "function_call_output"),
            _said((body.get("instructions"), [space["description"] for space in spaces])),
        )

    def _received(self, item: Json) -> Received:
        output = item["output"]
        if isinstance(output, str):
            output = [{"type": "input_text", "text": output}]
        texts = (part["text"] for part in output if part["type"] == "input_text")
        images = (part["image_url"] for part in output if part["type"] == "input_image")
        return Received(
            tuple(text for text in texts if not self.HEADER.fullmatch(text)),
            tuple(base64.b64decode(url.partition(";base64,")[2]) for url in images),
            None,
        )

    def answer(self, body: Json, call: Call | None, number: int) -> Response:
        item: dict[str, Any] = {
            "type": "message",
            "id": f"msg_{number}",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": FAREWELL, "annotations": []}],
        }
        if call is not None:
            item = {
                "type": "function_call",
                "id": f"fc_{number}",
                "call_id": f"call_{number}",
                "namespace": self.NAMESPACE,
                "name": call.tool,
                "arguments": json.dumps(call.arguments),
                "status": "completed",
            }
        usage = {
            "input_tokens": 1,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 1,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 2,
        }
        response = {
            "id": f"resp_{number}",
            "object": "response",
            "created_at": 0,
            "model": body["model"],
            "status": "completed",
            "output": [item],
            "usage": usage,
        }
        begun = response | {"status": "in_progress", "output": []}
        return _stream(
            [
                {"type": "response.created", "response": begun},
                {"type": "response.output_item.added", "output_index": 0, "item": item},
                {"type": "response.output_item.done", "output_index": 0, "item": item},
                {"type": "response.completed", "response": response},
            ]
        )


class Gemini:
    """The Gemini API."""

    PREFIX = "mcp_jupyter_"
    WRAPPED = re.compile(r"<untrusted_context>\n(.*?)\n</untrusted_context>", re.DOTALL)
    """What Gemini CLI makes of a block of text."""

    def conversation(self, path: str, body: Json) -> Conversation | None:
        if not path.endswith((":generateContent", ":streamGenerateContent")):
            return None
        names = (
            function["name"]
            for tool in body.get("tools", ())
            for function in tool.get("functionDeclarations", ())
        )
        turns = [content["parts"] for content in body["contents"]]
        parts = [part for turn in turns for part in turn]
        answers = [turn for turn in turns if "functionResponse" in turn[0]]
        return Conversation(
            frozenset(n.removeprefix(self.PREFIX) for n in names if n.startswith(self.PREFIX)),
            tuple(map(self._received, answers)),
            _said((body.get("systemInstruction"), [p for p in parts if "text" in p])),
        )

    def _received(self, parts: list[Json]) -> Received:
        said = parts[0]["functionResponse"]["response"]
        texts = self.WRAPPED.findall(said["output"]) if "output" in said else [said["error"]]
        images = (part["inlineData"]["data"] for part in parts[1:])
        return Received(tuple(texts), tuple(map(base64.b64decode, images)), "error" in said)

    def answer(self, body: Json, call: Call | None, number: int) -> Response:
        part: dict[str, Any] = {"text": FAREWELL}
        if call is not None:
            part = {"functionCall": {"name": self.PREFIX + call.tool, "args": call.arguments}}
        content = {"role": "model", "parts": [part]}
        return _stream(
            [
                {
                    "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
                    "usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 2},
                }
            ]
        )


def _said(value: object) -> str:
    """All text in it, however deep."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        value = value.values()
    return "\n".join(map(_said, value)) if isinstance(value, Iterable) else ""
