"""Scores of the units of a population by a tagger that codes many messages at once."""

import pytest

from mi_coder.annotation import merit
from mi_coder.annotation.merit import tagged_now
from mi_coder.annotation.population import Candidate
from mi_coder.conversation import Conversation, Message
from mi_coder.tagger.tagger import Tagger


def test_how_many_are_coded_at_once_changes_nothing(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["how was work", "I see", "you feel tired and you want a change", "thank you for telling me", "why"]
    chats = [Conversation(f"c{at}", [Message("counselor", text) for text in texts[at:]]) for at in range(4)]
    units = [Candidate(chat, tuple(range(len(chat.messages)))) for chat in chats]
    expected = {
        (chat.id, place): message.coding
        for chat in tagger.tag_many(chats)
        for place, message in enumerate(chat.messages)
    }
    for size in (1, 3, 100):
        told: list[tuple[int, int]] = []
        monkeypatch.setattr(merit, "_AT_ONCE", size)
        assert tagged_now(units, tagger, lambda done, of, told=told: told.append((done, of))) == expected  # type: ignore[misc]
        assert told[-1] == (14, 14) and len(told) == -(-14 // size)
