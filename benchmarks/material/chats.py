"""Invented chats for tests and benchmarks: several hundred short lines, made anew from a seed."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_OPENINGS = (
    "what would help you with", "it sounds as if you are tired of", "thank you for writing about", "i wonder about",
    "you have thought hard about", "may i offer an idea on", "how long have you carried", "please do not give up on",
    "many people struggle with", "i had my own trouble with", "you could write a list for", "welcome, let us look at",
)  # fmt: skip
_THINGS = (
    "the long nights", "the exam next week", "your new job", "the quarrel at home", "quitting cigarettes", "your sleep",
    "the move to a big city", "jogging before dawn", "a week without games", "the visit of your aunt", "your budget",
    "feeling left out", "this fog of worry", "the quiz on friday", "your dog", "the doctor's letter", "a fresh start",
)  # fmt: skip
_CLOSINGS = (".", "?", "!", ", right?", " and what comes next?", " -- take your time.")
_SHORT = (
    "ok", "mm", "haha :)", "why?", "you too!", "call 911", "box", "yes yes yes", "jazz", "no way!!", "go on", "bye",
    "zumba?", "five", "up to you", "huh", "wow", "quit", "tea", "1 2 3", "sure", "hm...", "x", "kk", "fix it",
)  # fmt: skip


def line(dice: random.Random) -> str:
    """One of some 1,200 invented lines, a third of the time one of a few words."""
    if dice.random() < 1 / 3:
        return dice.choice(_SHORT)
    return dice.choice(_OPENINGS) + " " + dice.choice(_THINGS) + dice.choice(_CLOSINGS)


def flat_records(messages: int, seed: int = 0, size: int = 8) -> Iterator[dict[str, Any]]:
    """Messages of conversations of `size` messages each, client first, with fields that the tool does not know."""
    dice = random.Random(seed)
    for number in range(messages):
        yield {
            "conversation_id": f"c{number // size}",
            "id": f"m{number}",
            "role": "counselor" if number % size % 2 else "client",
            "text": line(dice),
            "minute": number % size,
        }


def bad_line(number: int) -> bytes:
    """A line that must be rejected (after the conversation c0, for one); `number` picks one of several reasons."""
    flat = f'"conversation_id": "bad{number}", "role": "counselor"'
    lines = (
        "{broken",
        "[1, 2]",
        f"{{{flat}}}",
        f'{{{flat}, "text": 7}}',
        f'{{{flat}, "text": "a", "weight": NaN}}',
        f'{{{flat}, "text": "\\ud800"}}',
        f'{{{flat}, "text": "a", "codes": []}}',
        f'{{"conversation_id": "bad{number}", "role": "wizard", "text": "a"}}',
        '{"conversation_id": "", "role": "client", "text": "a"}',
        '{"conversation_id": "c0", "role": "client", "text": "a"}',
    )
    choice = number % (len(lines) + 1)
    return b'{"text": "\xff"}' if choice == len(lines) else lines[choice].encode()


def write_flat(path: Path, messages: int, bad_every: int = 0, seed: int = 0) -> Path:
    """A flat JSON Lines file, every `bad_every`-th line of it a bad one and now and then one blank."""
    with path.open("wb") as file:
        for number, record in enumerate(flat_records(messages, seed), start=1):
            bad = bad_every and number % bad_every == 0
            file.write(bad_line(number // bad_every) if bad else json.dumps(record).encode())
            file.write(b"\n\n" if number % 997 == 0 else b"\n")
    return path
