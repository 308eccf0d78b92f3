"""Scores of the units of a population by a tagger that codes many messages at once."""

import numpy as np
import pytest

from mi_coder.annotation import merit
from mi_coder.annotation.merit import Scores, tagged_now
from mi_coder.annotation.population import Candidate
from mi_coder.conversation import Conversation, Message
from mi_coder.tagger.tagger import Tagger


def test_doubt_and_the_chance_of_any_of_several_codes_by_hand() -> None:
    values = np.array([[0.5, 0.5, 1.0], [0.25, 0.5, 0.0], [0.25, 1.0, 0.0]])
    scores = Scores(("CO", "RC", "WA"), values, np.array([0, 1, 1]))
    of_quarter = -(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75))
    assert scores.entropy() == pytest.approx([1 + 1, ((of_quarter + 1) + of_quarter) / 2], abs=1e-6)
    assert scores.any_of(["CO", "RC"]) == pytest.approx([0.75, ((1 - 0.75 * 0.5) + 1) / 2])
    assert scores.any_of(["CO"]) == pytest.approx([0.5, 0.25])


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
