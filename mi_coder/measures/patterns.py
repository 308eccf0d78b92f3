"""Which codes go together, follow each other, and stand where in a chat.

Messages of clients carry no codes, so what a client writes is one state: whether it was change talk is not known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mi_coder.conversation import CLIENT, COUNSELOR
from mi_coder.errors import UsageProblem, did_you_mean, need
from mi_coder.measures.tally import CODES, Turn

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Picture

TENTHS = 10
FROM = ("client", *CODES)
TOGETHER, SAME_TURN, NEXT_TURN, POSITION = PATTERNS = ("together", "same turn", "next turn", "position")
COLUMNS = ("pattern", "first", "code", "count", "of", "share")
_AT = {code: i for i, code in enumerate(CODES)}
_AFTER_CLIENT = [0]


def _zeros(rows: int, columns: int) -> list[list[int]]:
    return [[0] * columns for _ in range(rows)]


@dataclass(slots=True, eq=False)
class Patterns:
    """Counts over conversations, message by message; `add` each.

    Attributes:
        together: [codes, codes] messages that carry both; the diagonal counts messages with the code.
        following: [client and codes, codes] what stands right before a coded message of the counselor: a message of the
            client, or the codes of the counselor's own message before in the same turn.
        across: [codes, codes] codes of the counselor's last message before the client's turn, and those of the first
            after it.
        position: [tenths, codes] by where in the chat the message stands.
        messages: [tenths] coded messages there.
    """

    together: list[list[int]] = field(default_factory=lambda: _zeros(len(CODES), len(CODES)))
    following: list[list[int]] = field(default_factory=lambda: _zeros(len(FROM), len(CODES)))
    across: list[list[int]] = field(default_factory=lambda: _zeros(len(CODES), len(CODES)))
    position: list[list[int]] = field(default_factory=lambda: _zeros(TENTHS, len(CODES)))
    messages: list[int] = field(default_factory=lambda: [0] * TENTHS)

    def add(self, turns: Sequence[Turn]) -> None:
        """Count one conversation."""
        before: list[int] = []
        last: list[int] = []
        for i, turn in enumerate(turns):
            if turn.role == CLIENT:
                if before is not _AFTER_CLIENT:
                    last, before = before, _AFTER_CLIENT
                continue
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
                if before is _AFTER_CLIENT:
                    for previous in last:
                        self.across[previous - 1][place] += 1
            before = [place + 1 for place in places]

    def rows(self, *patterns: str) -> list[dict[str, Any]]:
        """A row per pattern, what comes first, and code: ready for a file. Codes that never occur are left out.

        - `together`: of the messages with the code `first`, those that carry `code` too.
        - `same turn`: of the codes in the message after one with `first`, without the client between them.
        - `next turn`: of the codes in the first message after the client's turn, by the codes of the counselor's last
          message before it; `first` is client for all of them.
        - `position`: of the coded messages in this tenth of the chat (0-10 %), those that carry `code`.

        Args:
            patterns: without any, all.

        Raises:
            UsageProblem: no such pattern.
        """
        for name in patterns:
            if name not in PATTERNS:
                raise UsageProblem(
                    f"There is no pattern {name!r}.{did_you_mean(name, PATTERNS)} There are {', '.join(PATTERNS)}."
                )
        used = [i for i in range(len(CODES)) if self.together[i][i]]
        return [
            {"pattern": name, "first": first, "code": CODES[j], "count": row[j], "of": of, "share": row[j] / of}
            for name in patterns or PATTERNS
            for first, row, of in self._lines(name)
            for j in used
            if of and not (name == TOGETHER and first == CODES[j])
        ]

    def frame(self, *patterns: str) -> "pd.DataFrame":
        """The same as a pandas frame (extra `analysis`)."""
        return need("pandas", "analysis").DataFrame(self.rows(*patterns), columns=list(COLUMNS))

    def plot(self, pattern: str) -> "Picture":
        """A heat map of one pattern, with the number that each line is of.

        Raises:
            UsageProblem: no such pattern.
            MissingExtra: the extra `analysis` is not installed.
        """
        from mi_coder.measures.figures import heat

        return heat(self.rows(pattern), pattern)

    def _lines(self, name: str) -> list[tuple[str, list[int], int]]:
        """What comes first, its counts [codes], and what they are of."""
        if name == TOGETHER:
            return [(code, row, row[i]) for i, (code, row) in enumerate(zip(CODES, self.together, strict=True))]
        if name == POSITION:
            tenths = [f"{100 * i // TENTHS}-{100 * (i + 1) // TENTHS}" for i in range(TENTHS)]
            return list(zip(tenths, self.position, self.messages, strict=True))
        client, *same = self.following
        lines = zip(CODES, same, strict=True) if name == SAME_TURN else zip(FROM, [client, *self.across], strict=True)
        return [(first, row, sum(row)) for first, row in lines]
