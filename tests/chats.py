"""The invented chats of the benchmarks, a conversation a record, and JSON Lines as tests write and read them."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.material.chats import flat_records


def nested_records(conversations: int, seed: int = 0, size: int = 8) -> Iterator[dict[str, Any]]:
    """The messages of `flat_records`, one conversation a record."""
    messages: list[dict[str, Any]] = []
    for record in flat_records(conversations * size, seed, size):
        conversation_id = record.pop("conversation_id")
        messages.append(record)
        if len(messages) == size:
            yield {"conversation_id": conversation_id, "messages": messages, "rating": len(conversation_id)}
            messages = []


def write_jsonl(path: Path, records: Iterable[dict[str, Any]]) -> Path:
    path.write_bytes(b"".join(json.dumps(record).encode() + b"\n" for record in records))
    return path


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(raw) for raw in path.read_bytes().split(b"\n")[:-1]]
