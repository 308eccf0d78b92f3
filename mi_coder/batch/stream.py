"""The heart of a run: items of the reader go in, finished items come out, in order and in bounded memory."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mi_coder.batch.counts import Counts
from mi_coder.conversation import Message
from mi_coder.formats import Record, Reject
from mi_coder.formats.coding import Scores, write_coding
from mi_coder.tagger.tagger import Tagger

# A batch is full at its number of counselor messages, or at this many records for each of them: clients may talk long.
_RECORDS_PER_MESSAGE = 32


@dataclass(slots=True)
class _Place:
    """A counselor message, the messages before it that the tagger reads, and the object that takes its codes."""

    text: str
    before: Sequence[Message]
    target: dict[str, Any]


class ContextTail:
    """Remembers the last messages of the current conversation where a file has one message a record."""

    def __init__(self, size: int) -> None:
        self._conversation: str | None = None
        self._messages: deque[Message] = deque(maxlen=size)

    def before(self, record: Record) -> tuple[Message, ...]:
        """The messages before this record's message; the record then counts as seen."""
        if record.conversation_id != self._conversation:
            self._conversation = record.conversation_id
            self._messages.clear()
        before = tuple(self._messages)
        self._messages.append(record.messages[0])
        return before


class Coder:
    """Codes the records of one source in their order.

    Args:
        tagger: gives the codes.
        scores: which scores are written.
        batch_size: counselor messages that are coded at once.
        counts: is kept up to date with what came out.
    """

    def __init__(self, tagger: Tagger, scores: Scores, batch_size: int, counts: Counts) -> None:
        self._tagger = tagger
        self._scores = scores
        self._batch_size = batch_size
        self._counts = counts
        self._tail = ContextTail(tagger.reach)

    def skip(self, item: Record | Reject) -> None:
        """Pass an item that an earlier run has finished, keeping the context of what follows."""
        if isinstance(item, Record) and item.layout == "message":
            self._tail.before(item)

    def batches(self, items: Iterable[Record | Reject]) -> Iterator[list[Record | Reject]]:
        """Lists of finished items, in order: records hold their codes in `data`.

        With a batch size of 1 every item comes out as soon as it came in.
        """
        held: list[Record | Reject] = []
        places: list[_Place] = []
        most = 1 if self._batch_size == 1 else self._batch_size * _RECORDS_PER_MESSAGE
        for item in items:
            held.append(item)
            if isinstance(item, Record):
                places += self._places(item)
            if len(places) >= self._batch_size or len(held) >= most:
                yield self._finish(held, places)
                held, places = [], []
        if held:
            yield self._finish(held, places)

    def _places(self, record: Record) -> list[_Place]:
        if record.layout == "message":
            before = self._tail.before(record)
            message = record.messages[0]
            return [_Place(message.text, before, record.data)] if message.is_counselor else []
        first = self._tagger.reach
        return [
            _Place(message.text, record.messages[max(0, place - first) : place], record.data["messages"][place])
            for place, message in enumerate(record.messages)
            if message.is_counselor
        ]

    def _finish(self, items: list[Record | Reject], places: list[_Place]) -> list[Record | Reject]:
        for start in range(0, len(places), self._batch_size):
            some = places[start : start + self._batch_size]
            jobs = [self._tagger.job(place.text, place.before) for place in some]
            for place, job, coding in zip(some, jobs, self._tagger.code(jobs), strict=True):
                write_coding(place.target, coding, self._scores)
                self._counts.add_coding(job, coding)
        for item in items:
            if isinstance(item, Reject):
                self._counts.add_reject(item)
            else:
                self._counts.add_record()
        return items
