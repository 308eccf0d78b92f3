"""Invented tagged chats of two counselors in three months, for reports."""

import json
from pathlib import Path

SECRET = "nobody but us may read this"


def write_chats(path: Path, number: int = 24, gold: bool = False) -> Path:
    """Write `number` chats; with `gold` codes that now and then differ from the tagger's."""
    lines = []
    for i in range(number):
        messages = []
        for j, code in enumerate(["INT", "OQ", "REF", "SU", "OUT"]):
            message = {"role": "counselor", "text": f"{SECRET} {j}", "codes": [code], "scores": {code: 0.9}}
            message |= {"depth": "simple"} if code == "REF" else {}
            message |= {"review": True} if j == 3 else {}
            message |= {"gold": {"codes": [code if i % 6 else "SU"]}} if gold else {}
            messages += [{"role": "client", "text": SECRET}, message]
        month = 1 + i % 3
        lines.append(
            {
                "conversation_id": f"c{i}",
                "counselor_id": f"<b>k{i % 2}",
                "at": f"2024-0{month}-05T10:00:00Z",
                "messages": messages,
            }
        )
    path.write_text("".join(json.dumps(chat) + "\n" for chat in lines))
    return path
