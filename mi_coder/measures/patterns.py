"""Which codes go together, follow each other, and stand where in a chat."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mi_coder.conversation import CLIENT, COUNSELOR
from mi_coder.measures.tally import CODES, Turn

TENTHS = 10
FROM = ("client", *CODES)
_AT = {code: i for i, code in enumerate(CODES)}


def _zeros(rows: int, columns: int) -> list[list[int]]:
    return [[0] * columns for _ in range(rows)]


@dataclass(slots=True, eq=False)
class Patterns:
    """Counts over conversations; `add` each.

    Attributes:
        together: [codes, codes] messages that carry both; the diagonal counts messages with the code.
        following: [client and codes, codes] what stands right before a coded message of the counselor: a message of the
            client, or the codes of the counselor's own message before.
        position: [tenths, codes] by where in the chat the message stands.
        messages: [tenths] coded messages there.
    """

    together: list[list[int]] = field(default_factory=lambda: _zeros(len(CODES), len(CODES)))
    following: list[list[int]] = field(default_factory=lambda: _zeros(len(FROM), len(CODES)))
    position: list[list[int]] = field(default_factory=lambda: _zeros(TENTHS, len(CODES)))
    messages: list[int] = field(default_factory=lambda: [0] * TENTHS)

    def add(self, turns: Sequence[Turn]) -> None:
        """Count one conversation."""
        before: list[int] = []
        for i, turn in enumerate(turns):
            if turn.role == CLIENT:
                before = [0]
            if turn.role != COUNSELOR or turn.codes is None:
                continue
            places = [_AT[code] for code in turn.codes if code in _AT]
            tenth = min(i * TENTHS // len(turns), TENTHS - 1)
            self.messages[tenth] += 1
            for place in places:
                self.position[tenth][place] += 1
                for other in places:
                    self.together[place][other] += 1
                for previous in before:
                    self.following[previous][place] += 1
            before = [place + 1 for place in places]
