"""Pasted chats and ConvoKit folders as flat messages."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from mi_coder.conversation import CLIENT, COUNSELOR, RoleTable
from mi_coder.errors import MiCoderError
from mi_coder.formats import ReadOptions, Record, Reject, open_records, read_conversations

ROWAN = RoleTable().extended({"Rowan B.": "counselor", "+44 7700 900123": "client"})


def chat(text: str, **options: Any) -> list[Record | Reject]:
    return list(open_records(io.BytesIO(text.encode()), ReadOptions(format="chat-text", roles=ROWAN, **options)))


def data(items: list[Record | Reject]) -> list[dict[str, Any]]:
    return [item.data for item in items if isinstance(item, Record)]


def test_a_plain_chat() -> None:
    first, second = chat("Client: I moved.\nIt is quiet\n\nhere: too quiet\nRowan B.: I see.\n")
    assert data([first, second]) == [
        {
            "conversation_id": "stdin",
            "turn": 1,
            "role": "client",
            "speaker": "Client",
            "text": "I moved.\nIt is quiet\n\nhere: too quiet",
        },
        {"conversation_id": "stdin", "turn": 2, "role": "counselor", "speaker": "Rowan B.", "text": "I see."},
    ] or [item for item in (first, second) if isinstance(item, Reject)]
